"""A flow program that runs as a process of its own: what it prints, the attributes it tells, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any, AsyncIterator, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

_SECONDS_TO_STOP = 2.0
_READ_AT_ONCE = 65536
STREAMS = ("stdout", "stderr")


class FlowProcess:
    """Started at once. Threads take what it prints, so that it never waits for a reader.

    May be used from several threads and event loops.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Optional[str],
        attribute_option: Callable[[str], Sequence[str]],
        show_output: bool,
    ) -> None:
        """`attribute_option` gives the words that make the program write its attributes to a path."""
        self._temporary_folder = tempfile.mkdtemp(prefix="metaflow-runner-")
        fifo = os.path.join(self._temporary_folder, "attributes")  # noqa: PTH118
        os.mkfifo(fifo, 0o600)
        # Open for both, so that neither this nor the program's own opening ever waits for the other side.
        self._fifo = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.command = [*command, *attribute_option(fifo)]
        self._show_output = show_output
        self._changed = threading.Condition()
        # These are guarded by _changed.
        self._text: Dict[str, str] = {stream: "" for stream in STREAMS}
        self._attributes: Optional[Dict[str, Any]] = None
        self._code: Optional[int] = None
        self._waiting: List[Tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]] = []
        try:
            self._process = subprocess.Popen(
                self.command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError:
            os.close(self._fifo)
            self._remove_folder()
            raise
        self._ended_read, self._ended_write = os.pipe()
        self._threads = [self._thread(self._read, stream) for stream in STREAMS] + [self._thread(self._read_attributes)]
        self._thread(self._watch)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> Optional[int]:
        """The exit code, negative for a signal; None while it runs."""
        with self._changed:
            return self._code

    @property
    def attributes(self) -> Optional[Dict[str, Any]]:
        """What it told of its run; None before."""
        with self._changed:
            return self._attributes

    def text(self, stream: str) -> str:
        """What it printed so far to `stdout` or `stderr`."""
        with self._changed:
            return self._text[stream]

    def knows(self) -> bool:
        """Whether it has told its attributes, or ended."""
        return self.attributes is not None or self.code is not None

    def wait(self, condition: Callable[[], bool], timeout: Optional[float] = None) -> bool:
        """Waits until a condition on this process holds; says whether it does."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
        return True

    async def wait_async(self, condition: Callable[[], bool], timeout: Optional[float] = None) -> bool:
        """The same for event loops."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            change = self._next_change()
            if condition():
                change.cancel()
                return True
            left = None if end is None else max(end - time.monotonic(), 0)
            done, _ = await asyncio.wait([change], timeout=left)
            if not done:
                change.cancel()
                return condition()

    async def lines(self, stream: str, position: int = 0) -> AsyncIterator[Tuple[int, str]]:
        """Lines from a position on, each with the position after it, until the process ends."""
        while True:
            text = self.text(stream)
            end = text.find("\n", position)
            if end >= 0:
                line, position = text[position:end], end + 1
                yield position, line
            elif self.code is not None:
                text = self.text(stream)
                if "\n" not in text[position:]:
                    if text[position:]:
                        yield len(text), text[position:]
                    return
            else:
                await self._more_than(len(text), stream)

    async def _more_than(self, known: int, stream: str) -> None:
        await self.wait_async(lambda: self.code is not None or len(self.text(stream)) > known)

    def interrupt(self) -> None:
        """Asks it to stop, as Ctrl-C does."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Ends it with all that it started: asked first, and then by force."""
        self._signal(signal.SIGTERM)
        if not self.wait(lambda: self._code is not None, _SECONDS_TO_STOP):
            self._signal(signal.SIGKILL)

    def release(self) -> None:
        """Gives back what only a running process needs. One that still runs goes on."""
        self._remove_folder()

    # --- Threads ---------------------------------------------------------------------------------------------------------------

    def _thread(self, function: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=function, args=arguments, daemon=True, name="metaflow-runner")
        thread.start()
        return thread

    def _read(self, stream: str) -> None:
        source: IO[bytes] = getattr(self._process, stream)
        shown = getattr(sys, stream)
        decoder = _decoder()
        while True:
            data = os.read(source.fileno(), _READ_AT_ONCE)
            text = decoder(data, not data)
            with self._changed:
                self._text[stream] += text
                self._tell()
            if self._show_output and text:
                print(text, end="", file=shown, flush=True)
            if not data:
                source.close()
                return

    def _read_attributes(self) -> None:
        content = b""
        while True:
            ready, _, _ = select.select([self._fifo, self._ended_read], [], [])
            if self._fifo in ready:
                content += os.read(self._fifo, _READ_AT_ONCE)
                attributes = _json_or_none(content)
                if attributes is not None:
                    with self._changed:
                        self._attributes = attributes
                        self._tell()
                    break
            elif self._ended_read in ready:
                break
        os.close(self._fifo)

    def _watch(self) -> None:
        code = self._process.wait()
        os.write(self._ended_write, b"x")
        for thread in self._threads:
            thread.join(_SECONDS_TO_STOP)  # what outlives the process may hold its pipes open
        self._remove_folder()  # nobody need call cleanup() for it
        with self._changed:
            self._code = code
            self._tell()
        self._threads[-1].join()
        os.close(self._ended_read)
        os.close(self._ended_write)

    def _tell(self) -> None:
        self._changed.notify_all()
        for loop, future in self._waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, future)
        self._waiting.clear()

    def _next_change(self) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._changed:
            self._waiting.append((loop, future))
        return future

    def _signal(self, number: int) -> None:
        if self.code is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return

    def _remove_folder(self) -> None:
        shutil.rmtree(self._temporary_folder, ignore_errors=True)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _decoder() -> Callable[[bytes, bool], str]:
    import codecs

    return codecs.getincrementaldecoder("utf-8")("replace").decode


def _json_or_none(content: bytes) -> Optional[Dict[str, Any]]:
    """None while the text is not all there."""
    try:
        found: Dict[str, Any] = json.loads(content)
    except ValueError:
        return None
    return found


def environment_of(env: Optional[Mapping[str, str]], profile: Optional[str]) -> Dict[str, str]:
    """That of this process with some variables replaced."""
    found = {**os.environ, **(env or {})}
    if profile:
        found["METAFLOW_PROFILE"] = profile
    return found


def flow_file_path(flow_file: str, cwd: Optional[str]) -> str:
    """The absolute path of a flow's file. FileNotFoundError when there is none."""
    path = Path(cwd or ".") / Path(flow_file).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"There is no flow file '{path.absolute()}'.")
    return str(path.absolute())
