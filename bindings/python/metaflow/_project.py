"""`@project`: namespaces of runs that belong together."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Optional

from .decorators import FlowDecorator
from .exception import MetaflowException
from .metaflow_current import Current

_LONGEST_NAME = 128


class Project:
    """What `@project` asks for, and `--branch` and `--production`. Without the decorator nothing happens."""

    def __init__(self, decorators: List[FlowDecorator]) -> None:
        found = [each for each in decorators if each.name == "project"]
        self._attributes: Optional[Dict[str, Any]] = dict(found[0].attributes) if found else None
        self._branch: Optional[str] = None
        self._is_production = False
        if self._attributes is not None:
            self._require_name(self._attributes["name"])

    @staticmethod
    def _require_name(name: Any) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]+", name) or len(name) > _LONGEST_NAME:
            raise MetaflowException(
                f"@project needs a name of lower-case letters, digits and '_', at most {_LONGEST_NAME} of them, not {name!r}."
            )

    def options(self) -> List[Dict[str, Any]]:
        """For the description."""
        if self._attributes is None:
            return []
        return [
            {
                "name": "branch",
                "help": "Branch of the project; that of the user without it.",
                "variable": "FLOW_BRANCH",
            },
            {
                "name": "production",
                "kind": "flag",
                "help": "Use the production branch of the project.",
                "variable": "FLOW_PRODUCTION",
            },
        ]

    def choose(self, options: Dict[str, Any]) -> None:
        """Takes what the command line says. MetaflowException where it contradicts the decorator."""
        if self._attributes is None:
            return
        given, own = options.get("branch"), self._attributes["branch"]
        if given and own and given != own:
            raise MetaflowException(f"--branch={given} contradicts @project(branch={own!r}): leave out one of them.")
        self._branch = given or own
        self._is_production = options.get("production") in (True, "true", "True") or bool(
            self._attributes["production"]
        )

    def branch_name(self) -> str:
        if self._is_production:
            return f"prod.{self._branch}" if self._branch else "prod"
        return f"test.{self._branch}" if self._branch else f"user.{user_name()}"

    def system_tags(self) -> List[str]:
        if self._attributes is None:
            return []
        return [f"project:{self._attributes['name']}", f"project_branch:{self.branch_name()}"]

    def add_to_current(self, current: Current) -> None:
        if self._attributes is None:
            return
        name, branch = self._attributes["name"], self.branch_name()
        current._add("project_name", name)
        current._add("branch_name", branch)
        current._add("is_production", self._is_production)
        current._add("is_user_branch", not self._is_production and not self._branch)
        flow_name = current.flow_name
        current._add("project_flow_name", f"{name}.{branch}.{flow_name}")


def user_name() -> str:
    """Who runs this program, as runs are tagged."""
    for variable in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"):
        name = os.environ.get(variable)
        if name and name != "root":
            return name
    return "root"
