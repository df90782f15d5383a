"""Runner: flows executed by a program, one process each."""

from __future__ import annotations

import importlib.util
import shlex
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, AsyncIterator, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from ..client import Run, Task
from ..flowspec import FlowSpec
from ..parameters import Parameter, parameters_of
from .process import STREAMS, FlowProcess, environment_of, flow_file_path
from .words import command_words, top_level_words

_Executing = TypeVar("_Executing", bound="ExecutingProcess")
_Runner = TypeVar("_Runner", bound="Runner")
_SECONDS_TO_STOP = 10.0


class ExecutingProcess:
    """A started command of a flow, running or ended."""

    def __init__(self, runner: Runner, process: FlowProcess) -> None:
        self.runner = runner
        self.command_obj = process
        self._timed_out = False

    @property
    def status(self) -> str:
        """`running`, `successful`, `failed`, or `timeout` when wait() ended it."""
        if self._timed_out:
            return "timeout"
        code = self.command_obj.code
        if code is None:
            return "running"
        return "successful" if code == 0 else "failed"

    @property
    def returncode(self) -> Optional[int]:
        """The exit code; None while it runs, and when wait() ended it."""
        return None if self._timed_out else self.command_obj.code

    @property
    def stdout(self) -> str:
        """What it printed so far."""
        return self.command_obj.text("stdout")

    @property
    def stderr(self) -> str:
        return self.command_obj.text("stderr")

    async def wait(self: _Executing, timeout: Optional[float] = None, stream: Optional[str] = None) -> _Executing:
        """Waits for the end, and prints what goes to `stream`, `stdout` or `stderr`, meanwhile. What has not ended after `timeout`
        seconds is killed, with all it started. Returns itself."""
        if stream is not None:
            _require_stream(stream)
        ended = await self._follow(timeout, stream)
        if not ended:
            self._timed_out = True
            print(
                f"Timeout: process {self.command_obj.pid} ({shlex.join(self.command_obj.command)}) did not end within "
                f"{timeout} seconds.",
                file=sys.stderr,
            )
            self.command_obj.kill()
        return self

    async def stream_log(self, stream: str, position: Optional[int] = None) -> AsyncIterator[Tuple[int, str]]:
        """Lines printed to `stdout` or `stderr`, each with the position from which the next call would go on; until the process
        ends."""
        _require_stream(stream)
        async for end, line in self.command_obj.lines(stream, position or 0):
            yield end, line

    async def _follow(self, timeout: Optional[float], stream: Optional[str]) -> bool:
        import asyncio

        async def print_lines() -> None:
            if stream is not None:
                async for _, line in self.command_obj.lines(stream):
                    print(line)

        printing = asyncio.ensure_future(print_lines())
        try:
            ended = await self.command_obj.wait_async(lambda: self.command_obj.code is not None, timeout)
            if ended:
                await printing
            return ended
        finally:
            printing.cancel()


class ExecutingRun(ExecutingProcess):
    """A run. `run` is the same to the client."""

    def __init__(self, runner: Runner, process: FlowProcess, run: Run) -> None:
        super().__init__(runner, process)
        self.run = run


class ExecutingTask(ExecutingProcess):
    """A step that is spun."""

    @property
    def task(self) -> Task:
        """Its task to the client. MetaflowNotFound in the moment before it is recorded."""
        told: Dict[str, Any] = self.command_obj.attributes or {}
        pathspec = "/".join(str(told[name]) for name in ("flow_name", "run_id", "step_name", "task_id"))
        return Task(pathspec, _namespace_check=False, _current_metadata=told.get("metadata"))


class Runner:
    """Executes the flow of a file.

    `profile`, `env` and `cwd` are for the processes. Other keywords are options before the command, by the names of their variables:
    `datastore_root`, `decospecs`, `config_value`. A run whose id is not known after `file_read_timeout` seconds is given up.
    """

    def __init__(
        self,
        flow_file: str,
        show_output: bool = True,
        profile: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
        cwd: Optional[str] = None,
        file_read_timeout: float = 3600,
        **kwargs: Any,
    ) -> None:
        self.flow_file = flow_file_path(flow_file, cwd)
        self.show_output = show_output
        self.env_vars = environment_of(env, profile)
        self.cwd = cwd
        self.file_read_timeout = file_read_timeout
        self.top_level_kwargs = kwargs
        self._top_level_words = top_level_words(kwargs)
        self._processes: List[FlowProcess] = []
        self._parameters: Optional[Dict[str, Parameter]] = None

    def run(self, **kwargs: Any) -> ExecutingRun:
        """Runs the flow to its end. Keywords are its parameters, and options such as `tags`, `decospecs` and `max_workers`.

        A run that fails is no error here: see its `status`. RuntimeError when none begins, ValueError and TypeError for keywords that
        cannot be. A KeyboardInterrupt stops the run.
        """
        return self._finished(self._run_of(self._begun("run", kwargs)))

    def resume(self, **kwargs: Any) -> ExecutingRun:
        """Resumes a run to its end; `step_to_rerun` and `origin_run_id` choose what. Otherwise as run()."""
        return self._finished(self._run_of(self._begun("resume", kwargs)))

    def spin(self, pathspec: str, **kwargs: Any) -> ExecutingTask:
        """Executes one step from what a task of an earlier run had. Otherwise as run()."""
        return self._finished(ExecutingTask(self, self._begun("spin", {"pathspec": pathspec, **kwargs})))

    async def async_run(self, **kwargs: Any) -> ExecutingRun:
        """As run(), but returns once the run has its id."""
        return self._run_of(await self._begun_async("run", kwargs))

    async def async_resume(self, **kwargs: Any) -> ExecutingRun:
        """As resume(), but returns once the run has its id."""
        return self._run_of(await self._begun_async("resume", kwargs))

    async def async_spin(self, pathspec: str, **kwargs: Any) -> ExecutingTask:
        """As spin(), but returns once the task has its id."""
        return ExecutingTask(self, await self._begun_async("spin", {"pathspec": pathspec, **kwargs}))

    def cleanup(self) -> None:
        """Gives back what was needed to start runs. Those that still run go on."""
        for process in self._processes:
            process.release()
        self._processes.clear()

    def __enter__(self: _Runner) -> _Runner:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.cleanup()

    async def __aenter__(self: _Runner) -> _Runner:
        return self

    async def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.cleanup()

    # --- Starting ----------------------------------------------------------------------------------------------------------------

    def _start(self, command: str, keywords: Mapping[str, Any]) -> FlowProcess:
        words = command_words(command, keywords, self._known_parameters)
        process = FlowProcess(
            [sys.executable, self.flow_file, *self._top_level_words, *words],
            self.env_vars,
            self.cwd,
            lambda path: ["--runner-attribute-file", path],
            self.show_output,
        )
        self._processes.append(process)
        return process

    def _begun(self, command: str, keywords: Mapping[str, Any]) -> FlowProcess:
        process = self._start(command, keywords)
        try:
            process.wait(process.knows, self.file_read_timeout)
        except KeyboardInterrupt:
            _stop(process)
            raise
        return self._checked(process)

    async def _begun_async(self, command: str, keywords: Mapping[str, Any]) -> FlowProcess:
        process = self._start(command, keywords)
        await process.wait_async(process.knows, self.file_read_timeout)
        return self._checked(process)

    def _checked(self, process: FlowProcess) -> FlowProcess:
        if process.attributes is not None:
            return process
        said = f"\n\nStdout:\n{process.text('stdout')}\n\nStderr:\n{process.text('stderr')}"
        if process.code is None:
            process.kill()
            raise TimeoutError(
                f"'{shlex.join(process.command)}' did not tell its run within {self.file_read_timeout} seconds.{said}"
            )
        raise RuntimeError(f"'{shlex.join(process.command)}' failed with exit code {process.code}.{said}")

    def _run_of(self, process: FlowProcess) -> ExecutingRun:
        told: Dict[str, Any] = process.attributes or {}
        run = Run(
            f"{told['flow_name']}/{told['run_id']}", _namespace_check=False, _current_metadata=told.get("metadata")
        )
        return ExecutingRun(self, process, run)

    @staticmethod
    def _finished(executing: _Executing) -> _Executing:
        process = executing.command_obj
        try:
            process.wait(lambda: process.code is not None)
        except KeyboardInterrupt:
            _stop(process)
            raise
        return executing

    def _known_parameters(self) -> Dict[str, Parameter]:
        if self._parameters is None:
            self._parameters = _parameters_in(self.flow_file, self._top_level_words)
        return self._parameters


def _stop(process: FlowProcess) -> None:
    """As Ctrl-C does, and by force when that takes long, or when Ctrl-C comes again."""
    process.interrupt()
    has_ended = False
    try:
        has_ended = process.wait(lambda: process.code is not None, _SECONDS_TO_STOP)
    finally:
        if not has_ended:
            process.kill()


def _require_stream(stream: str) -> None:
    if stream not in STREAMS:
        raise ValueError(f"There is no stream '{stream}': there are {' and '.join(STREAMS)}.")


def _parameters_in(flow_file: str, words: List[str]) -> Dict[str, Parameter]:
    """Of the flow that a file defines, which is imported for that."""
    from .._customisation import Customisation

    flow_class = _flow_class_in(flow_file)
    Customisation(flow_class, [flow_file, *words, "run"])
    return parameters_of(flow_class)


def _flow_class_in(flow_file: str) -> Type[FlowSpec]:
    name = f"metaflow_runner_{Path(flow_file).stem}_{uuid.uuid4().hex}"
    specification = importlib.util.spec_from_file_location(name, flow_file)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    sys.path.insert(0, str(Path(flow_file).parent))
    try:
        specification.loader.exec_module(module)
    finally:
        sys.path.remove(str(Path(flow_file).parent))
        del sys.modules[name]
    classes = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, FlowSpec) and each.__module__ == name
    ]
    if not classes:
        raise ValueError(f"The file '{flow_file}' defines no flow: a class derived from FlowSpec.")
    return classes[-1]
