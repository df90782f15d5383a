"""Which runs the client looks at: where they are recorded, and whose they are. Both are settings of the whole process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, Optional

from ..exception import NotAvailableException
from .records import Records, default_namespace_of_engine

_UNSET: Any = object()
_namespace: Any = _UNSET
_metadata: Optional[str] = None
_records: Dict[Any, Records] = {}

_FOLDERS = {"local": ".metaflow", "spin": ".metaflow_spin"}


def namespace(ns: Optional[str]) -> Optional[str]:
    """Looks at runs with this tag only, `user:name` or `production:token`; at all with None. Returns it."""
    global _namespace
    _namespace = ns
    return ns


def get_namespace() -> Optional[str]:
    """The namespace in force."""
    return default_namespace() if _namespace is _UNSET else _namespace


def default_namespace() -> Optional[str]:
    """Goes back to the namespace of who runs this program, in a task to that of its run, and returns it."""
    return namespace(default_namespace_of_engine())


def metadata(ms: str) -> str:
    """Looks at runs recorded elsewhere: a folder that holds `.metaflow`, by itself or as `local@folder`. ValueError when it does not.
    Returns the setting in full."""
    global _metadata
    _metadata = _checked(ms)
    return _metadata


def get_metadata() -> str:
    """Where runs are looked for, as metadata() takes it."""
    return default_metadata() if _metadata is None else _metadata


def default_metadata() -> str:
    """Goes back to the folder where this program would record its own runs, in a task to that of its run, and returns it as metadata()
    takes it."""
    global _metadata
    _metadata = f"local@{_folder_of_task() or _usual_folder()}"
    return _metadata


def inspect_spin(datastore_root: str = ".") -> None:
    """Looks at what the command `spin` left in a folder, or above it, instead of at runs."""
    global _metadata
    _metadata = f"spin@{_nearest(Path(datastore_root).absolute(), _FOLDERS['spin'])}"


def records(of_metadata: str, of_namespace: Optional[str]) -> Records:
    """What a place has recorded for a namespace; one object for each."""
    key = (of_metadata, of_namespace)
    if key not in _records:
        _records[key] = Records(_place(of_metadata), of_namespace)
    return _records[key]


def _place(setting: str) -> Dict[str, Any]:
    """As metaflow_client_new() takes it. A datastore root of another name than `.metaflow` stands for itself."""
    kind, _, folder = setting.partition("@")
    if kind == "local" and Path(folder).is_dir() and not (Path(folder) / _FOLDERS[kind]).is_dir():
        return {"root": folder}
    return {"folder": folder, "spin": kind == "spin"}


def _checked(setting: str) -> str:
    kind, at, folder = setting.partition("@")
    if not at:
        kind, folder = "local", setting
    if kind == "service" or folder.startswith(("http://", "https://")):
        raise NotAvailableException(f"The metadata service '{setting}' cannot be asked by this version: name a folder.")
    if kind not in _FOLDERS:
        kind, folder = "local", setting
    path = Path(folder).expanduser().absolute()
    if not (path / _FOLDERS[kind]).is_dir():
        raise ValueError(f"There is no {_FOLDERS[kind]} in the folder '{folder}'.")
    return f"{kind}@{path}"


def _folder_of_task() -> Optional[Path]:
    """Where the run of this task is recorded, when its program was told."""
    from ..metaflow_current import current
    from ..user_configs.resolution import datastore_root

    root = datastore_root(sys.argv, os.environ) if current.is_running_flow else None
    if root is None:
        return None
    path = Path(root).absolute()
    return path.parent if path.name == _FOLDERS["local"] else path


def _usual_folder() -> Path:
    from .. import metaflow_config

    chosen = metaflow_config.DATASTORE_SYSROOT_LOCAL
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _nearest(Path(os.getcwd()), _FOLDERS["local"])  # noqa: PTH109  # as the shell calls it is the same for both


def _nearest(start: Path, name: str) -> Path:
    """The folder that holds `name`, from `start` upwards; `start` when there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / name).is_dir()), start)
