"""One task attempt: the flow object a body sees, and what is stored of it afterwards."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from types import FunctionType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from . import _engine, _process
from ._pickling import UnpicklableArtifactException, artifact_pieces, type_text, unpickled
from .decorators import StepDecorator
from .exception import (
    MetaflowException,
    MetaflowInternalError,
    stacktrace_of,
    type_name,
)
from .flowspec import EPHEMERAL, FlowSpec, ForeachFrame, Requested, item_of, static_attribute
from .metaflow_current import Parallel, current
from .parameters import is_declaration

if TYPE_CHECKING:
    from ._graph import Node

_PACKAGE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # pathlib would cost start-up time
_STORED_AT_ONCE = 64 * 1024 * 1024


class Source:
    """The artifacts that a finished task left."""

    def __init__(self, task: int, index: int) -> None:
        self._task = task
        self.index = index
        described = _engine.ask_json("metaflow_task_source", task, index)
        self.step_name: str = described["step_name"]
        self.frames = [_frame(frame) for frame in described["foreach_stack"]]
        self.artifacts: Dict[str, Dict[str, Any]] = described["artifacts"]

    def load(self, name: str) -> Any:
        stored = _engine.ask("metaflow_task_load", self._task, self.index, name.encode())
        return unpickled(stored)

    def load_item(self, name: str, index: int) -> Any:
        """One item of what can be looped over, without making the others where that is possible."""
        stored = _engine.ask_if_any("metaflow_task_load_item", self._task, self.index, name.encode(), index)
        return item_of(self.load(name), index) if stored is None else unpickled(stored)


def _frame(frame: Dict[str, Any]) -> ForeachFrame:
    return ForeachFrame(frame["step"], frame["variable"], frame.get("num_splits"), frame["index"], frame.get("value"))


class TaskData:
    """What stands behind the attributes of a flow object: for `self` what the task starts from, for an input what that task left."""

    def __init__(self, task: int, source: Source, step_name: str, frames: List[ForeachFrame], is_join: bool) -> None:
        self.step_name = step_name
        self.frames = frames
        self.is_join = is_join
        self.items: Dict[int, Any] = {}  #: of foreach frames, as far as asked for
        self.requested: Optional[Requested] = None
        self.taken_over: Dict[str, TaskData] = {}
        self.replacements: Dict[str, Any] = {}  #: values that stand in for stored ones
        self.source = source
        self._task = task
        self._constant_values: Dict[str, Any] = {}  #: parameters, as far as read

    def has(self, name: str) -> bool:
        return name in self.taken_over or name in self.source.artifacts or name in self.replacements

    def names(self) -> List[str]:
        return list(self.source.artifacts)

    def key(self, name: str) -> str:
        """Equal for equal values."""
        key: str = self.source.artifacts[name]["key"]
        return key

    def load(self, name: str) -> Any:
        if name in self.replacements:
            return self.replacements[name]
        other = self.taken_over.get(name)
        return self.source.load(name) if other is None else other.load(name)

    def load_item(self, name: str, index: int) -> Any:
        if name in self.replacements:
            return item_of(self.replacements[name], index)
        other = self.taken_over.get(name)
        return self.source.load_item(name, index) if other is None else other.load_item(name, index)

    def parameter(self, name: str, parameter: Any) -> Any:
        """The value of a parameter; one object, whoever asks."""
        if name not in self._constant_values:
            stored = self.load(name)
            replaced = name in self.replacements
            self._constant_values[name] = stored if replaced else parameter.value_in_task(stored, self._included_file)
        return self._constant_values[name]

    def take_over(self, name: str, other: TaskData) -> None:
        """From here `name` is what another task has under it."""
        _engine.perform("metaflow_task_pass", self._task, name.encode(), other.source.index, name.encode())
        self.taken_over[name] = other

    def _included_file(self, url: str) -> bytes:
        content = _engine.ask("metaflow_task_included_file", self._task, url.encode())
        return bytes(content.view())


class Inputs:
    """The tasks before a join: to be looped over, by number, or by the name of their step."""

    def __init__(self, flows: List[Any]) -> None:
        self._flows = flows
        for flow in flows:
            setattr(self, flow.__dict__["_datastore"].step_name, flow)

    def __getitem__(self, index: int) -> Any:
        return self._flows[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._flows)


class StepEnded(Exception):
    """The body left its process by sys.exit with a code that says failure."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Attempt:
    """Runs the body of one step, stores what it set, and tells the engine how it ended."""

    def __init__(
        self,
        flow: FlowSpec,
        node: Node,
        task: int,
        *,
        read_only: Dict[str, Any],
        decorators: Sequence[StepDecorator],
        timeout: Optional[float],
        replacements: Optional[Dict[str, Any]] = None,
    ) -> None:
        self._flow = flow
        self._node = node
        self._task = task
        self._decorators = decorators
        self._timeout = timeout
        described = _engine.ask_json("metaflow_task_current", task)
        self._described = described
        frames = [_frame(frame) for frame in described["foreach_stack"]]
        self._data = TaskData(task, Source(task, _engine.INHERITED), node.name, frames, node.is_join)
        self._data.replacements = self._replacements = replacements or {}
        flow.__dict__["_datastore"] = self._data
        self._make_read_only(read_only)
        self._begin_current(read_only)

    def run(self) -> None:
        """StepEnded when the process is to end with a code of the body's own."""
        process = os.getpid()
        failure: Optional[BaseException] = None
        try:
            with _time_limit(self._node.name, self._timeout):
                self._call_body()
            self._check_transition()
        except SystemExit as ended:
            code = _exit_code(ended)
            if code != 0:
                _end_if_forked(process, code)
                raise StepEnded(code) from None
            _end_if_forked(process, 0)
            failure = self._failure_of(self._check_transition)
        except BaseException as error:
            failure = error
        _end_if_forked(process, 0 if failure is None else 1)
        unstorable = self._failure_of(self._store)
        if failure is None:
            if isinstance(unstorable, _engine.EngineError):
                raise unstorable  # a full disk is no failure of the body
            failure = unstorable
        elif unstorable is not None:
            print(unstorable, file=sys.stderr)
        _process.flush()
        if failure is None:
            self._tell_transition()
        else:
            self._tell_failure(failure)

    # --- Before the body -------------------------------------------------------------------------------------------------------

    def _make_read_only(self, read_only: Dict[str, Any]) -> None:
        """Parameters and constants become properties of the class: this process runs this one task."""
        for name, value in read_only.items():
            setattr(type(self._flow), name, _read_only_property(name, value))

    def _begin_current(self, read_only: Dict[str, Any]) -> None:
        described = self._described
        current._begin(
            {
                "flow_name": described["flow_name"],
                "run_id": described["run_id"],
                "step_name": described["step_name"],
                "task_id": described["task_id"],
                "retry_count": described["retry_count"],
                "origin_run_id": described.get("origin_run_id"),
                "username": described["user_name"],
                "namespace": described.get("namespace") or None,
                "tags": described["tags"],
                "temporary_folder": lambda: _engine.ask("metaflow_task_temporary_folder", self._task).text(),
                "parameter_names": [name for name, value in read_only.items() if is_declaration(value)],
                "graph_info": lambda: self._data.load("_graph_info") if self._data.has("_graph_info") else None,
            }
        )
        place = described.get("parallel")
        if place:
            current._add(
                "parallel",
                Parallel(place["main_ip"], place["num_nodes"], place["node_index"], place["control_task_id"]),
            )

    def _call_body(self) -> None:
        body = getattr(self._flow, self._node.name)
        if f"{__package__}.user_decorators" in sys.modules:
            from .user_decorators import wrap_step

            body = wrap_step(body, self._decorators, self._go_on)
        if self._node.is_join:
            body(self._inputs())
        else:
            body()

    def _go_on(self, keywords: Mapping[str, Any]) -> None:
        """Makes the transition that the source of the step says, or one with these keywords, where its body did not make one."""
        node = self._node
        if self._data.requested is not None:
            if not keywords:
                return
            self._data.requested = None
        options = dict(keywords)
        if node.transition == "foreach" and not options:
            options["foreach"] = node.foreach_artifact
        if node.transition in ("parallel", "switch") and not options:
            raise MetaflowException(
                f"Step *{node.name}* was skipped, or its exception dealt with, by a decorator: that leaves open how it goes on. Let "
                "the decorator give keywords for self.next().",
            )
        if node.next:
            self._flow.next(*(getattr(self._flow, name) for name in node.next), **options)

    def _inputs(self) -> Inputs:
        count = _engine.library().metaflow_task_input_count(self._task)
        return Inputs([self._input(i) for i in range(count)])

    def _input(self, index: int) -> Any:
        kind = type(self._flow)
        flow = kind.__new__(kind)
        source = Source(self._task, index)
        data = TaskData(self._task, source, source.step_name, source.frames, False)
        data.replacements = self._replacements
        flow.__dict__["_datastore"] = data
        return flow

    # --- After the body --------------------------------------------------------------------------------------------------------

    @staticmethod
    def _failure_of(action: Callable[[], None]) -> Optional[BaseException]:
        try:
            action()
        except Exception as error:
            return error
        return None

    def _check_transition(self) -> None:
        """What was asked for has to be what is written."""
        node, requested = self._node, self._data.requested
        asked = requested.targets if requested else []
        if requested is not None and requested.is_switch:
            fits = node.transition == "switch" and asked[0] in node.next
        else:
            fits = node.transition != "switch" and asked == node.next
        if not fits:
            raise MetaflowInternalError(
                f"Step *{node.name}* went on to {_names(asked)}, but its source says {_names(node.next)}: self.next() has to be "
                "its last statement, and called once.",
                node.next_line,
                node.source_file,
            )

    def _store(self) -> None:
        """Stores each artifact; then raises what was wrong with the first one that cannot be."""
        problem: Optional[Exception] = None
        waiting: List[_engine.Pickled] = []
        size = 0
        for name, value in list(self._flow.__dict__.items()):
            if not self._is_artifact(name, value):
                continue
            try:
                pieces = artifact_pieces(name, value)
            except UnpicklableArtifactException as error:
                problem = problem or error
                continue
            waiting.append(_engine.Pickled(name, type_text(value), pieces))
            size += sum(memoryview(piece).nbytes for piece in pieces)
            if size > _STORED_AT_ONCE:
                _engine.store_artifacts(self._task, waiting)
                waiting, size = [], 0
        _engine.store_artifacts(self._task, waiting)
        if problem is not None:
            raise problem

    def _is_artifact(self, name: str, value: Any) -> bool:
        if (
            name.startswith("__")
            or name in EPHEMERAL
            or isinstance(value, (MethodType, FunctionType))
            or is_declaration(value)
        ):
            return False
        if isinstance(static_attribute(type(self._flow), name), property):
            return False
        # The engine gives the flow's name to every task that has no other.
        return name != "name" or value != type(self._flow).__name__ or "name" in self._data.source.artifacts

    def _tell_transition(self) -> None:
        requested = self._data.requested
        if requested is None:
            return
        engine = _engine.library()
        if requested.is_switch:
            engine.metaflow_task_choose(self._task, requested.targets[0].encode())
        elif requested.foreach_values is not None:
            import json

            _engine.perform("metaflow_task_foreach", self._task, json.dumps(requested.foreach_values).encode())
        elif requested.num_parallel is not None:
            engine.metaflow_task_parallel(self._task, requested.num_parallel)

    def _tell_failure(self, error: BaseException) -> None:
        error.__traceback__ = _without_package_frames(error.__traceback__)
        headline = None
        message = _words_of(error)
        if isinstance(error, MetaflowException) and not isinstance(error, _engine.EngineError):
            headline, message = headline_of(error), str(error.message)
        _engine.library().metaflow_task_fail(
            self._task,
            _engine.encoded(type_name(error)),
            _engine.encoded(message),
            _engine.encoded(stacktrace_of(error)),
            _engine.encoded(headline),
        )


def headline_of(error: MetaflowException) -> str:
    """With the place, as an error block shows it."""
    headline = error.headline
    if error.source_file:
        headline += f" in file {error.source_file}"
    if error.line_no:
        headline += f" on line {error.line_no}"
    return headline


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"  # as tracebacks have it


def _names(steps: List[str]) -> str:
    return " and ".join(steps) if steps else "no step"


def _read_only_property(name: str, value: Any) -> property:
    def read(flow: Any) -> Any:
        data: Optional[TaskData] = flow.__dict__.get("_datastore")
        if is_declaration(value) and data is not None:
            return data.parameter(name, value)
        return value

    def refuse(flow: Any, _: Any) -> None:
        raise AttributeError(
            f"'{name}' cannot be set: parameters and class attributes of a flow are the same for all of its steps"
        )

    return property(read, refuse)


def _exit_code(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code & 0xFF
    print(ended.code, file=sys.stderr)
    return 1


def _end_if_forked(process: int, code: int) -> None:
    """A body may fork, and its child come back from it: it is not the task, and leaves nothing."""
    if os.getpid() != process:
        _process.flush()
        os._exit(code)


def _without_package_frames(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """From the first frame that is the user's; all, if none is."""
    frame = traceback
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.tb_next
    return frame or traceback


@contextmanager
def _time_limit(step: str, seconds: Optional[float]) -> Iterator[None]:
    """Raises TimeoutException in what is inside, when it takes longer."""
    if not seconds:
        yield
        return
    from .plugins.timeout_decorator import TimeoutException

    def interrupt(*_: Any) -> None:
        raise TimeoutException(f"Step {step} timed out after {_duration(seconds)}.")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _duration(seconds: float) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(int(hours), "h"), (int(minutes), "min"), (round(rest, 3), "s")]
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number) or "0 s"
