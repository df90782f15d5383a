"""The client in Python beside the official one: on the same stores, both tell the same."""

import json
from pathlib import Path

import pytest
from conftest import SOURCES, PythonProject, judge, program

PROBE = Path(__file__).resolve().parent / "python/client_probe.py"


def told_by(project, python, what, **variables):
    said = project.run(python, PROBE, project.folder, what, **variables).succeeded()
    return json.loads(said.stdout.rpartition("PROBE ")[2])


def told_by_ours(project, what):
    """Under the judge's interpreter, as that has numpy."""
    return told_by(project, judge(), what, **SOURCES)


def differences(ours, official, place=""):
    """Where two stories differ, one line each."""
    if isinstance(ours, dict) and isinstance(official, dict):
        keys = sorted({*ours, *official})
        return [
            line
            for key in keys
            for line in differences(ours.get(key, "absent"), official.get(key, "absent"), f"{place}/{key}")
        ]
    return [] if ours == official else [f"{place}: {ours!r}, officially {official!r}"]


def official_store(project):
    project.officially("looked_at", "run", "--tag", "one", "--tag", "two").succeeded()
    project.officially("looked_at", "run", "--fails", "True", "--tag", "two").failed()
    project.officially("looked_at", "resume", "--tag", "three").failed()


def own_store(project):
    project.ours("looked_at", "run", "--tag", "one", "--tag", "two").succeeded()
    project.ours("looked_at", "run", "--fails", "True", "--tag", "two").failed()
    project.ours("looked_at", "resume", "--tag", "three").failed()


def store_of_cpp_flows(project):
    for name in ("values", "loops", "gang"):
        project.run(program(name), "run", "--tag", "one")


@pytest.mark.parametrize("fill", [official_store, own_store, store_of_cpp_flows])
def test_both_clients_tell_the_same(tmp_path, fill):
    project = PythonProject(tmp_path / "project")
    fill(project)
    for what in ("read", "change"):
        assert differences(told_by_ours(project, what), told_by(project, judge(), what)) == []


SPUN = """
from metaflow import Metaflow, inspect_spin, namespace
namespace(None)
inspect_spin(".")
tasks = [task for flow in Metaflow() for run in flow for step in run for task in step]
print("SPUN", [[task.pathspec, sorted(artifact.id for artifact in task), task.successful, task.data.items] for task in tasks])
"""


def test_what_spin_left_is_shown_after_inspect_spin(tmp_path):
    project = PythonProject(tmp_path / "project")
    project.ours("looked_at", "run").succeeded()
    project.ours("looked_at", "spin", "--persist", "start").succeeded()
    official = project.run(judge(), "-c", SPUN).succeeded().stdout
    assert project.run(judge(), "-c", SPUN, **SOURCES).succeeded().stdout == official
    assert "['a', 'b']" in official


@pytest.mark.parametrize("options", [[], ["--datastore-root", "elsewhere"]])
@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_step_looks_at_its_own_run(tmp_path, options, isolation):
    project = PythonProject(tmp_path / "project")
    said = project.ours(
        *("looks_back", *options, "run", "--tag", "x", "--namespace", "user:other", "--isolation", isolation)
    )
    said.succeeded()
    root = project.folder / (options[-1] if options else ".metaflow")
    run = (root / "LooksBack/latest_run").read_text()
    pathspec = f"{run}/end/2"
    dumped = project.ours("looks_back", *options, "dump", "--private", pathspec).succeeded().stdout
    assert "['1', False, 'start', 'user:other']" in dumped
    assert "['x']" in dumped
