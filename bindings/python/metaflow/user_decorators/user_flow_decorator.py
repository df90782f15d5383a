"""What users derive mutators of flows from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence, Type

from ..decorators import BadFlowDecoratorException, DuplicateFlowDecoratorException, FlowDecorator, flow_decorators_of

if TYPE_CHECKING:
    from .mutable_flow import MutableFlow


class FlowMutatorEntry(FlowDecorator):
    """A mutator among the decorators of a flow."""

    def __init__(
        self,
        kind: Type[FlowMutator],
        args: Sequence[Any] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
        inserted_by: Optional[str] = None,
    ) -> None:
        super().__init__(kind.decorator_name(), {"_args": list(args), **(kwargs or {})}, inserted_by=inserted_by)
        self.kind = kind
        self._instance: Any = None

    @property
    def keywords(self) -> Dict[str, Any]:
        return {name: value for name, value in self.attributes.items() if name != "_args"}

    def instance(self) -> FlowMutator:
        """The mutator itself, made and initialised when first asked for."""
        if self._instance is None:
            self._instance = object.__new__(self.kind)
            self._instance.init(*self.attributes["_args"], **self.keywords)
        instance: FlowMutator = self._instance
        return instance


class FlowMutator:
    """Derive from this to change a flow's parameters and decorators before it starts: `@Mine` or `@Mine(...)` above the flow."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and isinstance(args[0], type):
            return attach(args[0], FlowMutatorEntry(cls))

        def decorate(flow_class: Any) -> Any:
            return attach(flow_class, FlowMutatorEntry(cls, args, kwargs))

        return decorate

    @classmethod
    def decorator_name(cls) -> str:
        """`module.Name`."""
        return f"{cls.__module__}.{cls.__name__}"

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Gets what the mutator was given. The class's own `__init__` is not called."""

    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        """Once the configs are known: may change everything."""

    def mutate(self, mutable_flow: MutableFlow) -> None:
        """Once all decorators of the command line are attached: may change decorators of steps."""


def attach(flow_class: Any, entry: FlowDecorator) -> Any:
    """Appends to the decorators of a flow; one that is there already is refused."""
    if not isinstance(flow_class, type) or not hasattr(flow_class, "_flow_decorators"):
        raise BadFlowDecoratorException(entry.name)
    if any(each.name == entry.name for each in flow_decorators_of(flow_class)):
        raise DuplicateFlowDecoratorException(entry.name)
    vars(flow_class)["_flow_decorators"].append(entry)
    return flow_class
