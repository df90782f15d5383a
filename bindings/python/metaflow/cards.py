"""Components of cards. Cards are not rendered in this version: components can be made and added, so that flows run as they are."""

from __future__ import annotations

from typing import Any, Iterator


class MetaflowCardComponent:
    """A part of a card; takes whatever it is given."""

    def __init__(self, *_: Any, **__: Any) -> None:
        return

    def update(self, *_: Any, **__: Any) -> None:
        """Does nothing: there is no card to be changed."""

    def render(self) -> str:
        return ""


class MetaflowCard(MetaflowCardComponent):
    """A kind of card."""


class Artifact(MetaflowCardComponent):
    pass


class Table(MetaflowCardComponent):
    @classmethod
    def from_dataframe(cls, *_: Any, **__: Any) -> Table:
        return cls()


class Image(MetaflowCardComponent):
    @classmethod
    def from_matplotlib(cls, *_: Any, **__: Any) -> Image:
        return cls()

    @classmethod
    def from_pil_image(cls, *_: Any, **__: Any) -> Image:
        return cls()


class VegaChart(MetaflowCardComponent):
    @classmethod
    def from_altair_chart(cls, *_: Any, **__: Any) -> VegaChart:
        return cls()


class Error(MetaflowCardComponent):
    pass


class Markdown(MetaflowCardComponent):
    pass


class ProgressBar(MetaflowCardComponent):
    pass


class ValueBox(MetaflowCardComponent):
    pass


class PythonCode(MetaflowCardComponent):
    pass


class EventsTimeline(MetaflowCardComponent):
    pass


class JSONViewer(MetaflowCardComponent):
    pass


class YAMLViewer(MetaflowCardComponent):
    pass


class CardCollector:
    """`current.card`: components are taken, and forgotten."""

    def append(self, component: Any, id: Any = None) -> None:
        """Does nothing."""

    def extend(self, components: Any, id: Any = None) -> None:
        """Does nothing."""

    def clear(self) -> None:
        """Does nothing."""

    def refresh(self, *_: Any, **__: Any) -> None:
        """Does nothing."""

    def get(self, type: Any = None) -> Any:
        return []

    @property
    def components(self) -> Any:
        return {}

    def __getitem__(self, _: Any) -> CardCollector:
        return self

    def __setitem__(self, _: Any, __: Any) -> None:
        return

    def __iter__(self) -> Iterator[Any]:
        return iter(())
