"""`S3`."""

from __future__ import annotations

from typing import Any

from .. import _not_there


def __getattr__(name: str) -> Any:
    if name == "S3":
        return getattr(_not_there, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
