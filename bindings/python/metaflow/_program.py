"""A flow class as the engine takes it: its description, and the functions behind it."""

from __future__ import annotations

import binascii
import ctypes
import gc
import json
import os
import pickle
import sys
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence

from . import _engine, _process
from ._customisation import Customisation
from ._exit_hooks import ExitHooks
from ._graph import Node, node_of, steps_of
from ._neighbours import tell_of_neighbours
from ._pickling import pickle_pieces, type_text
from ._project import Project
from ._spin import take_replacements, without_decorators
from ._triggers import require_valid_triggers
from ._unavailable import refuse_unavailable, tell_what_is_not_done
from .decorators import StepDecorator, attach_decospecs, flow_decorators_of
from .exception import MetaflowException, current_traceback
from .flowspec import FlowSpec
from .metaflow_current import current
from .parameters import (
    NOT_PARAMETERS,
    BadParameterValue,
    Parameter,
    ParameterContext,
    flag_options,
    is_declaration,
    parameters_of,
    require_usable,
)

_USAGE_EXIT = 2
_EXECUTING = ("run", "resume", "spin")


def run_command_line(flow: FlowSpec) -> int:
    """Does what the words behind the script ask for; returns the exit code."""
    try:
        return Program(flow).run(sys.argv)
    except MetaflowException as error:
        if error.headline == "Usage":
            print(f"Usage: {sys.argv[0]} [OPTIONS] COMMAND [ARGUMENTS]...\n\nError: {error.message}", file=sys.stderr)
            return _USAGE_EXIT
        _print_error_block(error)
    except _engine.LibraryError as error:
        print(error, file=sys.stderr)
    return 1


def _print_error_block(error: MetaflowException) -> None:
    from ._task import headline_of

    lines = "\n".join("    " + line for line in str(error.message).split("\n"))
    print(f"    {headline_of(error)}:\n{lines}\n", file=sys.stderr)


class Program:
    """One flow, for as long as its command line runs."""

    def __init__(self, flow: FlowSpec) -> None:
        self._flow = flow
        self._class = type(flow)
        self._customisation = Customisation(self._class, sys.argv)
        functions = steps_of(self._class)
        self._nodes: List[Node] = [node_of(name, function) for name, function in functions.items()]
        self._functions = functions
        self._parameters: Dict[str, Parameter] = parameters_of(self._class)
        require_usable(self._parameters)
        self._parameter_list: List[Parameter] = list(self._parameters.values())
        self._constants = {**constants_of(self._class), **self._customisation.constants}
        self._project = Project(flow_decorators_of(self._class))
        self._decorators: Dict[str, List[StepDecorator]] = {
            name: list(function.decorators) for name, function in functions.items()
        }
        self._is_forked = False
        self._is_prepared = False
        self._replacements: Dict[str, Any] = {}

    def run(self, argv: Sequence[str]) -> int:
        """The whole command line; `argv` as sys.argv has it."""
        _process.flush()  # the engine writes past these streams
        hooks = ExitHooks(self._class, argv)
        plain, self._replacements = take_replacements([*self._plain_words(argv), *hooks.more_words()])
        words = [word.encode("utf-8", "surrogateescape") for word in plain]
        described = json.dumps(self.description(announce=True)).encode()
        functions = self._engine_functions()
        handle = _engine.make("metaflow_flow_new", described, ctypes.byref(functions), None)
        _process.remember_signals()
        gc.freeze()  # forked tasks share what is there already
        try:
            arguments = (ctypes.c_char_p * (len(words) + 1))(*words, None)
            code: int = _engine.library().metaflow_flow_command_line(handle, len(words), arguments)
            hooks.call(succeeded=code == 0)
            return code
        finally:
            _engine.library().metaflow_flow_free(handle)

    def description(self, announce: bool = False) -> Dict[str, Any]:
        """The flow as it is now, with all decorators that are attached."""
        described = {
            "name": self._class.__name__,
            "documentation": (self._class.__doc__ or "") if self._class.__doc__ != FlowSpec.__doc__ else "",
            "source_file": _source_file(self._class),
            "steps": [self._describe_step(node) for node in self._nodes],
            "parameters": [each.description(name) for name, each in self._parameters.items()],
            "constants": [_describe_constant(name, value) for name, value in self._constants.items()],
            "options": [*self._customisation.options(), *self._project.options()],
            "system_tags": [f"python_version:{sys.version.split()[0]}", *self._project.system_tags()],
            "command": command_of_a_fresh_process(),
            "script": sys.argv[0],
            "interrupts_itself": True,
            "isolation": "fork",
        }
        reason = reason_not_to_fork()
        if reason:
            described["isolation"] = "spawn"
            if announce:
                print(f"Tasks start as fresh processes (--isolation spawn), as {reason}.", file=sys.stderr)
        return described

    def _describe_step(self, node: Node) -> Dict[str, Any]:
        function = self._functions[node.name]
        decorators = [each.description() for each in self._decorators[node.name]]
        if any(each["name"] == "pytorch_parallel" for each in decorators):
            decorators.append({"name": "parallel", "attributes": {}, "static": True})
        return {
            "name": node.name,
            "takes": "branches" if node.is_join else "nothing",
            "argument_count": node.argument_count,
            "transition": node.transition,
            "next": node.next,
            "foreach_artifact": node.foreach_artifact,
            "condition": node.condition,
            "cases": node.cases,
            "num_parallel": node.num_parallel,
            "start": function.marked_start,
            "end": function.marked_end,
            "documentation": node.documentation,
            "source_file": os.path.abspath(node.source_file),  # noqa: PTH100
            "line": node.line,
            "transition_line": node.next_line if node.transition != "none" else 0,
            "decorators": decorators,
        }

    def _plain_words(self, argv: Sequence[str]) -> List[str]:
        """Options that may stand alone get the value they stand for."""
        flags = flag_options(self._parameters)
        words: List[str] = []
        for i, word in enumerate(argv):
            words.append(word)
            has_value = i + 1 < len(argv) and not argv[i + 1].startswith("--")
            if word in flags and not has_value:
                words.append("True")
        return words

    # --- What the engine calls ---------------------------------------------------------------------------------------------------

    def _engine_functions(self) -> _engine.FlowFunctions:
        return _engine.FlowFunctions(
            ctypes.sizeof(_engine.FlowFunctions),
            _engine.Configure(self._configure),
            _engine.ParseParameter(self._parse_parameter),
            _engine.DefaultParameter(self._default_parameter),
            _engine.RunStep(self._run_step),
            _engine.ForkProcess(self._fork_process),
            _engine.LeaveProcess(self._leave_process),
        )

    def _configure(self, _: Any, choices_json: bytes, description: Any, error: Any) -> int:
        def configure() -> None:
            choices = json.loads(choices_json)
            require_valid_triggers(flow_decorators_of(self._class))
            attach_decospecs(self._decorators, choices["with"])
            self._customisation.mutate(self._decorators)
            self._project.choose(choices["options"])
            if choices["command"] in (*_EXECUTING, "step"):
                refuse_unavailable(self._class, self._decorators)
            if choices["command"] in _EXECUTING:
                tell_of_neighbours()
                tell_what_is_not_done(self._class, self._decorators)
            described = self.description()
            if choices["command"].startswith("package "):
                from ._code_package import code_of_the_script

                described["code"] = code_of_the_script()
            _engine.give_text(description, json.dumps(described))

        return _guarded(configure, error)

    def _parse_parameter(self, _: Any, index: int, text: bytes, pickled: Any, type_: Any, error: Any) -> int:
        def parse() -> None:
            _give_value(self._parameter_list[index].parse(text.decode()), pickled, type_)

        return _guarded(parse, error)

    def _default_parameter(self, _: Any, index: int, user: bytes, pickled: Any, type_: Any, error: Any) -> int:
        def default() -> None:
            parameter = self._parameter_list[index]
            if not parameter.has_default():
                return
            configs = self._customisation.values_by_name()
            context = ParameterContext(self._class.__name__, user.decode(), parameter.name, print, "local", configs)
            value = parameter.default_value(context)
            if value is not None:
                _give_value(value, pickled, type_)

        return _guarded(default, error)

    def _run_step(self, _: Any, index: int, task: int, error: Any) -> int:
        from ._task import Attempt, StepEnded

        def run() -> None:
            if self._is_forked:
                _process.become_task()
            else:
                _process.begin_task()
            node = self._nodes[index]
            decorators = {each.name: each.attributes for each in self._decorators[node.name]}
            attempt = Attempt(
                self._flow,
                node,
                task,
                read_only={**self._parameters, **self._constants, **self._customisation.configs},
                decorators=[] if without_decorators() else self._decorators[node.name],
                timeout=None if without_decorators() else _time_limit_of(decorators.get("timeout")),
                replacements=self._replacements,
            )
            self._project.add_to_current(current)
            if "card" in decorators:
                from .cards import CardCollector

                current._add("card", CardCollector())
            if any(each.name in ("trigger", "trigger_on_finish") for each in flow_decorators_of(self._class)):
                current._add("trigger", None)  # what a deployed run was started by
            attempt.run()

        try:
            return _guarded(run, error)
        except StepEnded as ended:
            _process.leave()
            os._exit(ended.code)

    def _fork_process(self, _: Any) -> int:
        try:
            self._prepare_fork()
            process = _process.fork()
        except OSError:
            return -1
        if process == 0:
            self._is_forked = True
        return process

    def _prepare_fork(self) -> None:
        if not self._is_forked:
            _process.flush()  # or the child would write it, too
        elif not self._is_prepared:
            _process.prepare_for_tasks()
            self._is_prepared = True

    def _leave_process(self, _: Any) -> None:
        try:
            _process.leave()
        except BaseException:
            print(current_traceback(), file=sys.stderr)


def _guarded(action: Callable[[], None], error: Any) -> int:
    """Status of an action that the engine asked for; its exception becomes the engine's error."""
    from ._task import StepEnded

    try:
        action()
    except StepEnded:
        raise
    except BadParameterValue as problem:
        return _engine.give_error(error, _engine.USAGE, str(problem.message))
    except _engine.EngineError as problem:
        return _engine.give_error(error, problem.status, str(problem.message), problem.headline)
    except MetaflowException as problem:
        return _engine.give_error(error, _engine.INVALID, str(problem), problem.headline)
    except BaseException:
        return _engine.give_error(error, _engine.INTERNAL, current_traceback())
    return _engine.OK


def _give_value(value: Any, pickled: Any, type_: Any) -> None:
    _engine.give_bytes(pickled, b"".join(pickle_pieces(value)))
    _engine.give_text(type_, type_text(value))


def _time_limit_of(attributes: Optional[Dict[str, Any]]) -> Optional[float]:
    if attributes is None:
        return None
    units = {"seconds": 1, "minutes": 60, "hours": 3600}
    return sum(float(attributes[name]) * factor for name, factor in units.items())


def constants_of(flow_class: Any) -> Dict[str, Any]:
    """Class attributes that are values: each run stores them once."""
    found: Dict[str, Any] = {}
    for name in dir(flow_class):
        if name.startswith("_") or name in NOT_PARAMETERS or hasattr(FlowSpec, name):
            continue
        value = getattr(flow_class, name)
        if not callable(value) and not is_declaration(value) and not isinstance(value, property):
            found[name] = value
    return found


def _describe_constant(name: str, value: Any) -> Dict[str, str]:
    try:
        pickled = b"".join(pickle_pieces(value))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise MetaflowException(
            f"The class attribute '{name}' of the flow cannot be stored: {error}. Give it a name that begins with '_', or "
            "move it out of the class."
        ) from None
    return {"name": name, "type": type_text(value), "pickle": binascii.b2a_base64(pickled, newline=False).decode()}


def command_of_a_fresh_process() -> List[str]:
    """What starts this program again, up to the script."""
    main = sys.modules.get("__main__")
    specification = getattr(main, "__spec__", None)
    if specification is not None and specification.name != "__main__":
        return [sys.executable, "-m", specification.name.replace(".__main__", "")]
    return [sys.executable, sys.argv[0]]


def reason_not_to_fork() -> Optional[str]:
    """Why tasks cannot be forks of this process, None when they can."""
    others = [each.name for each in threading.enumerate() if each is not threading.current_thread()]
    if others:
        return f"importing the flow left threads behind ({', '.join(others[:3])})"
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and getattr(cuda, "is_initialized", bool)():
        return "importing the flow initialised CUDA"
    return None


def _source_file(flow_class: Any) -> str:
    module = sys.modules.get(flow_class.__module__)
    return os.path.abspath(getattr(module, "__file__", None) or sys.argv[0])  # noqa: PTH100  # pathlib costs start-up time
