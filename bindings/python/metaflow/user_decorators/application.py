"""When mutators are called: those of the flow before those of its steps."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from .._graph import steps_of
from ..decorators import StepDecorator, flow_decorators_of
from .mutable_flow import MutableFlow
from .mutable_step import MutableStep
from .user_flow_decorator import FlowMutatorEntry
from .user_step_decorator import CustomEntry, StepMutator


def pre_mutate(flow_class: Any, configs: Mapping[str, Any]) -> None:
    """Lets mutators change the class, before anything is made of it; `configs` are their values by attribute."""
    decorators = {name: function.decorators for name, function in steps_of(flow_class).items()}
    _call("pre_mutate", flow_class, configs, decorators)


def mutate(flow_class: Any, configs: Mapping[str, Any], decorators: Dict[str, List[StepDecorator]]) -> None:
    """Lets mutators change the decorators of steps, given by the name of the step."""
    _call("mutate", flow_class, configs, decorators)


def _call(method: str, flow_class: Any, configs: Mapping[str, Any], decorators: Dict[str, List[StepDecorator]]) -> None:
    def mutable_flow(inserted_by: str) -> MutableFlow:
        return MutableFlow(flow_class, configs, decorators, inserted_by, method == "pre_mutate")

    for entry in flow_decorators_of(flow_class):
        if isinstance(entry, FlowMutatorEntry):
            getattr(entry.instance(), method)(mutable_flow(entry.name))
    for name, present in decorators.items():
        for step_entry in list(present):
            if isinstance(step_entry, CustomEntry) and issubclass(step_entry.kind, StepMutator):
                by = step_entry.name
                getattr(step_entry.instance(), method)(
                    MutableStep(mutable_flow(by), name, present, by, method == "pre_mutate")
                )
