"""The library as other languages load it: JSON in and out, an error as an exception."""

import ctypes
import functools
import json
from ctypes import byref, c_int, c_size_t, c_void_p

from conftest import BUILD

OK, USAGE, INVALID, NOT_FOUND, CONFLICT, DENIED = range(6)


@functools.cache
def library() -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(BUILD / "libmetaflow.so"))
    for name in ("metaflow_error_message", "metaflow_error_headline", "metaflow_version"):
        getattr(loaded, name).restype = ctypes.c_char_p
    for name in ("metaflow_error_message", "metaflow_error_headline", "metaflow_error_status", "metaflow_error_free"):
        getattr(loaded, name).argtypes = [c_void_p]
    loaded.metaflow_buffer_data.restype = c_void_p
    loaded.metaflow_buffer_data.argtypes = [c_void_p]
    loaded.metaflow_buffer_size.restype = c_size_t
    loaded.metaflow_buffer_size.argtypes = [c_void_p]
    loaded.metaflow_buffer_free.argtypes = [c_void_p]
    loaded.metaflow_task_input_count.restype = c_size_t
    return loaded


class EngineError(Exception):
    """Status and words of an error."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def _argument(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (dict, list)):
        return json.dumps(value).encode()
    return c_int(value) if isinstance(value, int) else value


def call(name: str, *arguments):
    """Calls a function that ends with a place for its error; raises that."""
    error = c_void_p()
    status = getattr(library(), f"metaflow_{name}")(*(_argument(each) for each in arguments), byref(error))
    if status == OK:
        return
    message = library().metaflow_error_message(error).decode()
    assert library().metaflow_error_status(error) == status
    library().metaflow_error_free(error)
    raise EngineError(status, message)


def fetch(name: str, *arguments) -> bytes:
    """The same for one whose last argument but the error takes a buffer."""
    buffer = c_void_p()
    call(name, *arguments, byref(buffer))
    try:
        return ctypes.string_at(library().metaflow_buffer_data(buffer), library().metaflow_buffer_size(buffer))
    finally:
        library().metaflow_buffer_free(buffer)


def ask(name: str, *arguments):
    return json.loads(fetch(name, *arguments))


class Handle:
    """An object of the library, for a `with`."""

    def __init__(self, kind: str, make: str, *arguments):
        self.kind = kind
        self.value = c_void_p()
        call(make, *arguments, byref(self.value))

    def __enter__(self) -> c_void_p:
        return self.value

    def __exit__(self, *_):
        free = getattr(library(), f"metaflow_{self.kind}_free")
        free.argtypes = [c_void_p]
        free(self.value)


def client(options) -> Handle:
    return Handle("client", "client_new", options)


def run(options) -> Handle:
    return Handle("run", "run_start", options)
