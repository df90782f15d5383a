"""Decorators that ask for what this version does not do: some stop a run, some are only said not to be done."""

from __future__ import annotations

import sys
from typing import Any, Dict, Iterator, List, Tuple

from .decorators import StepDecorator, flow_decorators_of
from .exception import NotAvailableException

#: Without these the step would run somewhere, or with something, else than it asks for.
_REFUSED = {
    "batch": "runs steps on AWS Batch",
    "kubernetes": "runs steps on Kubernetes",
    "conda": "makes an environment of packages",
    "pypi": "makes an environment of packages",
    "conda_base": "makes environments of packages",
    "pypi_base": "makes environments of packages",
}
#: The flow is the same without these.
_NOT_DONE = {
    "card": "no cards are rendered",
}


def _uses(flow_class: Any, decorators: Dict[str, List[StepDecorator]]) -> Iterator[Tuple[str, str, Dict[str, Any]]]:
    """Name, place and attributes of each decorator."""
    for decorator in flow_decorators_of(flow_class):
        yield decorator.name, f"flow {flow_class.__name__}", decorator.attributes
    for step, present in decorators.items():
        for each in present:
            yield each.name, f"step '{step}'", each.attributes


def refuse_unavailable(flow_class: Any, decorators: Dict[str, List[StepDecorator]]) -> None:
    """NotAvailableException for what cannot be passed over."""
    for name, place, attributes in _uses(flow_class, decorators):
        if name in _REFUSED and not attributes.get("disabled"):
            raise NotAvailableException(
                f"@{name} of {place} {_REFUSED[name]}, which is not available in this version. Take it out to run the "
                "flow on this machine, with the Python that starts it."
            )


def tell_what_is_not_done(flow_class: Any, decorators: Dict[str, List[StepDecorator]]) -> None:
    """One line for each kind that is passed over."""
    names = {name for name, _, _ in _uses(flow_class, decorators)}
    for name, consequence in _NOT_DONE.items():
        if name in names:
            print(f"@{name} is not available in this version: {consequence}.", file=sys.stderr)
