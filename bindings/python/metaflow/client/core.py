"""Flows, runs, steps, tasks and artifacts as objects.

Everything here is a cheap handle: what may still change is asked anew each time.
"""

from __future__ import annotations

import json
from collections import namedtuple
from datetime import datetime
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Type, Union

from ..exception import MetaflowInvalidPathspec, MetaflowNamespaceMismatch, MetaflowNotFound, MetaflowTaggingError
from . import settings
from .code import MetaflowCode
from .records import LATEST, Records
from .trigger import Trigger

_PARAMETERS = "_parameters"
_MOST_ATTEMPTS = 6
#: Metadata whose values are no texts.
_NO_TEXTS = ("foreach-stack", "parallel-world-size")


class Metadata(NamedTuple):
    """One thing recorded about a task; `created_at` in milliseconds."""

    name: str
    value: Any
    created_at: int
    type: str
    task: Task


class Metaflow:
    """All flows in the namespace, to be looped over, or by name."""

    def __init__(self, _current_metadata: Optional[str] = None) -> None:
        self._metadata = _current_metadata or settings.get_metadata()

    @property
    def flows(self) -> List[Flow]:
        return list(self)

    def __iter__(self) -> Iterator[Flow]:
        names = settings.records(self._metadata, settings.get_namespace()).children("")
        return (Flow(name, _current_metadata=self._metadata) for name in names)

    def __getitem__(self, name: str) -> Flow:
        return Flow(name, _current_metadata=self._metadata)

    def __contains__(self, name: object) -> bool:
        try:
            Flow(str(name), _current_metadata=self._metadata)
        except (MetaflowNotFound, MetaflowNamespaceMismatch, MetaflowInvalidPathspec):
            return False
        return True

    def __repr__(self) -> str:
        return "Metaflow()"


class MetaflowObject:
    """What flows, runs, steps, tasks and artifacts have in common.

    Made by its pathspec. MetaflowInvalidPathspec when that is none of this kind, MetaflowNotFound when there is no such object,
    MetaflowNamespaceMismatch when it is in another namespace. Loops over what lies below it, newest first; `object["id"]` is one of these,
    KeyError without it.
    """

    _FORM: List[str] = []
    _child: Optional[Type[MetaflowObject]] = None

    def __init__(
        self,
        pathspec: str,
        attempt: Optional[int] = None,
        _namespace_check: bool = True,
        _current_metadata: Optional[str] = None,
    ) -> None:
        self._pathspec = pathspec
        self._attempt = attempt
        self._is_checked = _namespace_check
        self._metadata = _current_metadata or settings.get_metadata()
        self._check_pathspec()
        self._check_attempt()
        self._described()

    def _check_pathspec(self) -> None:
        parts = self._pathspec.split("/") if isinstance(self._pathspec, str) else []
        if len(parts) != len(self._FORM) or not all(parts):
            raise MetaflowInvalidPathspec(
                f"{type(self).__name__} takes a pathspec '{'/'.join(self._FORM)}', not {self._pathspec!r}."
            )

    def _check_attempt(self) -> None:
        if self._attempt is None:
            return
        if not isinstance(self, (Task, DataArtifact)):
            raise MetaflowNotFound(f"A {type(self).__name__} has no attempts: tasks and artifacts have.")
        if not 0 <= self._attempt < _MOST_ATTEMPTS:
            raise MetaflowNotFound(
                f"Attempts are numbered from 0 to {_MOST_ATTEMPTS - 1}; there is no {self._attempt}."
            )

    # --- Names ---------------------------------------------------------------------------------------------------------------

    @property
    def pathspec(self) -> str:
        return self._pathspec

    @property
    def path_components(self) -> List[str]:
        return self._pathspec.split("/")

    @property
    def id(self) -> str:
        """The last part of the pathspec."""
        return self.path_components[-1]

    @property
    def parent(self) -> Optional[MetaflowObject]:
        """What it lies in; None for flows."""
        kind = _KINDS.get(len(self._FORM) - 1)
        if kind is None:
            return None
        attempt = self._attempt if kind is Task else None
        parent: MetaflowObject = self._made(kind, "/".join(self.path_components[:-1]), attempt)
        return parent

    def __repr__(self) -> str:
        attempt = "" if self._attempt is None else f", attempt={self._attempt}"
        return f"{type(self).__name__}('{self._pathspec}'{attempt})"

    def __reduce__(self) -> Any:
        return _restored, (type(self).__name__, self._pathspec, self._attempt, self._is_checked, self._metadata)

    # --- What is recorded ------------------------------------------------------------------------------------------------------

    @property
    def tags(self) -> FrozenSet[str]:
        """All tags; those of a run are those of all that lies in it."""
        return self.user_tags | self.system_tags

    @property
    def user_tags(self) -> FrozenSet[str]:
        return frozenset(self._described().get("user_tags", ()))

    @property
    def system_tags(self) -> FrozenSet[str]:
        return frozenset(self._described().get("system_tags", ()))

    @property
    def created_at(self) -> datetime:
        return datetime.fromtimestamp(self._described()["created_at"] / 1000)

    @property
    def origin_pathspec(self) -> Optional[str]:
        """What `resume` took it over from; None when it did not."""
        found: Optional[str] = self._described().get("origin_pathspec")
        return found

    def is_in_namespace(self) -> bool:
        """Whether the namespace in force sees it."""
        try:
            settings.records(self._metadata, settings.get_namespace()).describe(self._pathspec, self._number())
        except MetaflowNamespaceMismatch:
            return False
        return True

    # --- What lies below ---------------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        return self._children()

    def __getitem__(self, id: str) -> Any:
        if self._child is None or not isinstance(id, str) or not id or "/" in id:
            raise KeyError(id)
        try:
            return self._made(self._child, f"{self._pathspec}/{id}", self._attempt)
        except (MetaflowNotFound, MetaflowNamespaceMismatch):
            raise KeyError(id) from None

    def __contains__(self, id: object) -> bool:
        try:
            self[str(id)]
        except KeyError:
            return False
        return True

    def _children(self, *tags: str) -> Iterator[Any]:
        if self._child is None:
            return iter(())
        child = self._child
        ids = self._records().children(self._pathspec, self._number(), tags)
        return (self._listed(child, f"{self._pathspec}/{id}") for id in ids)

    def _listed(self, kind: Type[MetaflowObject], pathspec: str) -> Any:
        """What the records have just named, and so is not looked up again: a run may have thousands of tasks."""
        listed = kind.__new__(kind)
        listed._pathspec, listed._attempt = pathspec, self._attempt
        listed._is_checked, listed._metadata = self._is_checked, self._metadata
        return listed

    def _made(self, kind: Type[MetaflowObject], pathspec: str, attempt: Optional[int] = None) -> Any:
        return kind(pathspec, attempt, self._is_checked, self._metadata)

    def _number(self) -> int:
        return LATEST if self._attempt is None else self._attempt

    def _records(self) -> Records:
        return settings.records(self._metadata, settings.get_namespace() if self._is_checked else None)

    def _described(self) -> Dict[str, Any]:
        return self._records().describe(self._pathspec, self._number())


class DataArtifact(MetaflowObject):
    """One value that a task left."""

    _FORM = ["FlowName", "RunID", "StepName", "TaskID", "ArtifactName"]

    @property
    def data(self) -> Any:
        """The value; of an include file its content."""
        return self._records().artifact(self._pathspec, self._number())

    @property
    def size(self) -> Optional[int]:
        """Bytes of the value as it is pickled; None where that is not recorded."""
        size: Optional[int] = self._described()["size"]
        return size

    @property
    def sha(self) -> str:
        """Equal for equal values of a flow."""
        sha: str = self._described()["sha"]
        return sha

    @property
    def finished_at(self) -> Optional[datetime]:
        """When its attempt ended."""
        return _time_or_none(self._described()["finished_at"])


class MetaflowData:
    """The artifacts of a task as attributes, loaded when first read: `task.data.x`."""

    def __init__(self, artifacts: Iterable[DataArtifact]) -> None:
        self._artifacts = {artifact.id: artifact for artifact in artifacts}

    def __getattr__(self, name: str) -> Any:
        artifacts = self.__dict__.get("_artifacts", {})
        if name not in artifacts:
            raise AttributeError(name)
        return artifacts[name].data

    def __contains__(self, name: object) -> bool:
        return name in self._artifacts

    def __dir__(self) -> List[str]:
        return sorted({*super().__dir__(), *self._artifacts})

    def __repr__(self) -> str:
        return f"<MetaflowData: {', '.join(self._artifacts)}>"


class Task(MetaflowObject):
    """One execution of a step; with `attempt`, as that attempt left it. Loops over its artifacts, without private ones."""

    _FORM = ["FlowName", "RunID", "StepName", "TaskID"]
    _child = DataArtifact

    def __iter__(self) -> Iterator[DataArtifact]:
        return (artifact for artifact in self._children() if not artifact.id.startswith("_"))

    @property
    def artifacts(self) -> Any:
        """The public artifacts as a named tuple of DataArtifact."""
        found = list(self)
        return namedtuple("MetaflowArtifacts", [each.id for each in found])(*found)

    @property
    def data(self) -> MetaflowData:
        """The values of the public artifacts."""
        return MetaflowData(self)

    @property
    def successful(self) -> bool:
        """Whether its body ended well, and not by an exception that @catch took."""
        return bool(self._described()["successful"])

    @property
    def finished(self) -> bool:
        """Whether it ended well, or by an exception that @catch took."""
        return bool(self._described()["finished"])

    @property
    def finished_at(self) -> Optional[datetime]:
        """When its attempt ended, well or not; None before."""
        return _time_or_none(self._described()["finished_at"])

    @property
    def exception(self) -> Any:
        """What its body was ended by: a MetaflowExceptionWrapper; None when it ended well."""
        try:
            return self["_exception"].data
        except KeyError:
            return None

    @property
    def index(self) -> Optional[int]:
        """Position in the innermost foreach, None outside of one."""
        index: Optional[int] = self._described()["index"]
        return index

    @property
    def current_attempt(self) -> int:
        """Number of the attempt that this object shows: the latest one, or that which was asked for."""
        attempt: int = self._described()["attempt"]
        return attempt

    @property
    def metadata(self) -> List[Metadata]:
        """All that is recorded about it; of a task that `resume` took over, with what the original recorded."""
        return [
            Metadata(each["name"], _metadata_value(each), each["created_at"], each["type"], self)
            for each in self._described()["metadata"]
        ]

    @property
    def metadata_dict(self) -> Dict[str, Any]:
        """The newest value of each name."""
        return {each.name: each.value for each in sorted(self.metadata, key=lambda each: each.created_at)}

    @property
    def runtime_name(self) -> Optional[str]:
        """What ran it: `dev` on a laptop."""
        name: Optional[str] = self._described()["runtime_name"]
        return name

    @property
    def stdout(self) -> str:
        """What it printed so far."""
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        return self._text("stderr")

    @property
    def stdout_size(self) -> int:
        """Bytes stored for it, which is more than the text has."""
        return int(self._described()["stdout_size"] or 0)

    @property
    def stderr_size(self) -> int:
        return int(self._described()["stderr_size"] or 0)

    def loglines(
        self, stream: str, as_unicode: bool = True, meta_dict: Optional[Dict[str, Any]] = None
    ) -> Iterator[Tuple[Optional[datetime], Union[str, bytes]]]:
        """Time and text of each line printed to `stdout` or `stderr`."""
        for time, text in self._lines(stream):
            yield None if time is None else datetime.fromtimestamp(time / 1e6), text if as_unicode else text.encode()

    @property
    def code(self) -> Optional[MetaflowCode]:
        """The code package it was run from, None when there was none."""
        description = self._described()["code"]
        return MetaflowCode(self.path_components[0], description) if description else None

    @property
    def environment_info(self) -> Optional[Dict[str, Any]]:
        """What its code package says of where it was made; None without one."""
        code = self.code
        return code.info if code else None

    @property
    def parent_task_pathspecs(self) -> Iterator[str]:
        """Pathspecs of the tasks that led to this one."""
        return iter(self._records().related(self._pathspec, "parents"))

    @property
    def child_task_pathspecs(self) -> Iterator[str]:
        """Pathspecs of the tasks that this one led to."""
        return iter(self._records().related(self._pathspec, "children"))

    @property
    def parent_tasks(self) -> Iterator[Task]:
        return (self._made(Task, pathspec) for pathspec in self.parent_task_pathspecs)

    @property
    def child_tasks(self) -> Iterator[Task]:
        return (self._made(Task, pathspec) for pathspec in self.child_task_pathspecs)

    def _text(self, stream: str) -> str:
        return "".join(f"{text}\n" for _, text in self._lines(stream))

    def _lines(self, stream: str) -> List[Tuple[Optional[int], str]]:
        if stream not in ("stdout", "stderr"):
            return []
        listed = self._records().log(self._pathspec, self._number(), stream)
        return [(line["time"], line["text"]) for line in listed]


class Step(MetaflowObject):
    """The tasks of one step of a run."""

    _FORM = ["FlowName", "RunID", "StepName"]
    _child = Task

    @property
    def origin_pathspec(self) -> Optional[str]:
        """The same step of the run that `resume` went on from; None when there is none."""
        run: Run = self._made(Run, "/".join(self.path_components[:-1]))
        origin = run.origin_pathspec
        return origin and f"{origin}/{self.id}"

    @property
    def task(self) -> Optional[Task]:
        """The newest one: of a step without foreach, the only one."""
        return next(iter(self), None)

    def tasks(self, *tags: str) -> Iterator[Task]:
        """Those that have all of these tags."""
        return (task for task in self if task.tags.issuperset(tags))

    def control_tasks(self, *tags: str) -> Iterator[Task]:
        """Those that lead a gang or an unbounded foreach."""
        return (task for task in self.tasks(*tags) if task._described()["is_control"])

    @property
    def control_task(self) -> Optional[Task]:
        """The newest of these."""
        return next(self.control_tasks(), None)

    @property
    def finished_at(self) -> Optional[datetime]:
        """When its last task ended; None while one has not."""
        times = [task.finished_at for task in self]
        known = [time for time in times if time is not None]
        return max(known) if times and len(known) == len(times) else None

    @property
    def environment_info(self) -> Optional[Dict[str, Any]]:
        """That of its newest task."""
        task = self.task
        return task.environment_info if task else None

    @property
    def parent_steps(self) -> Iterator[Step]:
        """Steps that led to this one."""
        return (self._made(Step, pathspec) for pathspec in self._records().related(self._pathspec, "parents"))

    @property
    def child_steps(self) -> Iterator[Step]:
        """Steps that this one led to."""
        return (self._made(Step, pathspec) for pathspec in self._records().related(self._pathspec, "children"))


class Run(MetaflowObject):
    """One execution of a flow. Loops over its steps; `_parameters`, which holds the parameters, is found by name only."""

    _FORM = ["FlowName", "RunID"]
    _child = Step

    def steps(self, *tags: str) -> Iterator[Step]:
        """Those that have all of these tags."""
        return (step for step in self if step.tags.issuperset(tags))

    @property
    def end_task(self) -> Optional[Task]:
        """The task of the terminal step, None while it has not started."""
        pathspec: Optional[str] = self._described()["end_task"]
        if pathspec is None:
            return None
        task: Task = self._made(Task, pathspec)
        return task

    @property
    def data(self) -> Optional[MetaflowData]:
        """What the terminal step left, None while it has not started."""
        task = self.end_task
        return task.data if task else None

    @property
    def successful(self) -> bool:
        """Whether the body of the terminal step ended well."""
        return bool(self._described()["successful"])

    @property
    def finished(self) -> bool:
        """Whether the terminal step ended well, or by an exception that @catch took."""
        return bool(self._described()["finished"])

    @property
    def finished_at(self) -> Optional[datetime]:
        """When the terminal step ended."""
        task = self.end_task
        return task.finished_at if task else None

    @property
    def code(self) -> Optional[MetaflowCode]:
        """The code package it was run from, None when there was none."""
        step: Optional[Step] = next(iter(self), None)
        return step.task.code if step and step.task else None

    @property
    def trigger(self) -> Optional[Trigger]:
        """What a deployed run was started by; None for others."""
        task = self._parameters_task()
        description = task.metadata_dict.get("execution-triggers") if task else None
        return Trigger(description) if description else None

    # --- Tags ------------------------------------------------------------------------------------------------------------------

    def add_tag(self, tag: str) -> None:
        """MetaflowTaggingError for what cannot be a tag. What the run has already is not added again."""
        self.replace_tags([], [tag] if isinstance(tag, str) else tag)

    def add_tags(self, tags: Iterable[str]) -> None:
        self.replace_tags([], tags)

    def remove_tag(self, tag: str) -> None:
        """MetaflowTaggingError for a system tag. What the run does not have is no mistake."""
        self.replace_tags([tag] if isinstance(tag, str) else tag, [])

    def remove_tags(self, tags: Iterable[str]) -> None:
        self.replace_tags(tags, [])

    def replace_tag(self, tag_to_remove: str, tag_to_add: str) -> None:
        """Both at once."""
        self.replace_tags(
            [tag_to_remove] if isinstance(tag_to_remove, str) else tag_to_remove,
            [tag_to_add] if isinstance(tag_to_add, str) else tag_to_add,
        )

    def replace_tags(self, tags_to_remove: Iterable[str], tags_to_add: Iterable[str]) -> None:
        """Both at once; no reader sees the one without the other."""
        removed, added = _tags(tags_to_remove), _tags(tags_to_add)
        if not removed and not added:
            raise MetaflowTaggingError("Name at least one tag to be added or removed.")
        self._records().change_tags(self._pathspec, removed, added)

    def _parameters_task(self) -> Optional[Task]:
        try:
            task: Optional[Task] = self[_PARAMETERS].task
        except KeyError:
            return None
        return task


class Flow(MetaflowObject):
    """All runs of one flow that the namespace sees."""

    _FORM = ["FlowName"]
    _child = Run

    @property
    def latest_run(self) -> Optional[Run]:
        return next(iter(self), None)

    @property
    def latest_successful_run(self) -> Optional[Run]:
        return next((run for run in self if run.successful), None)

    def runs(self, *tags: str) -> Iterator[Run]:
        """Those that have all of these tags, newest first."""
        return self._children(*tags)


_KINDS: Dict[int, Type[MetaflowObject]] = {len(kind._FORM): kind for kind in (Flow, Run, Step, Task, DataArtifact)}


def _restored(name: str, pathspec: str, attempt: Optional[int], is_checked: bool, metadata: str) -> MetaflowObject:
    """An object from its pickle, also where the namespace in force would not show it."""
    kind = next(each for each in _KINDS.values() if each.__name__ == name)
    made = kind(pathspec, attempt, False, metadata)
    made._is_checked = is_checked
    return made


def _tags(given: Any) -> List[str]:
    tags = [given] if isinstance(given, str) else given
    try:
        found = list(tags)
    except TypeError:
        raise MetaflowTaggingError(f"Tags are texts, not {tags!r}.") from None
    for tag in found:
        if not isinstance(tag, str):
            raise MetaflowTaggingError(f"A tag is a text, not {tag!r}.")
    return found


def _metadata_value(described: Dict[str, Any]) -> Any:
    """A text for nearly all; the engine tells the others as JSON."""
    value = described["value"]
    return json.loads(value) if described["name"] in _NO_TEXTS else value


def _time_or_none(milliseconds: Optional[int]) -> Optional[datetime]:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000)
