"""What the code package of a flow in Python holds beside the flow's own files: this package and the engine."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List

from . import _engine

#: In the package; `PYTHONPATH=.mf_code python3 flow.py` starts the flow where it is unpacked.
_FOLDER = ".mf_code/metaflow"
_SUFFIXES = [".py", ".R", ".RDS"]


def code_of_the_script() -> Dict[str, Any]:
    """`code` of the description of a flow."""
    version = sys.version.split()[0]
    return {
        "suffixes": _SUFFIXES,
        "files": _files(),
        "information": {"language": "python", "python_version": version, "python_version_code": version},
    }


def _files() -> List[Dict[str, str]]:
    package = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # as the engine's path is made
    found = {f"{_FOLDER}/libmetaflow.so": _engine.library_path()}
    for folder, below, names in os.walk(package):
        below[:] = [name for name in below if name != "__pycache__" and not name.startswith(".")]
        inside = os.path.relpath(folder, package)  # pathlib has no such function for what lies above
        for name in names:
            found[os.path.normpath(f"{_FOLDER}/{inside}/{name}")] = f"{folder}/{name}"
    return [{"name": name, "path": path} for name, path in sorted(found.items())]
