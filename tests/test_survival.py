"""Runs that survive what their steps do: retries, limits, caught exceptions, failed branches, and what is left behind."""

import os
import re
import select
import signal
import time

import pytest

ISOLATIONS = ["fork", "spawn"]
TIMEOUT = "metaflow.plugins.timeout_decorator.TimeoutException"
WRAPPED_DEATH = "metaflow.plugins.catch_decorator.FailureHandledByCatch"


def survive(project, how: str, *arguments, **settings):
    return project.run_flow("survive", "run", "--how", how, "--folder", str(project.folder), *arguments, **settings)


def work(project, expression: str):
    """`expression` over `run` and its task of step work, by the official client."""
    return project.official(f"run = Flow('Survive').latest_run; task = run['work'].task; result = {expression}")


# Limits and caught exceptions


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_step_that_fails_and_then_hangs_is_caught_as_timed_out(project, isolation):
    done = survive(project, "throw_then_hang", "--isolation", isolation).succeeded()
    assert done.stdout.count("Task is starting (retry).") == 1
    assert re.search(r"\] >  .*Step work timed out after 1 s", done.stdout)
    assert work(project, "[task.finished, task.successful, task.exception, run['after'].task.data.seen]") == [
        True,
        False,
        None,
        TIMEOUT,
    ]
    assert work(project, "[task.data.trouble.type, task['_catch_exception'].data.type]") == [TIMEOUT, TIMEOUT]
    assert work(project, "[Task(task.pathspec, attempt=0).exception.type, task.current_attempt]") == [
        "std::runtime_error",
        1,
    ]
    assert work(project, "[run.successful, run.finished]") == [True, True]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_limit_without_catch_fails_the_run_with_its_exception(project, isolation):
    arguments = ["--with", "timeout:seconds=0.3", "--isolation", isolation]
    failed = survive(project, "hang", *arguments).failed()
    assert "Step bare timed out after 0.3 s." in failed.stdout
    assert "Step bare (task-id 4) failed." in failed.stderr
    exception, finished = work(project, "[run['bare'].task.exception.type, run['bare'].task.finished]")
    assert exception == TIMEOUT and finished is False
    assert "timed out" in work(project, "run['bare'].task.stderr")


def test_what_a_timed_out_step_started_ends_with_it(project):
    survive(project, "leave_and_hang").succeeded()
    assert work(project, "run['after'].task.data.all_ended") is True


def test_an_exception_on_every_attempt_is_caught_and_what_was_set_before_it_stays(project):
    survive(project, "throw").succeeded()
    assert work(project, "[task.data.trouble.exception, task.data.before, run['after'].task.data.before]") == [
        "boom",
        "set in attempt 1",
        "set in attempt 1",
    ]
    assert work(project, "[task.finished, task.successful, str(task.data.trouble)]") == [True, False, "boom"]


def test_a_step_that_is_caught_but_goes_well_leaves_nothing_in_the_variable(project):
    survive(project, "well").succeeded()
    assert work(project, "[task.data.trouble, task.successful]") == [None, True]
    keys = project.artifact_keys("Survive", project.latest_run("Survive"), "work", "2")
    assert "_catch_exception" not in keys
    assert work(project, "run['after'].task.data.seen") == "nothing"


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_step_whose_process_dies_each_time_is_handled_by_a_fallback(project, isolation):
    done = survive(project, "exit", "--isolation", isolation).succeeded()
    assert done.stdout.count("Task is starting (retry).") == 1
    assert done.stdout.count("Task fallback is starting to handle the failure.") == 1
    assert work(project, "[task.data.trouble.type, task.finished, task.successful, task.current_attempt]") == [
        WRAPPED_DEATH,
        True,
        False,
        2,
    ]
    assert work(project, "[[a.id for a in Task(task.pathspec, attempt=n)] for n in (0, 1)]") == [[], []]
    folder = project.root() / "Survive" / project.latest_run("Survive") / "work/2"
    done_attempts = sorted(path.name for path in folder.glob("*.DONE.lock"))
    assert done_attempts == ["2.DONE.lock"]


def test_exit_code_202_is_one_attempt(project):
    failed = survive(project, "exit_for_good").failed()
    assert "(retry)" not in failed.stdout and "fallback" not in failed.stdout
    assert "This failed task will not be retried." in failed.stdout
    assert "Step work (task-id 2) failed." in failed.stderr
    assert work(project, "[task.finished, task.current_attempt]") == [False, 0]


def test_a_caught_last_step_ends_the_run_well_but_not_successfully(project):
    done = survive(project, "end").succeeded()
    assert "Done!" in done.stdout and ">  " in done.stdout
    assert work(project, "[run.successful, run.finished, run['end'].task.exception]") == [False, True, None]


def test_an_exit_before_the_end_of_the_body_is_a_failed_attempt_though_its_code_is_zero(project):
    failed = project.run_flow("misbehave", "run", "--how", "exit0", "--with", "retry:times=1").failed()
    assert failed.stdout.count("Task is starting (retry).") == 1
    assert "exited with code 0 before the step was complete." in failed.stderr


# Decorators of the command line


def test_a_retry_by_with_does_not_replace_the_steps_own(project):
    failed = project.run_flow("siblings", "run", "--seconds", "0", "--with", "retry:times=3").failed()
    assert "(retry)" not in failed.stdout


def test_a_retry_by_with_reaches_the_other_steps_in_both_isolations(project):
    for isolation in ISOLATIONS:
        done = survive(project, "throw_once", "--with", "retry:times=1", "--isolation", isolation).succeeded()
        assert done.stdout.count("Task is starting (retry).") == 1


def test_a_retry_waits_when_it_is_asked_to(project):
    retry = ["--with", "retry:times=1,minutes_between_retries=0.002"]
    done = survive(project, "throw_once", *retry, "--retry-delay").succeeded()
    assert "Task will be retried in 0.12 s." in done.stdout
    assert "retried in" not in survive(project, "throw_once", *retry).succeeded().stdout


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("retry:times=5", "from 0 to 4"),
        ("timeout", "more than 0"),
        ("timeout:seconds=soon", "seconds=soon"),
        ("catch:vars=x", "Did you mean 'var'?"),
        ("resources:memory=0", "memory=0"),
        ("secrets:sources=[1]", "neither text nor a dict"),
        ("batch:swappiness=100", "from 0 to 99"),
        ("batch", "requires --datastore=s3"),
        ("retries", "Did you mean 'retry'?"),
    ],
)
def test_bad_decorators_are_refused_before_anything_runs(project, spec, words):
    failed = project.run_flow("single", "run", "--with", spec).failed()
    assert words in failed.stderr and "Workflow starting" not in failed.stdout


@pytest.mark.parametrize(
    ("flow", "words"), [("loops", "goes on with a foreach"), ("recursion", "goes on with a switch")]
)
def test_catch_for_all_steps_is_refused_where_a_step_chooses_what_follows(project, flow, words):
    failed = project.run_flow(flow, "run", "--with", "catch").failed()
    assert words in failed.stderr and "Workflow starting" not in failed.stdout


def test_decorators_are_shown(project):
    shown = project.run_flow("survive", "show").succeeded().stdout
    assert "@retry\n@timeout\n@catch\nStep work" in shown
    raw = project.run_flow("survive", "output-raw").succeeded().stdout
    assert "retry<static times=1 minutes_between_retries=2> | timeout<static seconds=1 minutes=0 hours=0>" in raw
    assert "catch<static var=trouble print_exception=True>" in raw


# Variables


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_step_has_the_variables_and_secrets_it_asks_for(project, isolation):
    survive(project, "well", "--isolation", isolation).succeeded()
    assert work(project, "run['bare'].task.data.variables") == "plain hidden"
    assert work(project, "run['end'].task.data.variables") == "plain hidden"


def test_a_secret_does_not_replace_a_variable_that_is_set(project):
    failed = survive(project, "well", SURVIVE_SECRET="mine").failed()
    assert "SURVIVE_SECRET, which is set already" in failed.stdout
    assert work(project, "[run['bare'].task.finished, 'SURVIVE_SECRET' in run['bare'].task.exception.exception]") == [
        False,
        True,
    ]


# A failed run


def test_a_sibling_that_ends_in_time_is_successful_and_nothing_follows(project):
    project.run_flow("siblings", "run", "--seconds", "2").failed()
    assert project.official("""
        run = Flow('Siblings').latest_run
        result = [run['good'].task.successful, run['good'].task.data.side, sorted(s.id for s in run)]
    """) == [True, "good", ["bad", "good", "start"]]


def test_a_sibling_that_hangs_is_killed_after_five_seconds(project):
    started = time.monotonic()
    failed = project.run_flow("siblings", "run", "--seconds", "1000").failed()
    assert time.monotonic() - started >= 5
    assert "Killing 1 remaining tasks after having waited for 5 seconds" in failed.stdout
    project.wait_for_no_process()
    stdout, stderr, steps = project.official("""
        run = Flow('Siblings').latest_run
        result = [run['good'].task.stdout, run['good'].task.stderr, sorted(s.id for s in run)]
    """)
    assert stdout.rstrip().endswith("[KILLED BY ORCHESTRATOR]") and "[KILLED BY ORCHESTRATOR]" in stderr
    assert steps == ["bad", "good", "start"]


def test_a_failed_run_ends_with_what_failed_and_what_to_type_next(project):
    failed = project.run_flow("siblings", "run", "--seconds", "0").failed()
    run = project.latest_run("Siblings")
    block, _, summary = failed.stderr.partition("1 task failed:\n")
    assert block.endswith("    Step failure:\n    Step bad (task-id 2) failed.\n\n")
    assert f"    {run}/bad/2: std::runtime_error: bad\n" in summary and "branch" not in summary
    logs, resume = re.findall(r"^ +(\S*siblings (?:logs|resume) .+)$", summary, re.MULTILINE)
    assert resume.endswith(f"siblings resume --origin-run-id {run}")
    said = project.run(*logs.split()).succeeded()
    assert "bad\nbranch" in said.stdout


# Interruption


def start_and_wait(project, name: str, *arguments):
    """Starts a run, and waits until its step says that it is there."""
    pipe = project.folder / "announce"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    process = project.start_flow(name, "run", "--folder", str(project.folder), *arguments)
    ready, _, _ = select.select([reader], [], [], 60)
    assert ready
    os.close(reader)
    return process


def read_until(process, words: bytes) -> bytes:
    said, end = b"", time.monotonic() + 60
    while words not in said:
        ready, _, _ = select.select([process.stdout], [], [], max(0, end - time.monotonic()))
        assert ready, said
        chunk = os.read(process.stdout.fileno(), 65536)
        assert chunk, said
        said += chunk
    return said


def test_a_second_ctrl_c_kills_at_once(project):
    process = start_and_wait(project, "survive", "--how", "wait")
    os.kill(process.pid, signal.SIGINT)
    read_until(process, b"Terminating 1 active tasks")
    os.kill(process.pid, signal.SIGINT)
    done = project.finish(process)
    assert done.exit == 1 and done.stderr.endswith("Aborted!\n")
    assert re.search(r"Killing 1 remaining tasks after having waited for [0-4] seconds", done.stdout)
    project.wait_for_no_process()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_run_that_is_ended_leaves_no_process_not_even_in_another_session(project, number, isolation):
    process = start_and_wait(project, "survive", "--how", "wait", "--isolation", isolation)
    assert (project.folder / "left").exists()
    os.kill(process.pid, number)
    done = project.finish(process)
    assert done.exit == (1 if number == signal.SIGINT else -number)
    project.wait_for_no_process()
