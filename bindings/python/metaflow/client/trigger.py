"""What a deployed run was started by."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Iterator, List, NamedTuple, Optional

if TYPE_CHECKING:
    from .core import Run


class MetaflowEvent(NamedTuple):
    """An event that started a run; `type` is `run` for the end of another one, whose pathspec is `id`."""

    name: str
    id: str
    timestamp: datetime
    type: str


class Trigger:
    """The events that started a run, newest first; to be looped over, or by name."""

    def __init__(self, description: Any) -> None:
        listed = json.loads(description) if isinstance(description, str) else description
        events = [
            MetaflowEvent(
                each["name"], each["id"], datetime.fromtimestamp(int(each["timestamp"])), each.get("type", "event")
            )
            for each in listed
        ]
        self._events = sorted(events, key=lambda each: each.timestamp, reverse=True)

    @property
    def event(self) -> Optional[MetaflowEvent]:
        """The newest one."""
        return self._events[0] if self._events else None

    @property
    def events(self) -> List[MetaflowEvent]:
        return list(self._events)

    @property
    def run(self) -> Optional[Run]:
        """The newest run whose end started this one."""
        return next(self._runs(), None)

    @property
    def runs(self) -> List[Run]:
        return list(self._runs())

    def _runs(self) -> Iterator[Run]:
        from .core import Run

        return (Run(each.id, _namespace_check=False) for each in self._events if each.type == "run")

    def __iter__(self) -> Iterator[MetaflowEvent]:
        return iter(self._events)

    def __getitem__(self, name: str) -> MetaflowEvent:
        for each in self._events:
            if each.name == name:
                return each
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(each.name == name for each in self._events)

    def __repr__(self) -> str:
        return f"<Trigger: {', '.join(each.name for each in self._events)}>"
