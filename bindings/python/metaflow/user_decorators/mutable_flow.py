"""A flow as mutators see it."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, Union

from ..decorators import (
    FLOW_KINDS,
    DuplicateFlowDecoratorException,
    FlowDecorator,
    StepDecorator,
    flow_decorators_of,
)
from ..exception import MetaflowException
from ..parameters import Parameter, parameters_of
from .mutable_step import ERROR, IGNORE, OVERRIDE, MutableStep, Specification, has_arguments
from .user_flow_decorator import FlowMutator, FlowMutatorEntry


class MutableFlow:
    """Parameters, decorators and steps of a flow, to be looked at and changed; its steps and configs are attributes."""

    #: What add_decorator does when the flow has a decorator of that name: leaves that, raises, or replaces it.
    IGNORE, ERROR, OVERRIDE = IGNORE, ERROR, OVERRIDE

    def __init__(
        self,
        flow_class: Any,
        configs: Mapping[str, Any],
        decorators: Dict[str, List[StepDecorator]],
        inserted_by: str,
        is_pre_mutate: bool,
    ) -> None:
        self._flow_class = flow_class
        self._configs = configs
        self._decorators = decorators
        self._inserted_by = inserted_by
        self._is_pre_mutate = is_pre_mutate

    def __getattr__(self, name: str) -> Any:
        """A step as a MutableStep, the value of a config, or a parameter."""
        if name in self._decorators:
            return self._step(name)
        if name in self._configs:
            return self._configs[name]
        if name in dict(self.parameters):
            return getattr(self._flow_class, name)
        raise AttributeError(f"Flow {self._flow_class.__name__} has no step, config or parameter '{name}'")

    @property
    def configs(self) -> Iterator[Tuple[str, Any]]:
        """Name and value of each config."""
        return iter(list(self._configs.items()))

    @property
    def parameters(self) -> Iterator[Tuple[str, Parameter]]:
        """Attribute and definition of each parameter."""
        return iter(list(parameters_of(self._flow_class).items()))

    @property
    def steps(self) -> Iterator[Tuple[str, MutableStep]]:
        """Name of each step, and the step."""
        return iter([(name, self._step(name)) for name in sorted(self._decorators)])

    @property
    def decorator_specs(self) -> Iterator[Specification]:
        """Name, full name, arguments and keywords of each decorator of the flow: Metaflow's own first, the mutators last."""
        listed = flow_decorators_of(self._flow_class)
        return iter([_specification(each) for each in sorted(listed, key=_is_mutator)])

    def has_decorator(self, name: str) -> bool:
        return bool(self.get_decorator_specs(name))

    def get_decorator_specs(self, name: str) -> List[Specification]:
        """Those of one name."""
        return [spec for spec in self.decorator_specs if name in spec[:2]]

    def add_parameter(self, name: str, value: Parameter, overwrite: bool = False) -> None:
        """Gives the flow a parameter under this attribute. In pre_mutate only."""
        self._require_pre_mutate(f"adds the parameter '{name}'")
        if not isinstance(value, Parameter):
            raise MetaflowException(f"add_parameter takes a Parameter or an IncludeFile, not a {type(value).__name__}.")
        if hasattr(self._flow_class, name) and not overwrite:
            raise MetaflowException(
                f"Flow '{self._flow_class.__name__}' has the attribute '{name}' already; overwrite=True replaces it."
            )
        setattr(self._flow_class, name, value)

    def remove_parameter(self, name: str) -> bool:
        """Takes a parameter away; says whether there was one. In pre_mutate only."""
        self._require_pre_mutate(f"removes the parameter '{name}'")
        if name not in dict(self.parameters):
            return False
        if name in vars(self._flow_class):
            delattr(self._flow_class, name)
        if name in dict(self.parameters):  # of a flow that this one is derived from
            setattr(self._flow_class, name, _removed(name))
        return True

    def add_decorator(
        self,
        deco_type: Union[str, Type[Any], Any],
        deco_args: Optional[Sequence[Any]] = None,
        deco_kwargs: Optional[Mapping[str, Any]] = None,
        duplicates: int = IGNORE,
    ) -> None:
        """Gives the flow a decorator of flows, or a mutator. In pre_mutate only."""
        added = self._made(deco_type, list(deco_args or ()), dict(deco_kwargs or {}))
        self._require_pre_mutate(f"adds the flow decorator '{added.name}'")
        kind = FLOW_KINDS.get(added.name)
        if self.has_decorator(added.name) and not (kind and kind.allow_multiple):
            if duplicates == IGNORE:
                return
            if duplicates == ERROR:
                raise DuplicateFlowDecoratorException(added.name)
            self._remove(added.name, None, None)
        vars(self._flow_class)["_flow_decorators"].append(added)

    def remove_decorator(
        self,
        deco_type: Union[str, Type[Any], Any],
        deco_args: Optional[Sequence[Any]] = None,
        deco_kwargs: Optional[Mapping[str, Any]] = None,
    ) -> bool:
        """Takes decorators of a name away, only those with these arguments where some are given; says whether there was one. In
        pre_mutate only."""
        name = _name_of(deco_type)
        self._require_pre_mutate(f"removes the flow decorator '{name}'")
        return self._remove(name, deco_args, deco_kwargs)

    def _remove(self, name: str, args: Optional[Sequence[Any]], kwargs: Optional[Mapping[str, Any]]) -> bool:
        found = False
        for owner in self._flow_class.__mro__:
            listed: List[FlowDecorator] = vars(owner).get("_flow_decorators", [])
            for each in list(listed):
                spec = _specification(each)
                if name in spec[:2] and has_arguments(spec, args, kwargs):
                    listed.remove(each)
                    found = True
        return found

    def _step(self, name: str) -> MutableStep:
        return MutableStep(self, name, self._decorators[name], self._inserted_by, self._is_pre_mutate)

    def _require_pre_mutate(self, what: str) -> None:
        if not self._is_pre_mutate:
            raise MetaflowException(f"{self._inserted_by} {what} in mutate: that can be done in pre_mutate only.")

    def _made(self, deco_type: Any, args: List[Any], kwargs: Dict[str, Any]) -> FlowDecorator:
        if isinstance(deco_type, type) and issubclass(deco_type, FlowMutator):
            return FlowMutatorEntry(deco_type, args, kwargs, self._inserted_by)
        name = _name_of(deco_type)
        if args:
            raise MetaflowException(f"The decorator '{name}' takes keywords only, not {args}.")
        return FlowDecorator(name, FLOW_KINDS[name].attributes(kwargs), inserted_by=self._inserted_by)


def _removed(name: str) -> property:
    def absent(flow: Any) -> Any:
        raise AttributeError(f"Flow {type(flow).__name__} has no attribute '{name}'")

    return property(absent)


def _is_mutator(decorator: FlowDecorator) -> bool:
    return isinstance(decorator, FlowMutatorEntry)


def _specification(decorator: FlowDecorator) -> Specification:
    if isinstance(decorator, FlowMutatorEntry):
        return decorator.kind.__name__, decorator.name, list(decorator.attributes["_args"]), decorator.keywords
    return decorator.name, f"metaflow.{decorator.name}", [], dict(decorator.attributes)


def _name_of(deco_type: Any) -> str:
    if isinstance(deco_type, type) and issubclass(deco_type, FlowMutator):
        return deco_type.decorator_name()
    name = deco_type if isinstance(deco_type, str) else getattr(deco_type, "__name__", None)
    if name not in FLOW_KINDS:
        raise TypeError(f"{deco_type!r} is no decorator or mutator of flows")
    return str(name)
