"""Our client on runs of C++ flows: navigation, tags, and how often it opens a file. `reader` prints a run as JSON, `tagger`
changes tags, `scan` reads one number from each task of a step."""

import collections
import json
import re
import shutil
from itertools import pairwise

import pytest
from conftest import missing, program


def read(project, pathspec: str) -> dict:
    return json.loads(project.run_flow("reader", pathspec).succeeded().stdout)


def tasks_by_index(run: dict, step: str) -> list[dict]:
    return sorted(run["steps"][step].values(), key=lambda task: task["index"])


# Navigation


@pytest.fixture(scope="module")
def wide(shared_project):
    """The pathspec of a run with twelve splits, so that indices 1, 10 and 11 begin alike."""
    shared_project.run_flow("loops", "run", "--width", "12", "--depth", "2").succeeded()
    return f"Loops/{shared_project.latest_run('Loops')}"


def test_a_task_of_a_wide_foreach_has_one_parent_and_its_own_children(shared_project, wide):
    run = read(shared_project, wide)
    bodies = {f"{wide}/body/{id}": task for id, task in run["steps"]["body"].items()}
    for pathspec, body in bodies.items():
        assert body["parents"] == [f"{wide}/start/1"]
        assert len(body["children"]) == 2
        for child in body["children"]:
            leaf = run["steps"]["leaf"][child.split("/")[-1]]
            assert leaf["parents"] == [pathspec]
            assert leaf["stack"][0][2] == body["index"]
    joins = [task["parents"] for task in run["steps"]["inner_join"].values()]
    assert sorted(len(parents) for parents in joins) == [2] * 12
    assert sorted(run["steps"]["start"]["1"]["children"]) == sorted(bodies)


def test_a_join_leads_back_to_its_splits_in_their_order(shared_project, wide):
    run = read(shared_project, wide)
    (join,) = run["steps"]["join"].values()
    indices = [run["steps"]["inner_join"][parent.split("/")[-1]]["index"] for parent in join["parents"]]
    assert indices == list(range(12))


def test_where_the_official_client_is_right_ours_agrees_with_it(shared_project, wide):
    theirs = shared_project.official(
        """
        run = Run(pathspec)
        result = [sorted(run['join'].task.parent_task_pathspecs), sorted(run['start'].task.child_task_pathspecs),
                  {s.id: [[p.id for p in s.parent_steps], [c.id for c in s.child_steps]] for s in run}]
        """,
        pathspec=wide,
    )
    run = read(shared_project, wide)
    (join,) = run["steps"]["join"].values()
    assert [sorted(join["parents"]), sorted(run["steps"]["start"]["1"]["children"]), run["graph"]] == theirs


def test_turns_of_a_recursive_step_follow_one_another(project):
    project.run_flow("recursion", "run").succeeded()
    pathspec = f"Recursion/{project.latest_run('Recursion')}"
    steps = read(project, pathspec)["steps"]
    (turning,) = (step for step, tasks in steps.items() if len(tasks) > 1)
    ids = sorted(steps[turning], key=int)
    for before, after in pairwise(ids):
        assert steps[turning][before]["children"] == [f"{pathspec}/{turning}/{after}"]
        assert steps[turning][after]["parents"] == [f"{pathspec}/{turning}/{before}"]
    first, last = steps[turning][ids[0]], steps[turning][ids[-1]]
    assert [path.split("/")[2] for path in first["parents"]] != [turning]
    assert len(first["parents"]) == len(last["children"]) == 1


# Status


@pytest.mark.parametrize(
    ("how", "expected"), [("", "done"), ("throw", "failed"), ("exit3", "failed"), ("kill", "failed")]
)
def test_a_run_says_how_it_ended(project, how, expected):
    project.run_flow("misbehave", "run", *(["--how", how] if how else []))
    run = read(project, f"Misbehave/{project.latest_run('Misbehave')}")
    assert run["status"] == expected
    assert run["steps"]["work"]["2"]["status"] == expected
    assert run["origin"] is None


# Tags


def test_tags_that_ours_changes_are_seen_by_the_official_client(project):
    project.run_flow("single", "run", "--tag", "old", "--tag", "kept").succeeded()
    run = project.latest_run("Single")
    before = read(project, f"Single/{run}")["created_at"]
    project.run_flow("tagger", f"Single/{run}", "+new", "-old", "-never", "-kept+swapped").succeeded()
    assert project.official(
        "run = Run('Single/' + run); result = [sorted(run.user_tags), round(run.created_at.timestamp() * 1000)]",
        run=run,
    ) == [["new", "swapped"], before]


def test_a_system_tag_cannot_be_removed(project):
    project.run_flow("single", "run").succeeded()
    refused = project.run_flow("tagger", f"Single/{project.latest_run('Single')}", "-user:demo").failed()
    assert "'user:demo' is a system tag" in refused.stderr


# Cost


def opened_files(project, *command) -> collections.Counter:
    """How often each file and folder of the datastore was opened while a program ran."""
    if not shutil.which("strace"):
        missing("strace is missing; `./dev setup test` installs it")
    trace = project.folder.parent / "trace"
    project.run("strace", "-f", "-e", "trace=openat,open", "-o", trace, *command).succeeded()
    opened = re.findall(rf'"({re.escape(str(project.root()))}/[^"]*)".* = \d+', trace.read_text())
    return collections.Counter(opened)


@pytest.mark.preloaded
def test_reading_one_number_of_each_task_opens_five_files_for_each_and_none_twice(shared_project, wide):
    opened = opened_files(shared_project, program("scan"), f"{wide}/inner_join", "index_in_join")
    assert {path: count for path, count in opened.items() if count > 1 and not path.endswith("/_meta")} == {}
    to_find_the_step = 12  # the records of the run and of each step, and their folders
    assert opened.total() <= 5 * 12 + to_find_the_step, sorted(opened)
