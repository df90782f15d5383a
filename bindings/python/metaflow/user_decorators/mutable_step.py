"""A step as mutators see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, Union

from .. import decorators as regular
from ..decorators import STEP_KINDS, DuplicateStepDecoratorException, StepDecorator, UnknownStepDecoratorException
from ..exception import MetaflowException
from .user_step_decorator import CustomEntry, StepMutator, _Attachable, custom_decorator

if TYPE_CHECKING:
    from .mutable_flow import MutableFlow

#: Short name, full name, arguments and keywords.
Specification = Tuple[str, str, List[Any], Dict[str, Any]]

IGNORE, ERROR, OVERRIDE = 1, 2, 3


class MutableStep:
    """The decorators of one step, to be looked at and changed."""

    #: What add_decorator does when the step has a decorator of that name: leaves that, raises, or replaces it.
    IGNORE, ERROR, OVERRIDE = IGNORE, ERROR, OVERRIDE

    def __init__(
        self, flow: MutableFlow, name: str, decorators: List[StepDecorator], inserted_by: str, is_pre_mutate: bool
    ) -> None:
        self._flow = flow
        self._name = name
        self._decorators = decorators
        self._inserted_by = inserted_by
        self._is_pre_mutate = is_pre_mutate

    def __repr__(self) -> str:
        return f"MutableStep('{self._name}')"

    @property
    def flow(self) -> MutableFlow:
        return self._flow

    @property
    def decorator_specs(self) -> Iterator[Specification]:
        """Name, full name, arguments and keywords of each decorator: Metaflow's own first, the mutators last."""
        return iter([_specification(each) for each in sorted(self._decorators, key=_rank)])

    def has_decorator(self, name: str) -> bool:
        return bool(self.get_decorator_specs(name))

    def get_decorator_specs(self, name: str) -> List[Specification]:
        """Those of one name; there may be several of a kind such as @card."""
        return [spec for spec in self.decorator_specs if name in (spec[0], spec[1])]

    def add_decorator(
        self,
        deco_type: Union[str, Type[Any], Any],
        deco_args: Optional[Sequence[Any]] = None,
        deco_kwargs: Optional[Mapping[str, Any]] = None,
        duplicates: int = IGNORE,
    ) -> None:
        """Adds a decorator: one of Metaflow's by itself, its name or a specification such as `retry:times=2`, or a user's class.
        Mutators can be added in pre_mutate only."""
        added = self._made(deco_type, list(deco_args or ()), dict(deco_kwargs or {}))
        if isinstance(added, CustomEntry) and issubclass(added.kind, StepMutator) and not self._is_pre_mutate:
            raise MetaflowException(
                f"{self._inserted_by} adds the step mutator '{added.name}' in mutate: it can be added in pre_mutate only."
            )
        present = [each for each in self._decorators if each.name == added.name]
        if present and not _may_repeat(added):
            if duplicates == IGNORE:
                return
            if duplicates == ERROR:
                raise DuplicateStepDecoratorException(added.name, self._name)
            for each in present:
                self._decorators.remove(each)
        self._decorators.append(added)

    def remove_decorator(
        self,
        deco_type: Union[str, Type[Any], Any],
        deco_args: Optional[Sequence[Any]] = None,
        deco_kwargs: Optional[Mapping[str, Any]] = None,
    ) -> bool:
        """Removes the decorators of a name, only those with these arguments and keywords where some are given. Says whether there was
        one."""
        name = _name_of(deco_type)
        removed = [
            each
            for each in self._decorators
            if name in _specification(each)[:2] and has_arguments(_specification(each), deco_args, deco_kwargs)
        ]
        for each in removed:
            self._decorators.remove(each)
        return bool(removed)

    def _made(self, deco_type: Any, args: List[Any], kwargs: Dict[str, Any]) -> StepDecorator:
        if isinstance(deco_type, type) and issubclass(deco_type, _Attachable):
            return CustomEntry(deco_type, args, kwargs, inserted_by=self._inserted_by)
        specification = _name_of(deco_type)
        name, _, attributes = specification.partition(":")
        given = {**regular.parse_attributes(name, attributes), **kwargs}
        kind = STEP_KINDS.get(name)
        if kind is None:
            custom = custom_decorator(name)
            if custom is None:
                raise UnknownStepDecoratorException(name, STEP_KINDS)
            return CustomEntry(custom, args, given, inserted_by=self._inserted_by)
        if args:
            raise MetaflowException(f"The decorator '{name}' takes keywords only, not {args}.")
        return StepDecorator(name, kind.attributes(given), inserted_by=self._inserted_by)


def _rank(decorator: StepDecorator) -> int:
    if not isinstance(decorator, CustomEntry):
        return 0
    return 2 if issubclass(decorator.kind, StepMutator) else 1


def _specification(decorator: StepDecorator) -> Specification:
    if isinstance(decorator, CustomEntry):
        return decorator.kind.__name__, decorator.name, decorator.arguments, decorator.keywords
    return decorator.name, f"metaflow.{decorator.name}", [], dict(decorator.attributes)


def _name_of(deco_type: Any) -> str:
    if isinstance(deco_type, str):
        return deco_type
    if isinstance(deco_type, type) and issubclass(deco_type, _Attachable):
        return deco_type.decorator_name()
    name = getattr(deco_type, "__name__", None)
    if name in STEP_KINDS:
        return str(name)
    raise TypeError(f"{deco_type!r} is no decorator of steps")


def _may_repeat(decorator: StepDecorator) -> bool:
    kind = STEP_KINDS.get(decorator.name)
    return kind is not None and kind.allow_multiple


def has_arguments(spec: Specification, args: Optional[Sequence[Any]], kwargs: Optional[Mapping[str, Any]]) -> bool:
    """Whether a decorator has these arguments, and at least these keywords, where some are given."""
    return (args is None or list(args) == spec[2]) and all(
        name in spec[3] and spec[3][name] == value for name, value in (kwargs or {}).items()
    )
