"""What the engine tells about runs."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .. import _engine
from .._pickling import unpickled
from ..exception import (
    MetaflowException,
    MetaflowInvalidPathspec,
    MetaflowNamespaceMismatch,
    MetaflowNotFound,
    MetaflowTaggingError,
)
from ..flowspec import ForeachFrame

LATEST = -1


def default_namespace_of_engine() -> Optional[str]:
    """Of who runs this program, in a task that of its run."""
    found: Optional[str] = _engine.ask_json("metaflow_client_default_namespace")
    return found


class _Unpickler(pickle.Unpickler):
    """Finds the class of foreach frames, which official Metaflow stores as one of the program that ran."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) == ("__main__", "ForeachFrame"):
            return ForeachFrame
        return super().find_class(module_name, global_name)


def _value_of(stored: _engine.EngineBuffer) -> Any:
    try:
        return unpickled(stored)
    except AttributeError:
        return _Unpickler(io.BytesIO(stored.view())).load()


class Records:
    """Runs below one folder, as one namespace sees them; `None` sees all. Safe to use from several threads.

    Pathspecs that do not exist raise MetaflowNotFound, those of another namespace MetaflowNamespaceMismatch, malformed ones
    MetaflowInvalidPathspec.
    """

    def __init__(self, place: Mapping[str, Any], namespace: Optional[str]) -> None:
        """`place` as metaflow_client_new() takes it."""
        self._namespace = namespace
        options = json.dumps({**place, "namespace": namespace}).encode()
        self._handle = _engine.make("metaflow_client_new", options)

    def __del__(self) -> None:
        handle = self.__dict__.get("_handle")
        if handle:
            _engine.library().metaflow_client_free(handle)

    def describe(self, pathspec: str, attempt: int = LATEST) -> Dict[str, Any]:
        """All that is known about an object."""
        described: Dict[str, Any] = self._ask("metaflow_client_object", pathspec, pathspec.encode(), attempt)
        return described

    def children(self, pathspec: str, attempt: int = LATEST, tags: Sequence[str] = ()) -> List[str]:
        """Ids of what lies below an object, newest first; of a flow the runs that have all of these tags."""
        wanted = json.dumps(list(tags)).encode() if tags else None
        found: List[str] = self._ask("metaflow_client_children", pathspec, pathspec.encode(), attempt, wanted)
        return found

    def artifact(self, pathspec: str, attempt: int = LATEST) -> Any:
        """The value of an artifact."""
        try:
            stored = _engine.ask("metaflow_client_artifact", self._handle, pathspec.encode(), attempt)
        except _engine.EngineError as error:
            raise self._meant(error, pathspec) from None
        return _value_of(stored)

    def log(self, pathspec: str, attempt: int, stream: str) -> List[Dict[str, Any]]:
        """What a task printed: `time` in microseconds or None, and `text`."""
        found: List[Dict[str, Any]] = self._ask(
            "metaflow_client_log", pathspec, pathspec.encode(), attempt, stream.encode()
        )
        return found

    def related(self, pathspec: str, relation: str) -> List[str]:
        """Pathspecs of `parents` or `children` in the flow's graph."""
        found: List[str] = self._ask("metaflow_client_related", pathspec, pathspec.encode(), relation.encode())
        return found

    def change_tags(self, pathspec: str, removed: Sequence[str], added: Sequence[str]) -> None:
        """Both at once. MetaflowTaggingError for tags that cannot be."""
        texts = [json.dumps(list(tags)).encode() for tags in (removed, added)]
        try:
            _engine.perform("metaflow_client_change_tags", self._handle, pathspec.encode(), *texts)
        except _engine.EngineError as error:
            if error.status == _engine.INVALID:
                raise MetaflowTaggingError(str(error.message)) from None
            raise self._meant(error, pathspec) from None

    def _ask(self, function: str, pathspec: str, *arguments: Any) -> Any:
        try:
            return _engine.ask_json(function, self._handle, *arguments)
        except _engine.EngineError as error:
            raise self._meant(error, pathspec) from None

    def _meant(self, error: _engine.EngineError, pathspec: str) -> MetaflowException:
        if error.status == _engine.NOT_FOUND:
            return MetaflowNotFound(f"'{pathspec}' does not exist: {error.message}")
        if error.status == _engine.DENIED:
            return MetaflowNamespaceMismatch(self._namespace)
        if error.status == _engine.INVALID:
            return MetaflowInvalidPathspec(str(error.message))
        return error
