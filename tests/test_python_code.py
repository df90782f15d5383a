"""`package` of flows in Python, and what clients say of the code of their runs."""

import shutil
import tarfile

import pytest
from conftest import OUR_PACKAGE, SYSTEM_PYTHON, flow_file, judge
from test_package import READ_CODE, make_code_of


@pytest.fixture
def python_flow(python_project):
    """A flow with files beside it, of which some belong to its code."""
    flow = python_project.folder / "flow.py"
    shutil.copy(flow_file("lone"), flow)
    for name in ("below/helper.py", "notes.txt", "script.R", ".hidden/x.py", "__pycache__/y.py"):
        (python_project.folder / name).parent.mkdir(exist_ok=True)
        (python_project.folder / name).write_text(f"text = {name!r}\n")
    return flow


def names_of(listed: str) -> list[str]:
    return sorted(name for name in listed.splitlines() if not name.startswith((".mf_", "bin/", "lib/")))


@pytest.mark.parametrize("suffixes", [(), ("--package-suffixes", ".txt")], ids=["", "chosen"])
def test_the_package_of_a_flow_in_python_holds_the_files_of_the_official_one(
    python_project, official_project, python_flow, suffixes
):
    listed = python_project.ours(python_flow, *suffixes, "package", "list", "--archive").succeeded().stdout
    official = official_project.run(judge(), python_flow, *suffixes, "package", "save", "x.tgz").succeeded()
    assert "saved in x.tgz" in official.stderr
    with tarfile.open(official_project.folder / "x.tgz") as archive:
        assert names_of(listed) == names_of("\n".join(archive.getnames()))


def test_a_flow_in_python_runs_from_its_package_alone(python_project, python_flow):
    said = python_project.ours(python_flow, "package", "save", "x.tgz").succeeded()
    assert "saved in x.tgz" in said.stderr
    elsewhere = python_project.folder.parent / "elsewhere"
    with tarfile.open(python_project.folder / "x.tgz") as archive:
        archive.extractall(elsewhere)
    alone = {"PYTHONPATH": elsewhere / ".mf_code", "METAFLOW_LIBRARY": ""}
    python_project.run(SYSTEM_PYTHON, elsewhere / "flow.py", "run", **alone).succeeded()
    info = python_project.ours(python_flow, "package", "info").succeeded().stdout
    assert f"Sources in {python_flow.parent}, with suffixes .py, .R, .RDS\n" in info and "Program" not in info


def test_a_local_run_has_no_code_package_but_one_that_has_is_read(python_project, official_project, python_flow):
    official_project.run(judge(), python_flow, "run").succeeded()
    without = "namespace(None)\nrun = Flow('Lone').latest_run\nresult = [run.code, next(iter(run)).task.code]"
    assert official_project.official(without) == [None, None]
    python_project.ours(python_flow, "run").succeeded()
    assert python_project.official(without) == [None, None]
    read = "from metaflow import Flow, namespace\n" + without + "\nprint(result)"
    assert python_project.run(SYSTEM_PYTHON, "-c", read, **OUR_PACKAGE).succeeded().stdout == "[None, None]\n"
    python_project.ours(python_flow, "package", "save", "x.tgz").succeeded()
    run = python_project.latest_run("Lone")
    make_code_of(python_project, "Lone", run, (python_project.folder / "x.tgz").read_bytes(), first_step="only")
    told = python_project.official(READ_CODE, pathspec=f"Lone/{run}")
    assert told == ["flow.py", python_flow.read_text(), python_flow.read_text()]
