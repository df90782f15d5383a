"""The engine: libmetaflow.so by way of ctypes. Nothing else of this package knows the C interface's calling conventions.

While the engine works, the interpreter lock is free; it is taken again by each function that the engine calls.
"""

from __future__ import annotations

import ctypes
import json
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_void_p
from typing import Any, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from .exception import MetaflowException

ABI_MAJOR = 1
ABI_MINOR = 1

OK, USAGE, INVALID, NOT_FOUND, CONFLICT, DENIED, UNAVAILABLE, EXHAUSTED, CANCELLED, CORRUPT, INTERNAL = range(11)

INHERITED = c_size_t(-1).value

BufferLike = Union[bytes, bytearray, memoryview, "ctypes.Array[Any]"]


class EngineError(MetaflowException):
    """An error that the engine reported; `status` is one of the codes above."""

    def __init__(self, status: int, message: str, headline: str = "") -> None:
        super().__init__(message)
        self.status = status
        if headline:
            self.headline = headline


class LibraryError(ImportError):
    """The engine is missing, or does not fit to this package."""


class _Bytes(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class _Artifact(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("type", c_char_p),
        ("pieces", POINTER(_Bytes)),
        ("piece_count", c_size_t),
    ]


#: Most artifacts are stored as one piece, often alone. ctypes forgets types of arrays that nobody holds, and each task would make them anew.
_ARRAYS_OF_ONE = (_Bytes * 1, _Artifact * 1)

# Shapes of the functions that the engine calls. A pointer to a pointer takes a result.
_Result = POINTER(c_void_p)
Configure = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, _Result, _Result)
ParseParameter = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, c_char_p, _Result, _Result, _Result)
DefaultParameter = ParseParameter
RunStep = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, c_void_p, _Result)
ForkProcess = ctypes.CFUNCTYPE(c_int, c_void_p)
LeaveProcess = ctypes.CFUNCTYPE(None, c_void_p)


class FlowFunctions(ctypes.Structure):
    """metaflow_flow_functions. Keep it alive as long as the flow made from it."""

    _fields_ = [
        ("size", c_size_t),
        ("configure", Configure),
        ("parse_parameter", ParseParameter),
        ("default_parameter", DefaultParameter),
        ("run_step", RunStep),
        ("fork_process", ForkProcess),
        ("leave_process", LeaveProcess),
    ]


class _PyBuffer(ctypes.Structure):
    """Py_buffer of CPython: the address of any buffer, read-only ones too, which ctypes itself does not give."""

    _fields_ = [
        ("buf", c_void_p),
        ("obj", c_void_p),
        ("len", c_ssize_t),
        ("itemsize", c_ssize_t),
        ("readonly", c_int),
        ("ndim", c_int),
        ("format", c_char_p),
        ("shape", c_void_p),
        ("strides", c_void_p),
        ("suboffsets", c_void_p),
        ("internal", c_void_p),
    ]


class _Addresses:
    """Addresses of buffers, valid inside of a `with`."""

    def __init__(self) -> None:
        self._views: List[_PyBuffer] = []

    def __enter__(self) -> _Addresses:
        return self

    def __exit__(self, *_: object) -> None:
        for view in self._views:
            ctypes.pythonapi.PyBuffer_Release(byref(view))
        self._views.clear()

    def bytes_of(self, piece: Any) -> _Bytes:
        view = _PyBuffer()
        if ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(piece), byref(view), 0) != 0:
            raise TypeError(f"{type(piece).__name__} is no buffer")
        self._views.append(view)
        return _Bytes(view.buf, view.len)


class Pickled(NamedTuple):
    """A value as it is to be stored: its pickle in pieces, and its type as Python prints it."""

    name: str
    type: str
    pieces: Sequence[Any]


def library_path() -> str:
    """Where the engine is."""
    chosen = os.environ.get("METAFLOW_LIBRARY")
    if chosen:
        return chosen
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # pathlib would cost start-up time
    return os.path.join(folder, "libmetaflow.so")  # noqa: PTH118


def _load() -> ctypes.CDLL:
    path = library_path()
    try:
        library = ctypes.CDLL(path)
        version = library.metaflow_abi_version()
    except (OSError, AttributeError) as error:
        raise LibraryError(
            f"The engine of Metaflow, {path}, cannot be used: {error}. Install metaflow-cpp anew, or let the environment "
            "variable METAFLOW_LIBRARY name a libmetaflow.so."
        ) from None
    major, minor = divmod(version, 1000)
    if major != ABI_MAJOR or minor < ABI_MINOR:
        raise LibraryError(
            f"The engine {path} has interface {major}.{minor}, but this package needs {ABI_MAJOR}.{ABI_MINOR}. Install "
            "both from one version of metaflow-cpp."
        )
    _declare(library)
    return library


_STATUS_FUNCTIONS = {
    "metaflow_flow_new": [c_char_p, POINTER(FlowFunctions), c_void_p, _Result, _Result],
    "metaflow_task_current": [c_void_p, _Result, _Result],
    "metaflow_task_temporary_folder": [c_void_p, _Result, _Result],
    "metaflow_task_source": [c_void_p, c_size_t, _Result, _Result],
    "metaflow_task_load": [c_void_p, c_size_t, c_char_p, _Result, _Result],
    "metaflow_task_load_item": [c_void_p, c_size_t, c_char_p, c_size_t, _Result, _Result],
    "metaflow_task_included_file": [c_void_p, c_char_p, _Result, _Result],
    "metaflow_task_store": [c_void_p, POINTER(_Artifact), c_size_t, _Result],
    "metaflow_task_pass": [c_void_p, c_char_p, c_size_t, c_char_p, _Result],
    "metaflow_task_foreach": [c_void_p, c_char_p, _Result],
    "metaflow_client_new": [c_char_p, _Result, _Result],
    "metaflow_client_default_namespace": [_Result, _Result],
    "metaflow_client_object": [c_void_p, c_char_p, c_int, _Result, _Result],
    "metaflow_client_children": [c_void_p, c_char_p, c_int, c_char_p, _Result, _Result],
    "metaflow_client_artifact": [c_void_p, c_char_p, c_int, _Result, _Result],
    "metaflow_client_log": [c_void_p, c_char_p, c_int, c_char_p, _Result, _Result],
    "metaflow_client_related": [c_void_p, c_char_p, c_char_p, _Result, _Result],
    "metaflow_client_change_tags": [c_void_p, c_char_p, c_char_p, c_char_p, _Result],
}

_OTHER_FUNCTIONS: List[Tuple[str, Any, List[Any]]] = [
    ("metaflow_version", c_char_p, []),
    ("metaflow_error_new", c_void_p, [c_int, c_char_p, c_char_p]),
    ("metaflow_error_status", c_int, [c_void_p]),
    ("metaflow_error_message", c_char_p, [c_void_p]),
    ("metaflow_error_headline", c_char_p, [c_void_p]),
    ("metaflow_error_free", None, [c_void_p]),
    ("metaflow_buffer_new", c_void_p, [c_void_p, c_size_t]),
    ("metaflow_buffer_data", c_void_p, [c_void_p]),
    ("metaflow_buffer_size", c_size_t, [c_void_p]),
    ("metaflow_buffer_free", None, [c_void_p]),
    ("metaflow_flow_free", None, [c_void_p]),
    ("metaflow_flow_command_line", c_int, [c_void_p, c_int, POINTER(c_char_p)]),
    ("metaflow_task_input_count", c_size_t, [c_void_p]),
    ("metaflow_task_fail", None, [c_void_p, c_char_p, c_char_p, c_char_p, c_char_p]),
    ("metaflow_task_choose", None, [c_void_p, c_char_p]),
    ("metaflow_task_parallel", None, [c_void_p, c_int64]),
    ("metaflow_client_free", None, [c_void_p]),
]


def _declare(library: ctypes.CDLL) -> None:
    functions = [(name, c_int, arguments) for name, arguments in _STATUS_FUNCTIONS.items()] + _OTHER_FUNCTIONS
    for name, result, arguments in functions:
        function = getattr(library, name, None)
        if function is None:
            raise LibraryError(
                f"The engine {library._name} has no {name}, which this package needs. Install both from one version of "
                "metaflow-cpp."
            )
        function.restype = result
        function.argtypes = arguments


_loaded: Optional[ctypes.CDLL] = None


def library() -> ctypes.CDLL:
    """The engine, loaded when first asked for. LibraryError says why it cannot be used."""
    global _loaded
    if _loaded is None:
        _loaded = _load()
    return _loaded


def version() -> str:
    """Such as `2.19.38+cpp.0.1.0`."""
    said: bytes = library().metaflow_version()
    return said.decode()


_memory_view: Any = ctypes.pythonapi.PyMemoryView_FromMemory
_memory_view.restype, _memory_view.argtypes = ctypes.py_object, [c_void_p, c_ssize_t, c_int]
_READ_ONLY = 0x100  #: PyBUF_READ
_ALIGNMENT = 64  #: of what the engine hands out, and more than any type of numpy asks for


class EngineBuffer:
    """Bytes that belong to the engine, freed with this object."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __del__(self) -> None:
        library().metaflow_buffer_free(self._handle)

    def view(self) -> memoryview:
        """The bytes where they lie; to be looked at no longer than this object lives."""
        size = library().metaflow_buffer_size(self._handle)
        if size == 0:
            return memoryview(b"")
        # Not by an array of ctypes: each size would be a new class, which is most of the cost of a small buffer.
        view: memoryview = _memory_view(library().metaflow_buffer_data(self._handle), size, _READ_ONLY)
        return view

    def array_at(self, start: int, size: int) -> memoryview:
        """A part of the bytes for an array to lie in: writable, aligned, and good for as long as anybody refers to it. Of what is
        before it, something may be overwritten."""
        address = library().metaflow_buffer_data(self._handle) + start
        aligned = address - address % _ALIGNMENT
        ctypes.memmove(aligned, address, size)
        memory: Any = (ctypes.c_ubyte * size).from_address(aligned)
        memory.owner = self
        return memoryview(memory).cast("B")

    def text(self) -> str:
        return str(self.view(), "utf-8")


def encoded(text: Optional[str]) -> Optional[bytes]:
    """As the C interface takes it: a zero byte would end it, and half surrogates, as file names may have them, are no UTF-8."""
    return None if text is None else text.replace("\0", "\\x00").encode("utf-8", "replace")


def _raise(status: int, error: c_void_p) -> None:
    if not error.value:
        raise EngineError(status, f"The engine reported status {status} without a reason.")
    code, message, headline = (
        library().metaflow_error_status(error),
        library().metaflow_error_message(error).decode("utf-8", "replace"),
        library().metaflow_error_headline(error).decode("utf-8", "replace"),
    )
    library().metaflow_error_free(error)
    raise EngineError(code, message, headline)


def perform(function: str, *arguments: Any) -> None:
    """Calls what has no result but a status. EngineError when that is not OK."""
    error = c_void_p()
    status = getattr(library(), function)(*arguments, byref(error))
    if status != OK:
        _raise(status, error)


def ask(function: str, *arguments: Any) -> EngineBuffer:
    """Calls what hands out a buffer. EngineError when its status is not OK."""
    return EngineBuffer(make(function, *arguments))


def ask_if_any(function: str, *arguments: Any) -> Optional[EngineBuffer]:
    """Calls what may leave out its buffer."""
    handle = make(function, *arguments)
    return EngineBuffer(handle) if handle else None


def ask_json(function: str, *arguments: Any) -> Any:
    """Calls what hands out JSON."""
    return json.loads(ask(function, *arguments).text())


def make(function: str, *arguments: Any) -> int:
    """Calls what hands out a handle, which the caller frees."""
    result = c_void_p()
    perform(function, *arguments, byref(result))
    return int(result.value or 0)


# --- For functions that the engine calls ----------------------------------------------------------------------------------


def give_bytes(result: Any, data: BufferLike) -> None:
    """Leaves a copy of `data` as a result."""
    with _Addresses() as addresses:
        piece = addresses.bytes_of(data)
        result[0] = library().metaflow_buffer_new(piece.data, piece.size)


def give_text(result: Any, text: str) -> None:
    give_bytes(result, text.encode("utf-8", "replace"))


def give_error(result: Any, status: int, message: str, headline: str = "") -> int:
    """Leaves an error as a result; returns `status`, as the function is to do."""
    result[0] = library().metaflow_error_new(status, encoded(message), encoded(headline) if headline else None)
    return status


# --- A running task -------------------------------------------------------------------------------------------------------


def store_artifacts(task: int, artifacts: Iterable[Pickled]) -> None:
    """Stores values in one call. The pieces stay with the caller and are not copied."""
    listed = list(artifacts)
    if not listed:
        return
    with _Addresses() as addresses:
        table = (_Artifact * len(listed))()
        for row, artifact in zip(table, listed):
            pieces = (_Bytes * len(artifact.pieces))(*(addresses.bytes_of(piece) for piece in artifact.pieces))
            row.name, row.type = encoded(artifact.name), encoded(artifact.type)
            row.pieces, row.piece_count = pieces, len(pieces)
        perform("metaflow_task_store", task, table, len(listed))
