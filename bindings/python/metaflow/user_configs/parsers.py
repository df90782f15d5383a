"""Parsers for `Config(parser=...)`: text of well-known files to mappings."""

from __future__ import annotations

import importlib
import re
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..exception import MetaflowException


class ParserValueError(MetaflowException):
    headline = "Value error"


#: Name with extras, and what is demanded of its version: `numpy[extra]>=1,<2`, `numpy @ https://...`.
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\s*(?:\[[^\]]*\])?)\s*"
    r"(?:@\s*(?P<url>\S+)|(?P<versions>\(?\s*(?:===|==|~=|!=|<=|>=|<|>)[^;#@]*)?)"
)
_ONE_VERSION = re.compile(r"\s*(===|==|~=|!=|<=|>=|<|>)\s*([A-Za-z0-9.*+!_-]+)\s*")
_CONDA_PACKAGE = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)\s*(?P<version>(?:[=<>!~]=?=?|~=)\s*[^\s\[\]'\"]*)?")


def yaml_parser(content: str) -> Any:
    """YAML, by PyYAML, which has to be installed."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise MetaflowException("yaml_parser needs PyYAML: install it by 'pip install PyYAML'.") from None
    return yaml.safe_load(content)


def requirements_txt_parser(content: str) -> Dict[str, Any]:
    """`{"packages": {name: version}, "python": version or None}` of a requirements.txt of plain requirements."""
    return _packages(_lines(content))


def pyproject_toml_parser(content: str) -> Dict[str, Any]:
    """The same of `[project]` of a pyproject.toml: its `dependencies` and `requires-python`."""
    project = _toml().loads(content).get("project", {})
    parsed = _packages(project.get("dependencies", []))
    if "requires-python" in project:
        parsed["python"] = _without_equals(str(project["requires-python"]).strip())
    return parsed


def conda_environment_yml_parser(content: str) -> Dict[str, Any]:
    """The same of the list `dependencies` of a conda environment.yml."""
    packages: Dict[str, str] = {}
    python: Optional[str] = None
    for line in _conda_dependencies(content):
        name, version = _conda_package(line)
        if name == "python":
            python = version
        else:
            packages[name] = version
    return {"packages": packages, "python": python}


def _toml() -> Any:
    for module in ("tomllib", "tomli"):
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    raise MetaflowException("pyproject_toml_parser needs Python 3.11, or tomli: install it by 'pip install tomli'.")


def _lines(content: str) -> List[str]:
    without_comments = (re.sub(r"(^|\s)#.*", "", line).strip() for line in content.splitlines())
    return [line for line in without_comments if line]


def _packages(requirements: Iterable[str]) -> Dict[str, Any]:
    packages: Dict[str, str] = {}
    python: Optional[str] = None
    for requirement in requirements:
        name, version = _requirement(requirement)
        if name == "python":
            python = version
        else:
            packages[name] = version
    return {"packages": packages, "python": python}


def _requirement(text: str) -> Tuple[str, str]:
    if ";" in text:
        raise ParserValueError(
            f"'{text}' depends on the machine, by what follows ';': such conditions are not possible here."
        )
    match = _REQUIREMENT.fullmatch(text.strip())
    if not match:
        raise ParserValueError(f"'{text}' is no requirement such as 'numpy>=1.2,<3' (PEP 508).")
    name = re.sub(r"\s", "", match["name"])
    if match["url"]:
        return f"{name}@{match['url']}", ""
    return name, _versions(text, match["versions"] or "")


def _versions(text: str, versions: str) -> str:
    versions = versions.strip().strip("()")
    if not versions:
        return ""
    found = [_ONE_VERSION.fullmatch(each) for each in versions.split(",") if each.strip()]
    if not all(found):
        raise ParserValueError(f"'{text}' is no requirement such as 'numpy>=1.2,<3' (PEP 508).")
    demands = sorted(each[1] + each[2] for each in found if each)
    return _without_equals(demands[0]) if len(demands) == 1 else ",".join(demands)


def _without_equals(version: str) -> str:
    return re.sub(r"^={2,3}\s*", "", version)


def _conda_dependencies(content: str) -> List[str]:
    """Items of the list, without a reader of YAML: the file is one of lines."""
    found: List[str] = []
    inside = False
    for line in content.splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not text:
            continue
        if not text.startswith((" ", "-")):
            inside = text == "dependencies:"
        elif inside and text.lstrip().startswith("-"):
            found.append(text.lstrip()[1:].strip())
    return found


def _conda_package(text: str) -> Tuple[str, str]:
    if text.endswith(":"):
        raise ParserValueError(f"'{text}' of environment.yml begins a list of its own, which is not possible here.")
    match = _CONDA_PACKAGE.fullmatch(text)
    if not match:
        raise ParserValueError(f"'{text}' is no conda package such as 'numpy=1.2' or 'numpy>=1.2,<3'.")
    version = (match["version"] or "").replace(" ", "")
    return match["name"], re.sub(r"^={1,2}", "", version)
