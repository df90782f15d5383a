"""The library as other languages load it: JSON in and out, an error as an exception."""

import ctypes
import json
from ctypes import byref, c_int, c_size_t, c_void_p

from conftest import BUILD

OK, USAGE, INVALID, NOT_FOUND, CONFLICT, DENIED = range(6)


def load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(BUILD / "libmetaflow.so"))
    for name in ("metaflow_error_message", "metaflow_error_headline", "metaflow_version"):
        getattr(library, name).restype = ctypes.c_char_p
    for name in ("metaflow_error_message", "metaflow_error_headline", "metaflow_error_status", "metaflow_error_free"):
        getattr(library, name).argtypes = [c_void_p]
    library.metaflow_buffer_data.restype = c_void_p
    library.metaflow_buffer_data.argtypes = [c_void_p]
    library.metaflow_buffer_size.restype = c_size_t
    library.metaflow_buffer_size.argtypes = [c_void_p]
    library.metaflow_buffer_free.argtypes = [c_void_p]
    library.metaflow_task_input_count.restype = c_size_t
    return library


LIBRARY = load()


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
    status = getattr(LIBRARY, f"metaflow_{name}")(*(_argument(each) for each in arguments), byref(error))
    if status == OK:
        return
    message = LIBRARY.metaflow_error_message(error).decode()
    assert LIBRARY.metaflow_error_status(error) == status
    LIBRARY.metaflow_error_free(error)
    raise EngineError(status, message)


def fetch(name: str, *arguments) -> bytes:
    """The same for one whose last argument but the error takes a buffer."""
    buffer = c_void_p()
    call(name, *arguments, byref(buffer))
    try:
        return ctypes.string_at(LIBRARY.metaflow_buffer_data(buffer), LIBRARY.metaflow_buffer_size(buffer))
    finally:
        LIBRARY.metaflow_buffer_free(buffer)


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
        free = getattr(LIBRARY, f"metaflow_{self.kind}_free")
        free.argtypes = [c_void_p]
        free(self.value)


def client(options) -> Handle:
    return Handle("client", "client_new", options)


def run(options) -> Handle:
    return Handle("run", "run_start", options)
