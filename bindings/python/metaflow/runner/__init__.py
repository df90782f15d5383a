"""Running flows from a program or a notebook, in processes of their own."""

from __future__ import annotations

from .metaflow_runner import ExecutingProcess, ExecutingRun, ExecutingTask, Runner
from .nbrun import NBRunner, NBRunnerInitializationError

__all__ = ["ExecutingProcess", "ExecutingRun", "ExecutingTask", "NBRunner", "NBRunnerInitializationError", "Runner"]
