"""The process of a task: a fork that is to behave like an interpreter of its own."""

from __future__ import annotations

import atexit
import ctypes
import io
import itertools
import os
import signal
import sys
import threading
import warnings
from typing import Any, Dict, Iterator, Optional, Set, TextIO

_SIGNALS_OF_AN_INTERPRETER: Dict[int, Any] = {}
#: signal.signal without the enumerations that it makes of what it returns: each task would pay for them.
_set_handler: Any = getattr(signal.signal, "__wrapped__", signal.signal)

_environ: Any = None  #: that of C
_prepared_entries: Set[bytes] = set()  #: what os.environ has in any case
_prepared_stdin: Any = None


def remember_signals() -> None:
    """Before the engine takes signals over: what Python code wants to be called for."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if handler not in (None, signal.SIG_DFL):
            _SIGNALS_OF_AN_INTERPRETER[number] = handler


def fork() -> int:
    """As os.fork, without a word about threads of libraries such as OpenBLAS, which deal with forks themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def prepare_for_tasks() -> None:
    """In the process that tasks are forked from: what need not be done anew by each of them."""
    global _prepared_stdin
    refresh_environment()
    _prepared_entries.update(_environment_entries())
    try:
        _prepared_stdin = _stdin()
    except OSError:
        pass  # it is closed here; in a task it is not


def become_task() -> None:
    """After the fork, before the body: streams, signals, environment and random numbers are as in a fresh process."""
    _restore_signals()
    _renew_streams()
    refresh_environment()
    _reseed_numpy()


def begin_task() -> None:
    """The same in a process of its own: what is printed is seen at once, as the body may end it at any moment."""
    _renew_streams()
    refresh_environment()


def leave() -> None:
    """What the end of an interpreter does: waits for threads, calls what is registered, writes what is buffered."""
    threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter itself calls at its end
    atexit._run_exitfuncs()
    flush()


def flush() -> None:
    """Writes what is buffered."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # closed, or none at all: nobody reads it


def _restore_signals() -> None:
    for number, handler in _SIGNALS_OF_AN_INTERPRETER.items():
        _set_handler(number, handler)
    faulthandler = sys.modules.get("faulthandler")
    if faulthandler is not None and faulthandler.is_enabled():
        faulthandler.enable()


def _renew_streams() -> None:
    # In a forked task they are to be those of a fresh interpreter.
    sys.stdin = sys.__stdin__ = _prepared_stdin or _stdin()  # type: ignore[misc]  # declared as final
    # Streams that the flow has put in place of these stay.
    own_stdout, own_stderr = sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__
    sys.__stdout__ = _output(1, sys.__stdout__)  # type: ignore[misc]  # declared as final
    sys.__stderr__ = _output(2, sys.__stderr__)  # type: ignore[misc]  # declared as final
    if own_stdout:
        sys.stdout = sys.__stdout__
    if own_stderr:
        sys.stderr = sys.__stderr__


def _stdin() -> Any:
    """A new one: what has been read ahead is not the task's."""
    return _opened(0, "r", sys.__stdin__)


def _output(descriptor: int, before: Optional[TextIO]) -> Any:
    """The stream object that was there, so that handlers that hold it go on; a new one if it is of no use."""
    if isinstance(before, io.TextIOWrapper):
        try:
            if before.fileno() == descriptor:
                before.reconfigure(line_buffering=True)
                return before
        except (OSError, ValueError):
            pass  # closed
    return _opened(descriptor, "w", before)


def _opened(descriptor: int, mode: str, before: Optional[TextIO]) -> Any:
    encoding = getattr(before, "encoding", None) or "utf-8"
    errors = "backslashreplace" if descriptor == 2 else getattr(before, "errors", None)
    buffering = 1 if mode == "w" else -1
    return open(descriptor, mode, buffering, encoding, errors, closefd=False)  # a descriptor is no path


def refresh_environment() -> None:
    """The engine sets variables behind the back of os.environ, which Python reads only once."""
    for entry in _environment_entries():
        if entry in _prepared_entries:
            continue
        name, equals, value = entry.partition(b"=")
        if equals and name and os.environb.get(name) != value:
            os.environb[name] = value


def _environment_entries() -> Iterator[bytes]:
    global _environ
    if _environ is None:
        _environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    for i in itertools.count():
        entry = _environ[i]
        if not entry:
            return
        yield entry


def _reseed_numpy() -> None:
    """`random` has done so by itself. What a flow has seeded itself stays as it is, as it would in a process of its own."""
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is None:
        return
    generator = getattr(getattr(numpy_random.mtrand, "_rand", None), "_bit_generator", None)
    if generator is None or getattr(generator, "_seed_seq", None) is not None:
        numpy_random.seed()
