"""`current`: who and where the running task is. Outside of a task nearly everything is None."""

from __future__ import annotations

import importlib
from typing import Any, Dict, List, NamedTuple, Optional, Set


class Parallel(NamedTuple):
    """The place of a task in its gang."""

    main_ip: str
    num_nodes: int
    node_index: int
    control_task_id: Optional[str]


class Current:
    """Fields are attributes; those that belong to a decorator are there only with it."""

    def __init__(self) -> None:
        self._fields: Dict[str, Any] = {}
        self._extra: Dict[str, Any] = {}

    def _begin(self, fields: Dict[str, Any]) -> None:
        """From here a task runs; `fields` are the names below, which stay until the process ends."""
        self._fields = fields

    def _add(self, name: str, value: Any) -> None:
        """Gives `current` an attribute that it has by a decorator."""
        self._extra[name] = value

    def __getattr__(self, name: str) -> Any:
        extra = self.__dict__.get("_extra", {})
        if name in extra:
            return extra[name]
        raise AttributeError(f"current has no '{name}' here")

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The field, or `default` where it is not there."""
        return getattr(self, key, default)

    @property
    def is_running_flow(self) -> bool:
        return bool(self._fields)

    @property
    def flow_name(self) -> Optional[str]:
        return self._fields.get("flow_name")

    @property
    def run_id(self) -> Optional[str]:
        return self._fields.get("run_id")

    @property
    def step_name(self) -> Optional[str]:
        return self._fields.get("step_name")

    @property
    def task_id(self) -> Optional[str]:
        return self._fields.get("task_id")

    @property
    def retry_count(self) -> Optional[int]:
        return self._fields.get("retry_count")

    @property
    def origin_run_id(self) -> Optional[str]:
        """The run that was resumed; None in an ordinary run."""
        return self._fields.get("origin_run_id")

    @property
    def pathspec(self) -> Optional[str]:
        parts = [self.flow_name, self.run_id, self.step_name, self.task_id]
        return "/".join(str(part) for part in parts) if all(parts) else None

    @property
    def namespace(self) -> Optional[str]:
        return self._fields.get("namespace")

    @property
    def username(self) -> Optional[str]:
        return self._fields.get("username")

    @property
    def tags(self) -> Set[str]:
        """User tags that the run was started with."""
        return set(self._fields.get("tags", ()))

    @property
    def tempdir(self) -> Optional[str]:
        """A folder for this attempt alone, removed after it."""
        make = self._fields.get("temporary_folder")
        return make() if make else None

    @property
    def task(self) -> Any:
        """The running task, as the client sees it."""
        return _client().Task(self.pathspec, _namespace_check=False) if self.pathspec else None

    @property
    def run(self) -> Any:
        """The run that goes on, as the client sees it."""
        if not self.run_id:
            return None
        return _client().Run(f"{self.flow_name}/{self.run_id}", _namespace_check=False)

    @property
    def parameter_names(self) -> Optional[List[str]]:
        names = self._fields.get("parameter_names")
        return None if names is None else list(names)

    @property
    def graph_info(self) -> Optional[Dict[str, Any]]:
        """The flow's graph as it is stored with each run."""
        load = self._fields.get("graph_info")
        info: Optional[Dict[str, Any]] = load() if load else None
        return info

    @property
    def graph(self) -> Dict[str, Any]:
        """Steps of the flow by name. AttributeError outside of a task."""
        info = self.graph_info
        if info is None:
            raise AttributeError("current has no 'graph' here: no task runs")
        steps: Dict[str, Any] = info["steps"]
        return steps

    @property
    def is_parallel(self) -> bool:
        return self._extra.get("parallel") is not None


def _client() -> Any:
    return importlib.import_module(".client", __package__)


current = Current()
