"""What flows in Python cost, in numbers that do not depend on the machine. `./dev bench python` measures times."""

import re

import pytest
import python_package  # noqa: F401
from conftest import BUILD
from metaflow import Step, _engine
from metaflow.client import settings

SLOW_MODULES = {
    "tempfile",
    "shutil",
    "random",
    "inspect",
    "subprocess",
    "socket",
    "pathlib",
    "urllib",
    "email",
    "logging",
}


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    """For what is called in this process."""
    monkeypatch.setenv("METAFLOW_LIBRARY", str(BUILD / "libmetaflow.so"))


def imported(text: str) -> set[str]:
    """What `python -X importtime` has listed."""
    return {name.strip() for name in re.findall(r"import time:[ \d]+\|[ \d]+\|(.*)", text)}


def test_a_flow_starts_without_slow_modules(python_project):
    said = python_project.ours("lone", "--help", PYTHONPROFILEIMPORTTIME=1).succeeded()
    assert "metaflow._program" in imported(said.stderr)
    assert imported(said.stderr) & SLOW_MODULES == set()


def test_a_forked_task_imports_nothing(python_project):
    said = python_project.ours("lone", "run", PYTHONPROFILEIMPORTTIME=1).succeeded()
    assert "metaflow._task" in imported(said.stderr)
    lines_of_tasks = re.findall(r"^\S+ \S+ \[.*", said.stdout + said.stderr, re.MULTILINE)
    assert lines_of_tasks and imported("\n".join(lines_of_tasks)) == set()


def test_a_task_leaves_at_most_as_many_files_as_one_in_cpp(python_project):
    python_project.ours("lone", "run").succeeded()
    assert len(python_project.task_files("Lone", python_project.latest_run("Lone"), "only", "1")) <= 20


def test_the_tasks_of_a_step_are_listed_without_a_look_at_each(monkeypatch):
    asked = []

    class Records:
        def describe(self, pathspec, attempt):
            asked.append(pathspec)
            return {}

        def children(self, pathspec, attempt, tags):
            return [str(number) for number in range(1000)]

    monkeypatch.setattr(settings, "records", lambda metadata, namespace: Records())
    tasks = list(Step("Wide/1/body", _current_metadata="local@/nowhere"))
    assert (len(tasks), tasks[7].pathspec) == (1000, "Wide/1/body/7")
    assert asked == ["Wide/1/body"]


def test_looking_at_bytes_of_the_engine_makes_no_class_for_each_size():
    known = _engine.ctypes.Array.__subclasses__()
    for size in range(1, 100):
        data = bytes(range(size))
        assert _engine.EngineBuffer(_engine.library().metaflow_buffer_new(data, size)).view() == data
    assert _engine.ctypes.Array.__subclasses__() == known
