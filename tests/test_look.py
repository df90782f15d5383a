"""`metaflow ls` and `metaflow inspect`, on runs of C++ flows and of an official Python flow."""

import json
import re

import pytest
from conftest import BUILD

METAFLOW = BUILD / "bin/metaflow"


def metaflow(project, *arguments, **variables):
    return project.run(METAFLOW, *arguments, **variables)


def document(project, *arguments):
    return json.loads(metaflow(project, *arguments, "--json").succeeded().stdout)


def rows(project, *arguments) -> list[list[str]]:
    """Cells of a table; columns are two or more spaces apart."""
    lines = metaflow(project, *arguments).succeeded().stdout.splitlines()
    return [re.split(r" {2,}", line.strip()) for line in lines]


@pytest.fixture(scope="module")
def ran(shared_project):
    """Runs of three flows: one by another user, and one that failed."""
    project = shared_project
    project.run_flow("loops", "run", "--width", "3", "--tag", "colour:red", "--tag", "b").succeeded()
    project.loops = f"Loops/{project.latest_run('Loops')}"
    project.run_flow("single", "run", USER="ann").succeeded()
    project.single = f"Single/{project.latest_run('Single')}"
    project.run_flow("misbehave", "run").succeeded()
    project.good = f"Misbehave/{project.latest_run('Misbehave')}"
    project.run_flow("misbehave", "run", "--how", "throw", "--tag", "bad").failed()
    project.bad = f"Misbehave/{project.latest_run('Misbehave')}"
    return project


# Lists


def test_without_a_path_flows_are_listed_with_their_latest_run(ran):
    table = rows(ran, "ls")
    assert table[0] == ["FLOW", "RUNS", "LATEST RUN", "STATUS", "STARTED"]
    assert [row[:4] for row in table[1:]] == [
        ["Loops", "1", ran.loops.split("/")[1], "done"],
        ["Misbehave", "2", ran.bad.split("/")[1], "failed"],
        ["Single", "1", ran.single.split("/")[1], "done"],
    ]
    flows = document(ran, "ls")["flows"]
    assert [(flow["flow"], flow["runs"], flow["latest_run"]["status"]) for flow in flows] == [
        ("Loops", 1, "done"),
        ("Misbehave", 2, "failed"),
        ("Single", 1, "done"),
    ]


def test_runs_of_a_flow_come_newest_first(ran):
    table = rows(ran, "ls", "Misbehave")
    assert table[0] == ["RUN", "STATUS", "STARTED", "TOOK", "USER", "TAGS"]
    assert [row[:2] for row in table[1:]] == [[ran.bad.split("/")[1], "failed"], [ran.good.split("/")[1], "done"]]
    assert table[1][-2:] == ["demo", "bad"]


def test_a_run_as_json_has_all_that_is_documented(ran):
    (run,) = document(ran, "ls", "Loops/")["runs"]
    assert set(run) == {"run", "pathspec", "status", "user", "tags", "system_tags", "started", "ended", "seconds"}
    assert (run["pathspec"], run["user"], run["tags"]) == (ran.loops, "demo", ["b", "colour:red"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", run["ended"])
    theirs = ran.official("r = Run(p); result = (r.finished_at - r.created_at).total_seconds()", p=ran.loops)
    assert run["seconds"] == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--status", "failed"], ["bad"]),
        (["--status", "unfinished"], []),
        (["--tag", "bad"], ["bad"]),
        (["--tag", "bad", "--tag", "worse"], []),
        (["--user", "ann"], []),
        (["--user", "demo"], ["bad", "good"]),
        (["--since", "1h"], ["bad", "good"]),
        (["--until", "2020-01-01"], []),
        (["--since", "2020-01-01", "--until", "0m"], ["bad", "good"]),
        (["--limit", "1"], ["bad"]),
        (["--namespace", "user:demo"], ["bad", "good"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_runs_can_be_filtered(ran, filters, expected):
    runs = document(ran, "ls", "Misbehave", *filters)["runs"]
    assert [run["pathspec"] for run in runs] == [getattr(ran, name) for name in expected]


def test_a_list_that_is_cut_says_so(ran):
    assert "Only 1 runs are listed; --limit 0 lists all." in metaflow(ran, "ls", "Misbehave", "--limit", "1").stderr
    assert metaflow(ran, "ls", "Misbehave", "--limit", "2").succeeded().stderr == ""


def test_steps_of_a_run_are_listed_with_their_tasks_by_status(ran):
    table = rows(ran, "ls", ran.loops)
    assert table[0] == ["STEP", "TASKS", "DONE", "CAUGHT", "FAILED", "UNFINISHED", "STARTED", "TOOK"]
    assert [row[:3] for row in table[1:]] == [
        ["start", "1", "1"],
        ["body", "3", "3"],
        ["leaf", "6", "6"],
        ["inner_join", "3", "3"],
        ["join", "1", "1"],
        ["end", "1", "1"],
    ]
    failed = {step["step"]: step["tasks"] for step in document(ran, "ls", ran.bad)["steps"]}
    assert failed["work"] == {"total": 1, "done": 0, "caught": 0, "failed": 1, "unfinished": 0}


def test_tasks_of_a_step_are_listed_in_order(ran):
    tasks = document(ran, "ls", f"{ran.loops}/body")["tasks"]
    assert [task["index"] for task in tasks] == [0, 1, 2]
    assert rows(ran, "ls", f"{ran.loops}/body")[1][:4] == [tasks[0]["task"], "done", "0", "0"]
    assert document(ran, "ls", f"{ran.loops}/body", "--status", "failed")["tasks"] == []


# One thing


def test_a_flow_says_how_its_runs_ended(ran):
    said = metaflow(ran, "inspect", "Misbehave").succeeded().stdout
    assert "2: 1 done, 1 failed" in said
    flow = document(ran, "inspect", "Misbehave")
    assert flow["runs"] == {"total": 2, "done": 1, "caught": 0, "failed": 1, "unfinished": 0}
    assert flow["latest_run"]["pathspec"] == ran.bad
    assert flow["latest_successful_run"]["pathspec"] == ran.good


def test_a_failed_run_says_which_task_failed_and_why(ran):
    said = metaflow(ran, "inspect", ran.bad).succeeded().stdout
    assert re.search(rf"{ran.bad}/work/2 +std::runtime_error: boom 0", said)
    run = document(ran, "inspect", ran.bad)
    assert run["failed_tasks"] == [{"pathspec": f"{ran.bad}/work/2", "reason": "std::runtime_error: boom 0"}]
    assert {a["name"]: a["value"] for a in run["parameters"]}["how"] == "'throw'"
    assert run["ended"] is not None


def test_a_step_says_what_is_around_it(ran):
    step = document(ran, "inspect", f"{ran.loops}/leaf")
    assert (step["tasks"]["total"], step["parents"], step["children"]) == (6, ["body"], ["inner_join"])
    assert "6: 6 done" in metaflow(ran, "inspect", f"{ran.loops}/leaf").succeeded().stdout


def test_a_task_shows_artifacts_place_and_neighbours(ran):
    task = document(ran, "inspect", f"{ran.loops}/body/2")
    assert task["foreach"] == [{"step": "body", "variable": "outer", "index": 0, "num_splits": 3, "value": "item 0"}]
    assert task["parents"] == [f"{ran.loops}/start/1"]
    artifacts = {artifact["name"]: artifact for artifact in task["artifacts"]}
    assert artifacts["letter"]["value"] == "'item 0'"
    assert artifacts["inner"]["type"] == "<class 'list'>"
    key, size = ran.official("a = Task(p)['inner']; result = [a.sha, a.size]", p=f"{ran.loops}/body/2")
    assert (artifacts["inner"]["key"], artifacts["inner"]["size"]) == (key, size)
    assert task["metadata"]["foreach-execution-path"] == "body:0"
    said = metaflow(ran, "inspect", f"{ran.loops}/body/2").succeeded().stdout
    assert "outer[0] = item 0" in said and re.search(r"letter +\d+ +<class 'str'> +'item 0'", said)


def test_a_failed_task_shows_the_end_of_what_it_printed(ran):
    said = metaflow(ran, "inspect", f"{ran.bad}/work/2", "--lines", "1").succeeded().stdout
    assert said.endswith("End of standard error\nTask failed.\n")
    task = document(ran, "inspect", f"{ran.bad}/work/2")
    assert task["exception"]["type"] == "std::runtime_error"
    assert task["status"] == "failed"


def test_an_artifact_is_shown_whole(ran):
    said = metaflow(ran, "inspect", f"{ran.loops}/end/{last_task(ran)}/leaves").succeeded().stdout
    assert said.endswith("\n['item 0/0', 'item 0/10', 'item 1/0', 'item 1/10', 'item 2/0', 'item 2/10']\n")


def last_task(ran) -> str:
    return document(ran, "ls", f"{ran.loops}/end")["tasks"][0]["task"]


def test_runs_of_official_python_flows_are_shown(project):
    project.official_flow("linear", "run").succeeded()
    run = f"Linear/{project.latest_run('Linear')}"
    assert document(project, "ls", "Linear")["runs"][0]["status"] == "done"
    task = project.official("result = Run(run)['start'].task.pathspec", run=run)
    artifacts = {a["name"]: a["value"] for a in document(project, "inspect", task)["artifacts"]}
    assert artifacts["big"] == str(2**70)
    assert artifacts["text"] == "'grüße'"
    assert "Decimal" in artifacts["opaque"]
    assert "first line\nlast line\n" in metaflow(project, "inspect", task).succeeded().stdout


# What is wrong


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls", "Loop"], "There is no run of a flow 'Loop' here. Did you mean 'Loops'?"),
        (["ls", "Loops/5"], "There is no run 'Loops/5'. 'metaflow ls Loops' lists the runs of this flow."),
        (["ls", "LOOPS/boddy"], "has no step 'boddy', or it has not started. Did you mean 'body'?"),
        (["inspect", "LOOPS/body/77"], "has no task '77'."),
        (["inspect", "LOOPS/body/2/lettre"], "has no artifact 'lettre'. Did you mean 'letter'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_not_there_is_said_with_what_is(ran, arguments, message):
    result = metaflow(ran, *(word.replace("LOOPS", ran.loops) for word in arguments)).failed()
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls", "a/b/c/d"], "'a/b/c/d' is none of Flow, Flow/run, Flow/run/step."),
        (["inspect", "a//b"], "'a//b' is none of Flow, Flow/run"),
        (["inspect"], "Missing argument 'PATHSPEC'."),
        (["ls", "Loops", "--status", "finished"], "'finished' is not one of done, caught, failed, unfinished"),
        (["ls", "Loops", "--since", "yesterday"], "Invalid value for '--since': 'yesterday'"),
        (["ls", "--user", "ann"], "--user does not apply to a list of flows; name a flow to list its runs."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_command_line_is_a_usage_error(ran, arguments, message):
    result = metaflow(ran, *arguments)
    assert result.exit == 2
    assert message in result.stderr


def test_where_nothing_has_run_there_is_nothing_to_list(project):
    assert "There is no '.metaflow'" in metaflow(project, "ls").failed().stderr
    (project.folder / ".metaflow").mkdir()
    assert metaflow(project, "ls").succeeded().stdout == "No flow has run here.\n"


def test_the_name_of_the_user_is_no_filter(ran):
    assert len(document(ran, "ls")["flows"]) == 3
    assert len(json.loads(metaflow(ran, "ls", "Single", "--json", METAFLOW_USER="bob").stdout)["runs"]) == 1
