"""Values to pickles, and back.

Protocol 4, so that equal values have equal bytes in every version of Python. Values that hold large arrays take protocol 5, by which
the bytes of an array are handed on where they lie; which of both it is depends on the value alone.
"""

from __future__ import annotations

import pickle
import re
import sys
from typing import Any, Iterator, List, Tuple

from ._engine import EngineBuffer
from .exception import MetaflowException

_PROTOCOL = 4
_LARGE = 64 * 1024  #: pickle writes what is as large in one piece


_NEXT_BUFFER = b"\x97"
#: How the pickle of a large array begins, up to the length of its bytes (BYTEARRAY8); see pickletools.
_ARRAY_BEGINNING = re.compile(
    rb"\x80\x05\x95.{8}\x8c.numpy\.(?:_core|core)\.numeric\x94\x8c\x0b_frombuffer\x94\x93\x94\(\x96(.{8})", re.DOTALL
)


class UnpicklableArtifactException(MetaflowException):
    """An artifact that cannot be stored."""

    headline = "Cannot pickle artifact"


class _Pieces:
    """A file that keeps what is written, large parts without a copy."""

    def __init__(self) -> None:
        self.pieces: List[Any] = []

    def write(self, piece: Any) -> int:
        self.pieces.append(piece)
        return memoryview(piece).nbytes


class _HoldsLargeArray(Exception):
    """Not to be taken by protocol 4."""


def _is_large_array(value: Any) -> bool:
    return value.nbytes >= _LARGE and not value.dtype.hasobject


class _ArrayWatcher(pickle.Pickler):
    """Protocol 4, given up at the first large array."""

    _array_type: Any = ()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, self._array_type) and _is_large_array(value):
            raise _HoldsLargeArray
        return NotImplemented


def pickle_pieces(value: Any) -> List[Any]:
    """The pickle of a value, in parts that are to be written one after another. They may refer to the value: it must not change
    before they are written."""
    numpy = sys.modules.get("numpy")
    array_type = getattr(numpy, "ndarray", None)
    pieces = _Pieces()
    if array_type is None:
        pickle.Pickler(pieces, _PROTOCOL).dump(value)
        return pieces.pieces
    try:
        watcher = _ArrayWatcher(pieces, _PROTOCOL)
        watcher._array_type = array_type
        watcher.dump(value)
    except _HoldsLargeArray:
        pieces = _Pieces()
        pickle.Pickler(pieces, 5).dump(value)
    return pieces.pieces


def unpickled(stored: EngineBuffer) -> Any:
    """The value of a pickle. A large array is not copied, but stays where the engine has put it."""
    pickled = stored.view()
    beginning = _ARRAY_BEGINNING.match(pickled[:256]) if len(pickled) >= _LARGE else None
    start, size = (beginning.end(), int.from_bytes(beginning[1], "little")) if beginning else (0, 0)
    if beginning is None or start + size >= len(pickled):
        return pickle.loads(pickled)
    around = b"".join([pickled[: beginning.start(1) - 1], _NEXT_BUFFER, pickled[start + size :]])
    return pickle.loads(around, buffers=[stored.array_at(start, size)])


def artifact_pieces(name: str, value: Any) -> List[Any]:
    """As pickle_pieces; UnpicklableArtifactException names the artifact and the part of it that cannot be stored."""
    try:
        return pickle_pieces(value)
    except Exception as error:
        path, problem = _find_problem(f"self.{name}", value, error)
        raise UnpicklableArtifactException(
            f"The artifact '{name}' cannot be stored: {path} is of type {type_text(problem)}, which cannot be pickled "
            f"({type(error).__name__}: {error}). Leave it out, or give it a name that begins with two underscores."
        ) from error


def type_text(value: Any) -> str:
    """As Python prints it: `<class 'int'>`."""
    return str(type(value))


def _find_problem(path: str, value: Any, error: BaseException) -> Tuple[str, Any]:
    """The innermost part that cannot be pickled by itself."""
    for _ in range(50):  # deep enough for people, and an end for values that hold themselves
        for part_path, part in _parts_of(path, value):
            if not _can_be_pickled(part):
                path, value = part_path, part
                break
        else:
            break
    return path, value


def _can_be_pickled(value: Any) -> bool:
    try:
        pickle_pieces(value)
    except Exception:
        return False
    return True


def _parts_of(path: str, value: Any) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"{path}[{key!r}]", part
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            yield f"{path}[{i}]", part
    else:
        for name, part in getattr(value, "__dict__", {}).items():
            yield f"{path}.{name}", part
