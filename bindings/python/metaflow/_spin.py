"""What `spin` leaves to the language: artifacts that stand in for those of the inputs come from a Python module."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Dict, List, Sequence, Tuple

from .exception import CommandException

_OPTION = "--artifacts-module"
_NAME = "ARTIFACTS"


def take_replacements(words: Sequence[str]) -> Tuple[List[str], Dict[str, Any]]:
    """The words without --artifacts-module, and what the module it names has under ARTIFACTS."""
    kept: List[str] = []
    found: Dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == _OPTION and rest and "spin" in kept:
            found = _read(rest.pop(0))
        elif word.startswith(_OPTION + "=") and "spin" in kept:
            found = _read(word[len(_OPTION) + 1 :])
        else:
            kept.append(word)
    return kept, found


def without_decorators() -> bool:
    """Whether a step is spun without any of its decorators."""
    return "spin" in sys.argv and "--skip-decorators" in sys.argv


def _read(path: str) -> Dict[str, Any]:
    module = ModuleType("artifacts")
    module.__file__ = path
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  # pathlib would cost start-up time
            exec(compile(file.read(), path, "exec"), module.__dict__)
    except OSError as error:
        raise CommandException(f"The module '{path}' of {_OPTION} cannot be read: {error.strerror}.") from None
    found = module.__dict__.get(_NAME)
    if not isinstance(found, dict):
        raise CommandException(f"The module '{path}' of {_OPTION} has no dict {_NAME} of names and values.")
    return found
