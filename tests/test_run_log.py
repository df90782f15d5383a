"""The log of a run, line by line, and the options that shape a run."""

import json
import re

import pytest

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"


def lines_of(log: str) -> list[str]:
    assert log.endswith("\n")
    return log[:-1].split("\n")


def without_stamps(log: str) -> list[str]:
    """Each line without its time; run id and pids become RUN and PID."""
    lines = []
    for line in lines_of(log):
        assert re.match(STAMP + " ", line), line
        line = re.sub(r"\(pid \d+\)", "(pid PID)", line[24:])
        lines.append(re.sub(r"\b\d{16}\b", "RUN", line))
    return lines


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_linear_run_is_logged_line_by_line(project, isolation):
    done = project.run_flow("values", "run", "--isolation", isolation).succeeded()
    assert without_stamps(done.stdout) == [
        "Workflow starting (run-id RUN):",
        "[RUN/start/1 (pid PID)] Task is starting.",
        "[RUN/start/1 (pid PID)] hello from start",
        "[RUN/start/1 (pid PID)] Task finished successfully.",
        "[RUN/middle/2 (pid PID)] Task is starting.",
        "[RUN/middle/2 (pid PID)] Task finished successfully.",
        "[RUN/end/3 (pid PID)] Task is starting.",
        "[RUN/end/3 (pid PID)] first and second 5",
        "[RUN/end/3 (pid PID)] Task finished successfully.",
        "Done!",
    ]


def test_what_comes_before_the_run_goes_to_stderr(project):
    said = project.run_flow("single", "run").succeeded().stderr
    assert re.match(r" *Metaflow \S+ executing Single for user:demo\n", said)
    assert project.run_flow("single", "--quiet", "run").succeeded().stderr == ""


def test_a_foreach_says_how_wide_it_is_just_before_it_finishes(project):
    log = without_stamps(project.run_flow("loops", "run").succeeded().stdout)
    yields = log.index("[RUN/start/1 (pid PID)] Foreach yields 3 child steps.")
    assert log[yields + 1] == "[RUN/start/1 (pid PID)] Task finished successfully."


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_failed_run_is_logged_and_ends_with_the_step_that_failed(project, isolation):
    failed = project.run_flow("misbehave", "run", "--how", "throw", "--isolation", isolation).failed()
    log = without_stamps(failed.stdout)
    assert "[RUN/work/2 (pid PID)] <flow Misbehave step work[0] (input: 0)> failed:" in log
    assert [line for line in log if "std::runtime_error" in line or "boom 0" in line]
    after = log[log.index("[RUN/work/2 (pid PID)] Task failed.") :]
    assert after[1] == "Workflow failed."
    assert after[2] == "Terminating 0 active tasks..."
    assert "Flushing logs..." in after
    assert re.search(r"^    Step failure:\n    Step work \(task-id 2\) failed", failed.stderr, re.MULTILINE)


def test_a_segmentation_fault_is_called_by_its_name(project):
    log = without_stamps(project.run_flow("misbehave", "run", "--how", "fault").failed().stdout)
    assert "[RUN/work/2 (pid PID)] Task failed with a segmentation fault." in log


def test_blank_and_indented_lines_are_relayed(project):
    log = without_stamps(project.run_flow("misbehave", "run", "--how", "lines").succeeded().stdout)
    said = [line.removeprefix("[RUN/work/2 (pid PID)] ") for line in log if line.startswith("[RUN/work/2 ")]
    assert said[1:1001] == [f"line {i}" for i in range(1000)]
    assert said[1001] == "indented"
    assert said[1002] in ("", "[RUN/work/2 (pid PID)]")
    assert said[-2:] == ["no newline at the end", "Task finished successfully."]


def test_logs_shows_what_a_task_printed(project):
    project.run_flow("misbehave", "run", "--how", "lines").succeeded()
    run = project.latest_run("Misbehave")
    shown = project.run_flow("misbehave", "logs", f"{run}/work").succeeded()
    lines = shown.stdout.split("\n")
    assert lines[:1000] == [f"line {i}" for i in range(1000)]
    assert lines[1000] == "  indented"
    assert f"run_id={run} step=work task_id=2" in shown.stderr


def test_dump_shows_every_public_artifact(project):
    project.run_flow("single", "run").succeeded()
    run = project.latest_run("Single")
    shown = project.run_flow("single", "dump", f"{run}/only").succeeded()
    assert "answer [size: 5 type: <class 'int'>] = 42\n" in shown.stdout
    assert f"Dumping output of run_id={run} step=only task_id=1" in shown.stderr


def test_the_run_id_goes_where_it_was_asked_for(project):
    arguments = ["--run-id-file", "id.txt", "--runner-attribute-file", "runner.json"]
    project.run_flow("single", "run", *arguments).succeeded()
    run = project.latest_run("Single")
    assert (project.folder / "id.txt").read_text() == run
    attributes = json.loads((project.folder / "runner.json").read_text())
    assert attributes["run_id"] == run and attributes["flow_name"] == "Single"


def test_one_worker_runs_one_task_at_a_time(project):
    log = without_stamps(project.run_flow("misbehave", "run", "--width", "5", "--max-workers", "1").succeeded().stdout)
    running = most = 0
    for line in log:
        running += line.endswith("Task is starting.") - line.endswith("Task finished successfully.")
        most = max(most, running)
    assert most == 1 and running == 0


def test_foreach_tasks_start_in_the_order_of_their_items(project):
    project.run_flow("loops", "run", "--width", "9", "--depth", "1").succeeded()
    assert project.official("""
        tasks = sorted(Flow('Loops').latest_run['body'], key=lambda t: int(t.id))
        result = [t.index for t in tasks]
    """) == list(range(9))
