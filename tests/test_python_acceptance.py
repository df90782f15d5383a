"""What every Metaflow has to do: the same flow file is run by this package and by the official one, and what the user sees is compared:
exit codes, messages, and what the official client tells.

The whole list, by number, is in docs/python.md, "Acceptance"; most of it is shown by the flows of test_python_runs.py.
"""

import os
import re
import shutil
from dataclasses import dataclass
from typing import Optional

import pytest
from conftest import PythonProject, flow_file

RESUMED = re.compile(r"run-id (\d+)")
EXECUTED = re.compile(r"\[\d+/(\w+)/\d+ \(pid \d+\)\] Task is starting\.")


@dataclass
class Both:
    """Two folders, for the two packages."""

    ours: PythonProject
    official: PythonProject

    def run(self, name, *arguments, **variables):
        """How both ended; they run at the same time."""
        started = [
            (self.ours, self.ours.start_ours(name, *arguments, **variables)),
            (self.official, self.official.start_officially(name, *arguments, **variables)),
        ]
        return [project.finish(process) for project, process in started]

    def stories(self, name, flow):
        return [project.story(name, flow) for project in (self.ours, self.official)]


@pytest.fixture
def both(python_project, official_project) -> Both:
    return Both(python_project, official_project)


# --- How runs fail


def test_06_more_splits_than_allowed_fail_the_run_and_not_the_task(both):
    for said in both.run("nested", "run", "--max-num-splits", "2"):
        assert re.search(r"\b3\b.*\b2\b.*--max-num-splits", said.failed().stderr)
    ours, official = both.stories("nested", "Nested")
    assert ours == official
    assert [task["successful"] for task in ours["steps"]["start"]] == [True]


@pytest.mark.parametrize(
    ("way", "options"),
    [
        pytest.param("no items", [], id="07_a_foreach_over_nothing"),
        pytest.param("raise", ["--with", "retry:times=3"], id="23_retry_of_the_source_and_of_the_command_line"),
        pytest.param("constant", [], id="17_assigning_to_a_constant"),
    ],
)
def test_a_step_fails_as_officially(both, way, options):
    ours, official = both.run("ways_out", "run", *options, WAY=way)
    for said in (ours, official):
        assert said.failed().stdout.count("Task failed.") == 2
    assert line_named(ours) == line_named(official) == (line_of("foreach=") if way == "no items" else None)
    stories = both.stories("ways_out", "WaysOut")
    for story in stories:
        for task in story["steps"]["start"]:
            del task["logs"], task["_foreach_num_splits"]  # words of each package; a split that came to nothing
            if way == "constant":
                task["exception"] = task["exception"][0]
    assert stories[0] == stories[1]


def line_named(said) -> Optional[int]:
    """The line of the flow that a message of a task names."""
    found = re.search(r" on line (\d+):$", said.stdout, re.MULTILINE)
    return found and int(found[1])


def line_of(text) -> int:
    (line,) = (i for i, line in enumerate(flow_file("ways_out").read_text().splitlines(), 1) if text in line)
    return line


ATTEMPTS = """
    task = Flow("WaysOut").latest_run["start"].task
    result = [task.parent.parent.finished, task.current_attempt, task.successful, bool(task.finished)]
"""


def test_20_21_leaving_a_step_by_exit(both):
    """With 202 there is one attempt. With 0 before next the run fails in both, but the attempts cannot be compared: officially the
    task is said to have finished successfully, here it has failed and is tried again."""
    for said in both.run("ways_out", "run", WAY="refuse retries"):
        assert "will not be retried" in said.failed().stdout
    assert both.ours.official(ATTEMPTS) == both.official.official(ATTEMPTS) == [False, 0, False, False]
    ours, official = both.run("ways_out", "run", WAY="leave before next")
    assert official.failed().stdout.count("Task finished successfully.") == 1
    assert ours.failed().stdout.count("Task failed.") == 2


SIBLING = """
    run = Flow("Siblings").latest_run
    task = run["busy"].task
    result = [sorted(step.id for step in run), run.finished, task.finished, task.successful, task.stdout.splitlines()[-1:]]
"""


def fail_beside_a_sibling(project, hand):
    """The process of a run that has failed while a branch is still at work."""
    for name in ("at_work", "go_on"):
        os.mkfifo(project.folder / name)
    process = getattr(project, f"start_{hand}")("siblings", "run", FAIL="1")
    while b"Workflow failed." not in (line := process.stdout.readline()):
        assert line, project.finish(process)
    return process


def test_12_a_sibling_that_goes_on_and_on_is_killed_in_the_end(both):
    started = [
        (project, fail_beside_a_sibling(project, hand))
        for project, hand in ((both.ours, "ours"), (both.official, "officially"))
    ]
    seen = []
    for project, process in started:
        project.finish(process).failed()
        seen.append(project.official(SIBLING))
    steps = ["busy", "failing", "start"]
    assert seen[0] == seen[1] == [steps, False, False, False, ["[KILLED BY ORCHESTRATOR]"]]


def test_13_a_sibling_that_ends_in_time_is_successful_and_taken_over_by_resume(both):
    seen = []
    for project, hand in ((both.ours, "ours"), (both.official, "officially")):
        process = fail_beside_a_sibling(project, hand)
        (project.folder / "go_on").write_text("x")
        project.finish(process).failed()
        assert project.official(SIBLING)[1:4] == [False, True, True]
        resumed = getattr(project, hand)("siblings", "resume").succeeded()
        assert sorted(EXECUTED.findall(resumed.stdout)) == ["end", "failing", "join"]
        seen.append(without_ids(project.story("siblings", "Siblings", RESUMED.search(resumed.stdout)[1])))
    assert seen[0] == seen[1]


def without_ids(story):
    """Clones are numbered in any order."""
    for tasks in story["steps"].values():
        for task in tasks:
            del task["id"]
    return story


# --- Resume, in either hand


@dataclass
class Chain:
    """What became of a run that failed in its third round; of one that resumed it and failed in the foreach; and of one that executed
    the foreach again."""

    stories: list
    latest_was_first: bool


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Makes one by the hands it is told: of the run, of the resumption, and of that of a step. Each is made once."""
    failed = {}
    known = {}

    def first_failed(hand):
        if hand not in failed:
            project = PythonProject(tmp_path_factory.mktemp("first") / "project")
            getattr(project, hand)("restarted", "run", "--tag", "t", FAIL="loop:3").failed()
            failed[hand] = project
        return failed[hand]

    def make(first, second, third):
        if (first, second, third) in known:
            return known[first, second, third]
        project = PythonProject(tmp_path_factory.mktemp("chain") / "project")
        shutil.copytree(first_failed(first).root(), project.root())
        runs = [project.latest_run("Restarted")]
        # One after the other, so that what is finished by then is always the same.
        said = getattr(project, second)("restarted", "resume", "--max-workers", "1", FAIL="work:1").failed()
        runs.append(RESUMED.search(said.stdout)[1])
        said = getattr(project, third)("restarted", "resume", "spread", "--origin-run-id", runs[1]).succeeded()
        runs.append(RESUMED.search(said.stdout)[1])
        stories = [without_ids(story) for story in project.stories("restarted", "Restarted", *runs)]
        known[first, second, third] = Chain(stories, project.latest_run("Restarted") == runs[0])
        return known[first, second, third]

    return make


OFFICIAL_CHAIN = ("officially", "officially", "officially")


@pytest.mark.parametrize(
    "hands",
    [("ours", "ours", "ours"), ("officially", "ours", "officially"), ("ours", "officially", "ours")],
    ids="-".join,
)
def test_08_14_whoever_resumes_a_failed_run_it_becomes_the_same(chain, hands):
    """Rounds go on where they stopped, of a foreach only what failed is executed, and a named step with all that follows it."""
    ours, official = chain(*hands), chain(*OFFICIAL_CHAIN)
    executed = [
        {step for step, tasks in story["steps"].items() for task in tasks if not task["origin"]}
        for story in ours.stories
    ]
    assert executed == [{"start", "loop"}, {"loop", "spread", "work"}, {"spread", "work", "gather", "end"}]
    assert ours.stories == official.stories
    assert ours.latest_was_first and official.latest_was_first


def test_15_resume_refuses_parameters_and_what_it_does_not_know(both):
    both.ours.ours("caught_end", "run").succeeded()
    shutil.copytree(both.ours.root(), both.official.root())
    for words, code in (
        (["--kind", "two"], 2),
        (["nowhere"], 1),
        (["--origin-run-id", "99"], 1),
        (["join", "--origin-run-id", "99"], 1),
    ):
        ours, official = both.run("caught_end", "resume", *words)
        assert (ours.exit, ours.headline()) == (official.exit, official.headline())
        assert ours.exit == code
        assert words[-1 if code == 1 else 0] in ours.stderr


# --- Who runs, and where


@pytest.mark.parametrize("name", [None, "root"])
def test_24_a_user_without_a_name_is_called_root_and_officially_refused(both, name):
    """Not comparable: containers often have no other user, and a run of theirs is theirs."""
    for project in (both.ours, both.official):
        del project.variables["USER"]
        if name:
            project.variables["USER"] = name
    ours, official = both.run("lone", "run")
    assert "Unknown user" in official.failed().stderr
    ours.succeeded()
    assert "user:root" in both.ours.story("lone", "Lone")["system_tags"]


def test_25_a_run_in_a_subfolder_uses_the_store_of_the_nearest_ancestor(both):
    for project, start in ((both.ours, both.ours.start_ours), (both.official, both.official.start_officially)):
        project.root().mkdir()
        below = project.folder / "a/b"
        below.mkdir(parents=True)
        project.finish(start("lone", "run", cwd=below)).succeeded()
        assert not (below / ".metaflow").exists()
    ours, official = both.stories("lone", "Lone")
    assert ours == official


def test_30_a_foreach_into_a_join_is_refused_with_a_sentence_where_official_shows_a_traceback(both):
    """The messages cannot be compared: the official check ends with an IndexError."""
    ours, official = both.run("into_join", "check")
    assert "IndexError" in official.failed().stderr
    assert re.search(r"into_join.py on line \d+:\n.*straight into the join", ours.failed().stderr)
