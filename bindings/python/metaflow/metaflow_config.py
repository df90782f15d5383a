"""Settings of Metaflow as module attributes: `DATASTORE_SYSROOT_LOCAL` is METAFLOW_DATASTORE_SYSROOT_LOCAL of the environment, or of a
configuration file. AttributeError for what is set nowhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator

_DEFAULTS: Dict[str, Any] = {
    "DEFAULT_DATASTORE": "local",
    "DEFAULT_METADATA": "local",
    "DEFAULT_ENVIRONMENT": "local",
    "DEFAULT_DECOSPECS": "",
    "DATASTORE_SYSROOT_LOCAL": None,
    "DATASTORE_SYSROOT_S3": None,
    "DATATOOLS_S3ROOT": None,
    "TEMPDIR": ".",
    "RUNTIME_NAME": "dev",
    "USER": None,
    "SERVICE_URL": None,
    "UI_URL": None,
    "INCLUDE_FOREACH_STACK": True,
    "MAXIMUM_FOREACH_VALUE_CHARS": 30,
}


def __getattr__(name: str) -> Any:
    if not name.isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    key = f"METAFLOW_{name}"
    if key in os.environ:
        return _of_its_type(name, os.environ[key])
    for file in _files():
        settings = _read(file)
        if key in settings:
            return _of_its_type(name, settings[key])
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _of_its_type(name: str, value: Any) -> Any:
    """What an environment variable says in text, as the default has it."""
    default = _DEFAULTS.get(name)
    if isinstance(default, bool):
        return value not in ("", "0", "false", "False", 0)
    if isinstance(default, int):
        try:
            return int(value)
        except (TypeError, ValueError):
            raise ValueError(f"METAFLOW_{name} should be a whole number, not {value!r}.") from None
    return value


def _files() -> Iterator[Path]:
    """Of the nearest folder that holds .metaflow, then of the user."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".metaflow").is_dir():
            yield folder / ".metaflow" / "config.json"
            break
    home = Path(os.environ.get("METAFLOW_HOME", "~/.metaflowconfig")).expanduser()
    profile = os.environ.get("METAFLOW_PROFILE")
    yield home / (f"config_{profile}.json" if profile else "config.json")


def _read(file: Path) -> Dict[str, Any]:
    try:
        settings = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    return settings if isinstance(settings, dict) else {}
