"""A step's body with what users' decorators do around it."""

from __future__ import annotations

from typing import Any, Callable, Iterable, List, Mapping, Optional, Tuple

from ..exception import MetaflowException
from .user_step_decorator import CustomEntry, UserStepDecorator, YieldedTwice


def wrap_step(
    body: Callable[..., Any], decorators: Iterable[Any], go_on: Callable[[Mapping[str, Any]], None]
) -> Callable[..., None]:
    """What to call instead of `body`, a bound step: with nothing, or with the inputs of a join.

    `decorators` are all of the step, the one nearest to it first. `go_on` is called, with keywords for self.next(), where the body was
    skipped or its exception dealt with: it makes the transition that the source of the step says.
    """
    custom = [
        each.instance()
        for each in decorators
        if isinstance(each, CustomEntry) and issubclass(each.kind, UserStepDecorator)
    ]
    if not custom:
        return body
    outermost_first: List[UserStepDecorator] = custom[::-1]

    def run(*inputs: Any) -> None:
        _run(body, outermost_first, go_on, inputs)

    return run


def _run(
    body: Callable[..., Any],
    decorators: List[UserStepDecorator],
    go_on: Callable[[Mapping[str, Any]], None],
    inputs: Tuple[Any, ...],
) -> None:
    name, flow = body.__name__, body.__self__  # type: ignore[attr-defined]  # a bound method
    begun: List[UserStepDecorator] = []
    action: Optional[Callable[[], Any]] = lambda: body(*inputs)  # noqa: E731
    keywords: Optional[Mapping[str, Any]] = None  # for self.next(), where the step does not call it
    for decorator in decorators:
        begun.append(decorator)
        replacement = decorator.pre_step(name, flow, inputs[0] if inputs else None)
        if decorator.skip_step:
            action = None
            keywords = decorator.skip_step if isinstance(decorator.skip_step, Mapping) else {}
            break
        if replacement is not None:
            action = _bound(replacement, flow, inputs)
            break
    exception = _exception_of(action) if action else None
    for decorator in reversed(begun):
        outcome = _outcome_of(decorator, name, flow, exception)
        if isinstance(outcome, tuple):
            left, keywords = outcome[0], outcome[1] if outcome[1] is not None else keywords
        else:
            left = outcome
        if exception is not None and left is None and keywords is None:
            keywords = {}
        exception = left
    if exception is not None:
        raise exception
    if keywords is not None:
        go_on(keywords)


def _bound(replacement: Callable[..., Any], flow: Any, inputs: Tuple[Any, ...]) -> Callable[[], Any]:
    return lambda: replacement(flow, *inputs)


def _exception_of(action: Callable[[], Any]) -> Optional[BaseException]:
    try:
        action()
    except Exception as error:
        return error
    return None


def _outcome_of(decorator: UserStepDecorator, name: str, flow: Any, exception: Optional[BaseException]) -> Any:
    try:
        outcome = decorator.post_step(name, flow, exception)
    except YieldedTwice:
        raise
    except Exception as error:
        return error
    is_pair = isinstance(outcome, tuple) and len(outcome) == 2 and isinstance(outcome[0], (BaseException, type(None)))
    if outcome is None or isinstance(outcome, BaseException) or is_pair:
        return outcome
    raise MetaflowException(
        f"post_step of {type(decorator).__name__} returned {outcome!r}; it may return None, an exception, or a pair of one of these "
        "and keywords for self.next()."
    )
