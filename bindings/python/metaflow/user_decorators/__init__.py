"""Decorators and mutators that users write."""

from __future__ import annotations

from .application import mutate, pre_mutate
from .mutable_flow import MutableFlow
from .mutable_step import MutableStep
from .user_flow_decorator import FlowMutator
from .user_step_decorator import (
    USER_SKIP_STEP,
    CustomEntry,
    StepMutator,
    UserStepDecorator,
    custom_decorator,
    user_step_decorator,
)
from .wrapping import wrap_step

__all__ = [
    "USER_SKIP_STEP",
    "CustomEntry",
    "FlowMutator",
    "MutableFlow",
    "MutableStep",
    "StepMutator",
    "UserStepDecorator",
    "custom_decorator",
    "mutate",
    "pre_mutate",
    "user_step_decorator",
    "wrap_step",
]
