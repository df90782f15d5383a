"""What users derive decorators of steps from.

A class stands above a step by itself or with arguments, `@Timing` or `@Timing(unit="s")`. What is attached to the step is an entry among
its decorators; an instance is made when the flow starts.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, Generator, List, Mapping, Optional, Sequence, Tuple, Type, Union

from ..decorators import BadStepDecoratorException, DuplicateStepDecoratorException, StepDecorator
from ..exception import MetaflowException

if TYPE_CHECKING:
    from .mutable_step import MutableStep

#: To be yielded by a user_step_decorator that skips the step.
USER_SKIP_STEP: Dict[str, Any] = {}

#: How a step ended: None for well, an exception, or one of these and keywords for self.next().
Outcome = Union[None, BaseException, Tuple[Optional[BaseException], Optional[Mapping[str, Any]]]]
#: What runs instead of a step: takes the flow, and of a join the inputs.
Replacement = Callable[..., Any]

_known: Dict[str, Type[_Attachable]] = {}


class CustomEntry(StepDecorator):
    """A decorator of a user's among those of a step. Its attributes are the keywords, and `_args` the other arguments."""

    def __init__(
        self,
        kind: Type[_Attachable],
        args: Sequence[Any] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
        statically_defined: bool = True,
        inserted_by: Optional[str] = None,
    ) -> None:
        super().__init__(
            kind.decorator_name(), {"_args": list(args), **(kwargs or {})}, statically_defined, inserted_by
        )
        self.kind = kind
        self._instance: Any = None

    @property
    def arguments(self) -> List[Any]:
        return list(self.attributes["_args"])

    @property
    def keywords(self) -> Dict[str, Any]:
        return {name: value for name, value in self.attributes.items() if name != "_args"}

    def instance(self) -> Any:
        """The decorator itself, made and initialised when first asked for."""
        if self._instance is None:
            self._instance = object.__new__(self.kind)
            self._instance.init(*self.arguments, **self.keywords)
        return self._instance


class _Attachable:
    """A class whose calls attach it to a step."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and getattr(args[0], "is_step", False) is True:
            return attach(args[0], CustomEntry(cls))

        def decorate(function: Any) -> Any:
            if getattr(function, "is_step", False) is not True:
                raise BadStepDecoratorException(cls.__name__, function)
            return attach(function, CustomEntry(cls, args, kwargs))

        return decorate

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _known[cls.decorator_name()] = cls

    @classmethod
    def decorator_name(cls) -> str:
        """`module.Name`."""
        return f"{cls.__module__}.{cls.__name__}"

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Gets what the decorator was given. The class's own `__init__` is not called."""


def attach(function: Any, entry: CustomEntry) -> Any:
    """Appends to the decorators of a step; one that is there already is refused."""
    if any(each.name == entry.name for each in function.decorators):
        raise DuplicateStepDecoratorException(entry.name, function)
    function.decorators.append(entry)
    return function


class UserStepDecorator(_Attachable):
    """Derive from this to do something before and after a step; the outermost one above the step begins and ends."""

    #: Set to True, or to keywords for self.next(), by pre_step, the step is skipped.
    skip_step: Union[bool, Mapping[str, Any]] = False

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Optional[Replacement]:
        """Before the step; `inputs` are those of a join. What it returns runs instead of the step and of decorators nearer to it."""
        return None

    def post_step(self, step_name: str, flow: Any, exception: Optional[BaseException] = None) -> Outcome:
        """After the step. Returning None where there was an exception means that it is dealt with."""
        return exception


class StepMutator(_Attachable):
    """Derive from this to change the decorators of a step before the flow starts."""

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        """Once the configs are known."""

    def mutate(self, mutable_step: MutableStep) -> None:
        """Once all decorators of the command line are attached."""


class GeneratorDecorator(UserStepDecorator):
    """The class behind a function marked by @user_step_decorator."""

    function: Callable[..., Generator[Any, None, Any]]
    takes_attributes = False

    def init(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if args:
            raise MetaflowException(f"@{name} takes keyword arguments only.")
        if kwargs and not self.takes_attributes:
            raise MetaflowException(
                f"@{name} is given arguments but takes none: let its function have a fourth parameter, 'attributes'."
            )
        self._attributes = kwargs
        self._generator: Optional[Generator[Any, None, Any]] = None

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Optional[Replacement]:
        more = (self._attributes,) if self.takes_attributes else ()
        generator = self._generator = type(self).function(step_name, flow, inputs, *more)
        try:
            wish = next(generator)
        except StopIteration:
            raise MetaflowException(f"@{type(self).__name__} ended without a yield; it has to yield once.") from None
        self.skip_step = False
        if isinstance(wish, dict):
            self.skip_step = wish or True
        elif callable(wish):
            replacement: Replacement = wish
            return replacement
        elif wish is not None:
            raise MetaflowException(
                f"@{type(self).__name__} yielded a {type(wish).__name__}; it may yield nothing, a function to run instead of the "
                "step, or a dict to skip it."
            )
        return None

    def post_step(self, step_name: str, flow: Any, exception: Optional[BaseException] = None) -> Outcome:
        generator = self._generator
        assert generator is not None
        try:
            if exception is None:
                next(generator)
            else:
                generator.throw(exception)
        except StopIteration:
            return None
        raise YieldedTwice(f"@{type(self).__name__} yielded a second time; it has to yield once.")


class YieldedTwice(MetaflowException):
    """A mistake in a decorator that nothing catches."""


def user_step_decorator(function: Callable[..., Generator[Any, None, Any]]) -> Type[UserStepDecorator]:
    """Makes a decorator of a generator function `(step_name, flow, inputs[, attributes])`.

    What stands before its `yield` runs before the step, the rest after it; exceptions of the step come out of the `yield`. Yield
    nothing to run the step, a function to run that instead, or a dict to skip it: `USER_SKIP_STEP`, or keywords for self.next().
    """
    count = len(inspect.signature(function).parameters)
    if not inspect.isgeneratorfunction(function) or count not in (3, 4):
        raise MetaflowException(
            f"@user_step_decorator is for generator functions (step_name, flow, inputs) or (step_name, flow, inputs, "
            f"attributes); '{getattr(function, '__name__', function)}' is none."
        )
    members = {
        "function": staticmethod(function),
        "takes_attributes": count == 4,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
    }
    return type(function.__name__, (GeneratorDecorator,), members)


def custom_decorator(name: str) -> Optional[Type[_Attachable]]:
    """A user's decorator or mutator by its name or the end of it, `module.Name` or `Name`. MetaflowException when several fit."""
    if name in _known:
        return _known[name]
    fitting = [full for full in _known if full.endswith("." + name)]
    if len(fitting) > 1:
        raise MetaflowException(f"'{name}' may be {' or '.join(sorted(fitting))}: write more of its name.")
    return _known[fitting[0]] if fitting else None
