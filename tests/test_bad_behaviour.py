"""Steps that do what steps should not, and runs that are stopped: messages, exit codes, and a store that is still read."""

import os
import select
import signal
import time

import pytest

ISOLATIONS = ["fork", "spawn"]


def judged(project) -> list:
    """What the official client says of the latest run: successful, finished, and that every task can be looked at."""
    return project.official("""
        run = Flow('Misbehave').latest_run
        looked_at = [(t.finished, t.stdout, t.stderr, [a.data for a in t]) for s in run for t in s]
        result = [run.successful, run.finished]
    """)


# Exceptions


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("throw", ["std::runtime_error", "boom 0"]),
        ("throw_int", ["int"]),
        ("throw_struct", ["NoException"]),
        ("throw_odd", ["OddException", "odd"]),
        ("throw_error", ["the engine's own kind"]),
        ("unset", ["unset"]),
    ],
)
def test_any_exception_fails_the_task_with_its_type_and_words(project, how, words, isolation):
    failed = project.run_flow("misbehave", "run", "--how", how, "--isolation", isolation).failed()
    for word in words:
        assert word in failed.stdout
    assert "Step work (task-id 2) failed" in failed.stderr
    assert judged(project) == [False, False]


# Ends of a process


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("how", ["exit0", "exit3", "quick_exit0", "abort", "fault", "kill"])
def test_a_step_that_ends_its_process_has_failed(project, how, isolation):
    failed = project.run_flow("misbehave", "run", "--how", how, "--isolation", isolation).failed()
    assert "Task failed" in failed.stdout
    assert "Step work (task-id 2) failed" in failed.stderr
    assert judged(project) == [False, False]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_process_that_a_step_left_behind_ends_with_it(project, isolation):
    project.run_flow("misbehave", "run", "--how", "fork", "--isolation", isolation).succeeded()
    project.wait_for_no_process()
    assert judged(project) == [True, True]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_step_that_returns_twice_is_done_once(project, isolation):
    project.run_flow("misbehave", "run", "--how", "fork_and_return", "--isolation", isolation).succeeded()
    assert judged(project) == [True, True]
    assert project.official("result = Flow('Misbehave').latest_run['work'].task.data.before") == "set"


@pytest.mark.parametrize("how", ["close_output", "chdir"])
def test_a_step_may_close_its_output_and_change_its_folder(project, how):
    project.run_flow("misbehave", "run", "--how", how).succeeded()
    assert judged(project) == [True, True]


def test_a_step_that_closes_the_engines_files_ends_the_run_without_hanging(project):
    done = project.run_flow("misbehave", "run", "--how", "close_all")
    assert done.exit in (0, 1)
    assert judged(project) == [done.exit == 0, done.exit == 0]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_one_failure_among_many_tasks_fails_the_run(project, isolation):
    failed = project.run_flow("misbehave", "run", "--how", "throw", "--width", "20", "--isolation", isolation).failed()
    assert failed.stderr.count("Step failure") == 1
    assert judged(project) == [False, False]
    project.wait_for_no_process()


# Temporary folders


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("how", ["well", "throw", "exit0", "quick_exit0", "fault", "kill", "fork"])
def test_a_task_leaves_no_temporary_folder_however_it_ends(project, tmp_path, how, isolation):
    room = tmp_path / "room"
    room.mkdir()
    words = ["--how", how, "--litter", "true", "--folder", str(project.folder), "--isolation", isolation]
    project.run_flow("misbehave", "run", *words, TMPDIR=room)
    project.wait_for_no_process()
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_tasks_of_a_killed_scheduler_leave_no_temporary_folder(project, tmp_path, isolation):
    room = tmp_path / "room"
    room.mkdir()
    process = start_blocked(project, 2, "--litter", "true", "--isolation", isolation, TMPDIR=room)
    assert len(list(room.iterdir())) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    project.wait_for_no_process()
    assert list(room.iterdir()) == []


# Output


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_hundred_megabytes_of_binary_output_do_no_harm(project, isolation):
    project.run_flow("misbehave", "run", "--how", "flood", "--isolation", isolation).succeeded()
    assert judged(project) == [True, True]


def test_a_run_whose_reader_went_away_ends(project):
    process = project.start_flow("misbehave", "run", "--how", "flood")
    process.stdout.close()
    process.stdout = None
    project.finish(process)
    project.wait_for_no_process()


# Interruption


def start_blocked(project, width: int, *arguments: str, **variables):
    """Starts a run whose `width` tasks all wait to be killed, and waits until they do."""
    pipe = project.folder / "announce"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # for writing too, so that it never ends
    options = ["--how", "block", "--folder", str(project.folder), "--width", str(width)]
    process = project.start_flow("misbehave", "run", *options, *arguments, **variables)
    arrived, end = 0, time.monotonic() + 60
    while arrived < width:
        ready, _, _ = select.select([reader], [], [], max(0, end - time.monotonic()))
        assert ready, f"only {arrived} of {width} tasks started"
        arrived += len(os.read(reader, 64))
    os.close(reader)
    return process


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_ctrl_c_ends_the_run_and_all_its_tasks(project, isolation):
    process = start_blocked(project, 3, "--isolation", isolation)
    os.kill(process.pid, signal.SIGINT)
    done = project.finish(process)
    assert done.exit == 1
    assert "interrupted" in (done.stdout + done.stderr).lower()
    assert "[KILLED BY ORCHESTRATOR]" in done.stdout
    project.wait_for_no_process()
    assert judged(project) == [False, False]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_requests_to_end_are_obeyed_too(project, number):
    process = start_blocked(project, 2)
    os.kill(process.pid, number)
    assert project.finish(process).exit != 0
    project.wait_for_no_process()
    assert judged(project) == [False, False]


def test_ctrl_c_at_the_terminal_reaches_everybody_and_is_reported_once(project):
    process = start_blocked(project, 2)
    os.killpg(process.pid, signal.SIGINT)
    done = project.finish(process)
    assert done.exit == 1
    assert (done.stdout + done.stderr).lower().count("interrupted") == 1
    project.wait_for_no_process()


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_killed_scheduler_leaves_no_process_behind(project, isolation):
    process = start_blocked(project, 3, "--isolation", isolation)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    project.wait_for_no_process()
    assert judged(project) == [False, False]
    project.run_flow("misbehave", "run").succeeded()
    assert judged(project) == [True, True]


# The store


def test_a_store_that_is_a_file_is_refused(project):
    (project.folder / ".metaflow").write_text("not a folder")
    failed = project.run_flow("single", "run")
    assert failed.exit == 1
    assert ".metaflow" in failed.stderr
    assert (project.folder / ".metaflow").read_text() == "not a folder"


def test_damaged_json_is_named_by_file(project):
    project.run_flow("single", "run").succeeded()
    run = project.latest_run("Single")
    record = project.root() / "Single" / run / "_meta/_self.json"
    record.write_text('{"run_number": ')
    failed = project.run_flow("reader", f"Single/{run}").failed()
    assert str(record) in failed.stderr
    project.run_flow("single", "run").succeeded()


def test_drafts_that_a_crash_left_change_nothing(project):
    project.run_flow("single", "run").succeeded()
    run = project.latest_run("Single")
    for folder in [project.root() / "Single", *(project.root() / "Single").rglob("*")]:
        if folder.is_dir():
            (folder / "tmpabcdefgh").write_text("half")
    read = project.run_flow("reader", f"Single/{run}").succeeded()
    assert '"finished":true' in read.stdout
    assert project.official("result = [len(list(Flow('Single'))), Flow('Single').latest_run.data.answer]") == [1, 42]


# Bad values


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--number", "many"], ["--number", "many"]),
        (["--number", "99999999999"], ["--number"]),
        (["--rate", "fast"], ["--rate", "fast"]),
        (["--flag", "perhaps"], ["--flag", "perhaps"]),
        (["--settings", "{"], ["--settings"]),
        (["--level", "middle"], ["--level", "low", "high"]),
        (["--notes", "nowhere.txt"], ["nowhere.txt"]),
        (["--numbr", "3"], ["--numbr", "--number"]),
        (["--max-workers", "none"], ["--max-workers"]),
        (["--tag", ""], ["tag"]),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(project, arguments, words):
    failed = project.run_flow("values", "run", *arguments)
    assert failed.exit in (1, 2) and "Workflow starting" not in failed.stdout
    for word in words:
        assert word in failed.stderr
    assert not (project.root() / "Values").exists()


def test_an_include_file_that_is_no_text_is_refused(project):
    (project.folder / "binary").write_bytes(b"\xff\xfe\x00")
    failed = project.run_flow("values", "run", "--notes", "binary")
    assert failed.exit in (1, 2) and "binary" in failed.stderr and "Workflow starting" not in failed.stdout


def test_bytes_that_are_no_text_are_refused_as_a_parameter(project):
    failed = project.run_flow("values", "run", "--word", b"\xff".decode("utf-8", "surrogateescape"))
    assert failed.exit == 2 and "--word" in failed.stderr
