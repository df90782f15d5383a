"""Reading runs back: `Flow("MovieStats").latest_successful_run.data.gross`."""

from __future__ import annotations

from .code import MetaflowCode
from .core import DataArtifact, Flow, Metadata, Metaflow, MetaflowData, Run, Step, Task
from .settings import (
    default_metadata,
    default_namespace,
    get_metadata,
    get_namespace,
    inspect_spin,
    metadata,
    namespace,
)
from .trigger import Trigger

__all__ = [
    "DataArtifact",
    "Flow",
    "Metadata",
    "Metaflow",
    "MetaflowCode",
    "MetaflowData",
    "Run",
    "Step",
    "Task",
    "Trigger",
    "default_metadata",
    "default_namespace",
    "get_metadata",
    "get_namespace",
    "inspect_spin",
    "metadata",
    "namespace",
]
