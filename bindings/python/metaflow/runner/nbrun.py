"""NBRunner: a flow of a notebook's cell, executed as a process of its own."""

from __future__ import annotations

import ast
import builtins
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, List, Mapping, Optional, Type

from ..client import Run
from ..exception import MetaflowException
from .metaflow_runner import Runner


class NBRunnerInitializationError(MetaflowException):
    headline = "Can't initialize a Runner in a notebook"


class NBRunner(Runner):
    """Executes a flow class that a cell of the running notebook defines.

    What the cell says before it uses NBRunner is written to a file in `base_dir`, by default the working directory, and run from there.
    NBRunnerInitializationError outside of notebooks, and when no cell defines the flow. The other arguments are Runner's. The file is
    removed by cleanup().
    """

    def __init__(
        self,
        flow: Type[Any],
        show_output: bool = True,
        profile: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
        base_dir: Optional[str] = None,
        *arguments: Any,
        **kwargs: Any,
    ) -> None:
        self.flow_name = flow.__name__
        self.base_dir = os.path.abspath(base_dir or ".")  # noqa: PTH100
        source = _source_of(self.flow_name)
        descriptor, self.tmp_flow_file = tempfile.mkstemp(prefix=self.flow_name, suffix=".py", dir=self.base_dir)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(source)
        super().__init__(self.tmp_flow_file, show_output, profile, env, self.base_dir, *arguments, **kwargs)

    @property
    def runner(self) -> Runner:
        """Itself, as the official one has another object for it."""
        return self

    def nbrun(self, **kwargs: Any) -> Run:
        """Runs the flow to its end, cleans up, and returns the run as the client sees it."""
        try:
            return self.run(**kwargs).run
        finally:
            self.cleanup()

    def nbresume(self, **kwargs: Any) -> Run:
        """Resumes a run to its end, cleans up, and returns the run as the client sees it."""
        try:
            return self.resume(**kwargs).run
        finally:
            self.cleanup()

    def cleanup(self) -> None:
        super().cleanup()
        Path(self.tmp_flow_file).unlink(missing_ok=True)


def _source_of(flow_name: str) -> str:
    """A program of what the latest cell that defines a class says before it uses NBRunner."""
    for cell in reversed(_cells()):
        statements = _statements(cell)
        if any(isinstance(each, ast.ClassDef) and each.name == flow_name for each in statements):
            lines = cell.splitlines()
            kept = [each for each in statements if not _uses_runner(each)]
            texts = ["\n".join(lines[_first_line(each) - 1 : each.end_lineno]) for each in kept]
            return "\n".join([*texts, "", "", 'if __name__ == "__main__":', f"    {flow_name}()", ""])
    raise NBRunnerInitializationError(f"No cell of this notebook defines the flow '{flow_name}'.")


def _cells() -> List[str]:
    shell = getattr(builtins, "get_ipython", None)
    if shell is None and "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython
    notebook = shell() if shell else None
    if notebook is None:
        raise NBRunnerInitializationError("NBRunner is for notebooks; elsewhere use Runner with the flow's file.")
    cells: List[str] = notebook.user_ns["In"]
    return cells


def _statements(cell: str) -> List[ast.stmt]:
    try:
        return ast.parse(cell).body
    except SyntaxError:  # one with magic commands, which Python cannot read
        return []


def _first_line(statement: ast.stmt) -> int:
    decorators: List[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _uses_runner(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return False
    return any(isinstance(each, ast.Name) and each.id == "NBRunner" for each in ast.walk(statement))
