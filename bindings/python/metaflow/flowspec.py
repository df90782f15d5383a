"""FlowSpec: what flows are derived from."""

from __future__ import annotations

import reprlib
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

from .exception import (
    MetaflowException,
    MissingInMergeArtifactsException,
    NotAvailableException,
    UnhandledInMergeArtifactsException,
)
from .unbounded_foreach import UnboundedForeachInput

if TYPE_CHECKING:
    from ._task import TaskData

#: Instance attributes that are never artifacts.
EPHEMERAL = frozenset(
    "_datastore _cached_input _graph _flow_state _steps index input _EPHEMERAL _NON_PARAMETERS".split()
)
#: Belongs to one task, whatever a join merges.
_NEVER_MERGED = frozenset(
    "_foreach_values _unbounded_foreach _control_mapper_tasks _control_task_is_mapper_zero _parallel_ubf_iter".split()
)
_GANG_VARIABLE = "_parallel_ubf_iter"
_LONGEST_INPUT = 20


class InvalidNextException(MetaflowException):
    """A call of self.next() that makes no transition; says where it stands."""

    headline = "Invalid self.next() transition detected"


class ForeachFrame(NamedTuple):
    """One foreach around a task."""

    step: str
    var: str
    num_splits: Optional[int]
    index: int  # type: ignore[assignment]  # hides tuple.index, as it does officially
    value: Optional[str]


class ParallelUBF(UnboundedForeachInput):
    """What the nodes of a gang loop over: the item of each node is its number."""

    def __init__(self, num_parallel: int) -> None:
        self.num_parallel = num_parallel

    def __getitem__(self, item: Optional[int]) -> int:
        return item or 0


class Requested(NamedTuple):
    """What a step asked for by self.next()."""

    targets: List[str]
    foreach: Optional[str] = None
    foreach_values: Optional[List[str]] = None
    num_parallel: Optional[int] = None
    is_switch: bool = False


def static_attribute(owner: type, name: str) -> Any:
    """What the class itself has under a name, None if nothing; properties are not asked for their value."""
    return next((vars(each)[name] for each in owner.__mro__ if name in vars(each)), None)


class FlowSpec:
    """Derive a class from this and mark its methods by @step; making an instance runs the command line.

    With `use_cli=False` nothing runs. In a step, attributes of `self` are artifacts: those of the step before are loaded when first
    read, and those that are set are stored when the step ends.
    """

    _flow_decorators: List[Any] = []
    _EPHEMERAL = EPHEMERAL

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._flow_decorators = []

    def __init__(self, use_cli: bool = True) -> None:
        self.name = type(self).__name__
        if use_cli:
            from ._program import run_command_line

            sys.exit(run_command_line(self))

    # --- What a step reads ---------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        data: Optional[TaskData] = self.__dict__.get("_datastore")
        if data is not None and not name.startswith("__") and name not in EPHEMERAL and data.has(name):
            value = data.load(name)
            self.__dict__[name] = value
            return value
        raise AttributeError(f"Flow {type(self).__name__} has no attribute '{name}'")

    @property
    def script_name(self) -> str:
        """File name of the flow."""
        file: str = getattr(sys.modules[type(self).__module__], "__file__", None) or sys.argv[0]
        return file.rpartition("/")[2].replace(".pyc", ".py")

    @property
    def index(self) -> Optional[int]:
        """Position in the innermost foreach, None outside of one."""
        frames = self._frames()
        return frames[-1].index if frames else None

    @property
    def input(self) -> Any:
        """Item of the innermost foreach; None outside of one, and where its artifact is not to be seen, as in a join."""
        return self._item(len(self._frames()) - 1)

    def foreach_stack(self) -> List[Tuple[int, Optional[int], Any]]:
        """For each foreach around the task, outermost first: index, number of splits, and item."""
        return [(frame.index, frame.num_splits, self._item(i)) for i, frame in enumerate(self._frames())]

    def __iter__(self) -> Iterator[Any]:
        from ._graph import steps_of

        return (getattr(self, name) for name in steps_of(type(self)))

    def __str__(self) -> str:
        data: Optional[TaskData] = self.__dict__.get("_datastore")
        if data is None:
            return f"<flow {type(self).__name__}>"
        place = f"<flow {type(self).__name__} step {data.step_name}"
        frames = self._frames()
        if not frames:
            return place + ">"
        place += f"[{','.join(str(frame.index) for frame in frames)}]"
        item = self.input
        if item is None:
            return place + ">"
        text = str(item)
        return f"{place} (input: {text[:_LONGEST_INPUT]}{'...' if len(text) > _LONGEST_INPUT else ''})>"

    def __getstate__(self) -> NoReturn:
        raise MetaflowException(
            "A flow cannot be stored: 'self' or one of the inputs of a join was assigned to an artifact, or is part of one. "
            "Store the values that are needed, such as 'input.x'."
        )

    def _frames(self) -> Sequence[ForeachFrame]:
        data: Optional[TaskData] = self.__dict__.get("_datastore")
        return data.frames if data is not None else ()

    def _item(self, level: int) -> Any:
        data: Optional[TaskData] = self.__dict__.get("_datastore")
        if data is None or not 0 <= level < len(data.frames):
            return None
        if level not in data.items:
            data.items[level] = self._find_item(data.frames[level])
        return data.items[level]

    def _find_item(self, frame: ForeachFrame) -> Any:
        data: TaskData = self.__dict__["_datastore"]
        # Not kept as an attribute: each of many tasks would pickle all items again to see whether they have changed.
        is_inherited = frame.var not in self.__dict__ and not hasattr(type(self), frame.var)
        if not is_inherited:
            return item_of(getattr(self, frame.var), frame.index)
        return data.load_item(frame.var, frame.index) if data.has(frame.var) else None

    # --- Joins ---------------------------------------------------------------------------------------------------------------

    def merge_artifacts(
        self, inputs: Any, exclude: Optional[Sequence[str]] = None, include: Optional[Sequence[str]] = None
    ) -> None:
        """Takes over what all branches have the same, or only some have; `include` alone, or all but `exclude`.

        UnhandledInMergeArtifactsException when branches differ in something that this step has not set,
        MissingInMergeArtifactsException when no branch has a name of `include`; then nothing is taken over.
        """
        data: Optional[TaskData] = self.__dict__.get("_datastore")
        if data is None or not data.is_join:
            raise MetaflowException("merge_artifacts can be called in a join step only.")
        if include and exclude:
            raise MetaflowException("merge_artifacts takes include or exclude, not both.")
        found, differing = self._mergeable(list(inputs), frozenset(exclude or ()), frozenset(include or ()))
        if differing:
            raise UnhandledInMergeArtifactsException(
                f"Step *{data.step_name}* cannot merge these artifacts, which its branches left different: "
                f"{', '.join(differing)}. Set each of them before merge_artifacts, or exclude it.",
                differing,
            )
        missing = [name for name in include or () if name not in found and not self._has_own(name)]
        if missing:
            raise MissingInMergeArtifactsException(
                f"No branch before step *{data.step_name}* has these artifacts: {', '.join(missing)}.", missing
            )
        for name, source in found.items():
            data.take_over(name, source)

    def _mergeable(
        self, inputs: List[Any], exclude: "frozenset[str]", include: "frozenset[str]"
    ) -> Tuple[Dict[str, TaskData], List[str]]:
        """Names with the branch that has them, and names that differ."""
        found: Dict[str, TaskData] = {}
        differing: List[str] = []
        for branch in inputs:
            source: TaskData = branch.__dict__["_datastore"]
            for name in source.names():
                is_wanted = name in include if include else name not in exclude and name not in _NEVER_MERGED
                if not is_wanted or self._has_own(name) or self._is_internal(name):
                    continue
                known = found.setdefault(name, source)
                if known.key(name) != source.key(name) and name not in differing:
                    differing.append(name)
        return found, differing

    def _has_own(self, name: str) -> bool:
        """As hasattr, without loading it."""
        data: TaskData = self.__dict__["_datastore"]
        return name in self.__dict__ or data.has(name) or any(name in vars(each) for each in type(self).__mro__)

    @staticmethod
    def _is_internal(name: str) -> bool:
        return name in _SET_BY_ENGINE

    # --- The end of a step -----------------------------------------------------------------------------------------------------

    def next(self, *targets: Any, **options: Any) -> None:
        """Says what comes next; the last statement of every step but the terminal one.

        `self.next(self.a)`, `self.next(self.a, self.b)`, `self.next(self.a, foreach="items")`,
        `self.next(self.a, num_parallel=4)` or `self.next({"x": self.a, "y": self.b}, condition="kind")`.
        """
        data: Optional[TaskData] = self.__dict__.get("_datastore")
        caller = sys._getframe(1)
        try:
            if data is None:
                raise InvalidNextException("self.next() can be called in a step only.")
            if data.requested is not None:
                raise InvalidNextException(f"Step *{data.step_name}* has called self.next() already; call it once.")
            data.requested = self._request(data.step_name, targets, options)
        except InvalidNextException as error:
            error.line_no, error.source_file = caller.f_lineno, caller.f_code.co_filename
            raise

    def _request(self, step: str, targets: Tuple[Any, ...], options: Dict[str, Any]) -> Requested:
        foreach = options.pop("foreach", None)
        num_parallel = options.pop("num_parallel", None)
        condition = options.pop("condition", None)
        if options:
            raise InvalidNextException(
                f"Step *{step}* passes '{next(iter(options))}' to self.next(), which takes foreach, num_parallel and "
                "condition only."
            )
        if sum(option is not None for option in (foreach, num_parallel, condition)) > 1:
            raise InvalidNextException(f"Step *{step}* passes more than one of foreach, num_parallel and condition.")
        if condition is not None:
            return Requested([self._chosen(step, targets, condition)], is_switch=True)
        if any(isinstance(target, dict) for target in targets):
            raise InvalidNextException(f"Step *{step}* passes a dict of steps without condition='...'.")
        names = [self._step_name(step, target) for target in targets]
        if not names:
            raise InvalidNextException(f"Step *{step}* calls self.next() without a step to go to.")
        if foreach is not None:
            self._require_one(step, names, "foreach")
            return Requested(names, foreach, self._foreach_values(step, foreach))
        if num_parallel is not None:
            self._require_one(step, names, "num_parallel")
            if not isinstance(num_parallel, int) or num_parallel < 1:
                raise InvalidNextException(f"Step *{step}* asks for num_parallel={num_parallel!r}; it takes 1 or more.")
            return Requested(names, num_parallel=num_parallel)
        return Requested(names)

    def _step_name(self, step: str, target: Any) -> str:
        name = getattr(getattr(target, "__func__", target), "__name__", None)
        function = static_attribute(type(self), name) if isinstance(name, str) else None
        if not getattr(function, "is_step", False):
            raise InvalidNextException(
                f"Step *{step}* goes on to {name or repr(target)}, which is no step of {type(self).__name__}. Write it as "
                "self.name_of_the_step."
            )
        return str(name)

    @staticmethod
    def _require_one(step: str, names: List[str], option: str) -> None:
        if len(names) != 1:
            raise InvalidNextException(f"Step *{step}* passes {len(names)} steps with {option}, which takes one.")

    def _chosen(self, step: str, targets: Tuple[Any, ...], condition: Any) -> str:
        if len(targets) != 1 or not isinstance(targets[0], dict) or not targets[0]:
            raise InvalidNextException(f"Step *{step}* has a condition, so self.next() takes one dict of steps.")
        if not isinstance(condition, str):
            raise InvalidNextException(f"Step *{step}*: condition is the name of an artifact, as text.")
        cases = {key: self._step_name(step, target) for key, target in targets[0].items()}
        try:
            value = getattr(self, condition)
        except AttributeError:
            raise InvalidNextException(
                f"Step *{step}* chooses by self.{condition}, which does not exist. Set it before self.next()."
            ) from None
        if value not in cases:
            known = ", ".join(repr(key) for key in cases)
            raise RuntimeError(
                f"Step '{step}': self.{condition} is {value!r}, for which there is no case; there are: {known}."
            )
        return cases[value]

    def _foreach_values(self, step: str, foreach: Any) -> List[str]:
        """Display text of each item."""
        if not isinstance(foreach, str):
            raise InvalidNextException(f"Step *{step}*: foreach is the name of an artifact, as text.")
        try:
            items = getattr(self, foreach)
        except AttributeError:
            raise InvalidNextException(
                f"Step *{step}* loops over self.{foreach}, which does not exist. Set it before self.next()."
            ) from None
        if isinstance(items, UnboundedForeachInput):
            raise NotAvailableException(
                f"Step *{step}* loops over self.{foreach}, an unbounded foreach of its own kind, for which nothing starts tasks. "
                "Loop over a list, or let num_parallel start the tasks of a @parallel step."
            )
        show = _display_of_items()
        try:
            values = [show(item) for item in items]
        except TypeError:
            raise InvalidNextException(
                f"Step *{step}* loops over self.{foreach}, which is {type(items).__name__} and cannot be looped over."
            ) from None
        if not values:
            raise InvalidNextException(
                f"Step *{step}* loops over self.{foreach}, which has no items; it needs at least one."
            )
        return values


#: The engine gives these to every task.
_SET_BY_ENGINE = frozenset(
    "name _current_step _success _task_ok _exception _transition _foreach_stack _foreach_var _foreach_num_splits "
    "_iteration_stack _graph_info _configs_processed".split()
)


def item_of(items: Any, index: int) -> Any:
    """By its number, whether they can be indexed or only be looped over."""
    try:
        return items[index]
    except TypeError:
        return next(islice(items, index, None))


def _display_of_items() -> Callable[[Any], str]:
    """What makes the display text of an item: nothing is asked of the items where no texts are wanted."""
    from .metaflow_config import INCLUDE_FOREACH_STACK, MAXIMUM_FOREACH_VALUE_CHARS

    longest = MAXIMUM_FOREACH_VALUE_CHARS
    if not INCLUDE_FOREACH_STACK:
        return lambda _: ""
    short = reprlib.Repr()
    short.maxother = longest
    return lambda item: (str(item) if isinstance(item, (str, int, float)) else short.repr(item))[:longest]
