"""Machines that misbehave: stores that are read-only or go away, clocks that are wrong, crowds, and few descriptors."""

import os
import re
import shutil
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import BUILD, judge, missing, program

# The store


READ_ONLY = """
mount -t tmpfs none "$1" || exit 99
cd "$1" && "$2" run >/dev/null && mount -o remount,ro "$1" || exit 98
for words in run resume; do "$2" $words; echo "$words: exit $?"; done
"$2" dump end >/dev/null; echo "dump: exit $?"
"$3" -c "from metaflow import Flow; print('answer', Flow('Single').latest_run.data.answer)"
"""


def test_a_read_only_store_can_be_read_and_refuses_runs_in_words(project):
    if subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True).returncode != 0:
        missing("no mount namespace can be made here: unshare --mount --map-root-user fails")
    folder = project.folder / "disk"
    folder.mkdir()
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", READ_ONLY, "sh"]
    done = project.run(*command, folder, program("single"), judge()).succeeded()
    assert "run: exit 1\n" in done.stdout and "resume: exit 1\n" in done.stdout
    assert done.stderr.count("the file system is read-only") == 2
    assert "answer 42\n" in done.stdout


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
@pytest.mark.parametrize("step", ["left", "end"])
def test_a_store_that_is_removed_while_a_task_runs_fails_the_run_in_words(project, step, isolation):
    pipe = project.folder / "pipe"
    os.mkfifo(pipe)
    small = ["--width", "1", "--depth", "1", "--isolation", isolation]
    process = project.start_flow("resumable", "run", "--max-workers", "1", *small, WAIT=step, PIPE=pipe)
    with pipe.open("w") as word:  # once the task has opened the other end
        shutil.rmtree(project.root())
        word.write("go on")
    lost = project.finish(process).failed()
    assert re.search(r"The records of run Resumable/\d+ are not in \S+ any more: they were removed", lost.stderr)
    project.wait_for_no_process()
    project.run_flow("resumable", "run", *small).succeeded()
    assert project.official("result = Flow('Resumable').latest_run.successful") is True


# Clocks

ODD_CLOCK = BUILD / "tests/programs/libodd_clock.so"


def odd_clock(kind: str) -> dict:
    start = time.time_ns() // 1000
    return {"LD_PRELOAD": ODD_CLOCK, "ODD_CLOCK": kind, "ODD_CLOCK_START": start}


@pytest.mark.preloaded
@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_clock_that_runs_backwards_puts_nothing_out_of_order(project, isolation):
    (project.folder / "words.txt").write_text("one\ntwo\n")
    options = ["--max-workers", "1", "--isolation", isolation]
    project.run_flow("crash", "run", *options, **odd_clock("backwards")).succeeded()
    # `part` 1 has failed once: whoever asks for the newest attempt gets the second.
    assert project.official("""
        run = Flow('Crash').latest_run
        tasks = sorted((int(t.id), t.created_at.timestamp()) for s in run for t in s)
        retried = next(t for t in run['part'] if t.index == 1)
        grown = all(a[1] < b[1] for a, b in zip(tasks, tasks[1:]))
        result = [run.successful, run.data.result, grown, retried.current_attempt, retried.successful, retried.stdout]
    """) == [True, "large one!two!", True, 1, True, "part two\n"]


@pytest.mark.preloaded
def test_lines_of_a_log_stay_in_order_though_the_clock_runs_backwards(project):
    project.run_flow("misbehave", "run", "--how", "lines", **odd_clock("backwards")).succeeded()
    run = project.latest_run("Misbehave")
    log = project.root() / "Misbehave" / run / "work/2/0.runtime_stdout.log"
    stamps = re.findall(r"^\[MFLOG\|0\|(\S+)Z\|runtime\|(\d+)\]", log.read_text(), re.MULTILINE)
    assert len(stamps) > 1000
    assert all(a[0] < b[0] and int(a[1]) < int(b[1]) for a, b in pairwise(stamps))


@pytest.mark.preloaded
def test_a_limit_is_kept_though_the_clock_runs_backwards(project):
    limit = ["--with", "timeout:seconds=0.3"]
    failed = project.run_flow("survive", "run", "--how", "hang", *limit, deadline=30, **odd_clock("backwards")).failed()
    assert "Step bare timed out after 0.3 s." in failed.stdout


@pytest.mark.preloaded
def test_runs_that_start_in_the_same_microsecond_get_ids_of_their_own(project):
    clock = odd_clock("still")
    processes = [project.start_flow("single", "run", **clock) for _ in range(6)]
    for process in processes:
        project.finish(process).succeeded()
    ids = project.official("result = [int(run.id) for run in Flow('Single') if run.successful]")
    start = clock["ODD_CLOCK_START"]
    assert sorted(ids) == list(range(start, start + 6))


# Crowds


def test_sixteen_runs_at_once_in_one_store_do_not_disturb_each_other(project):
    (project.folder / "words.txt").write_text("one\ntwo\n")
    processes = [project.start_flow("crash", "run", "--tag", f"number-{i}") for i in range(16)]
    for process in processes:
        project.finish(process).succeeded()
    runs = project.official("""
        runs = list(Flow('Crash'))
        result = [[run.successful, run.data.result, sum(1 for s in run for t in s)] for run in runs]
        result.append(sorted(tag for run in runs for tag in run.user_tags))
    """)
    assert runs.pop() == sorted(f"number-{i}" for i in range(16))
    assert runs == [[True, "large one!two!", 7]] * 16


def test_a_wide_foreach_gets_through_with_few_descriptors(project):
    width = ["--width", "300", "--max-num-splits", "300", "--max-workers", "64"]
    command = ["prlimit", "--nofile=256:256", program("misbehave"), "run", *width]
    done = project.run(*command).succeeded()
    assert done.stdout.count("Task finished successfully.") == 303
    assert project.official("""
        run = Flow('Misbehave').latest_run
        result = [run.successful, sum(1 for task in run['work'] if task.successful)]
    """) == [True, 300]


# Processes killed from outside


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_task(project, name: str, *arguments, **variables) -> subprocess.Popen:
    """Starts a run, and waits until its task says that it is there."""
    pipe = project.folder / "announce"
    os.mkfifo(pipe)
    process = project.start_flow(name, *arguments, "--folder", str(project.folder), **variables)
    with pipe.open("rb") as announcement:
        assert announcement.read(1) == b"."
    return process


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_killed_fork_server_leaves_nothing_not_even_in_another_session(project, tmp_path, isolation):
    room = tmp_path / "room"
    room.mkdir()
    options = ["--how", "wait", "--isolation", isolation]
    process = wait_for_task(project, "survive", "run", *options, TMPDIR=room)
    (guard,) = children(process.pid)
    (server,) = children(guard)
    os.kill(server, signal.SIGKILL)
    failed = project.finish(process).failed()
    assert "Step after (task-id 3) failed." in failed.stderr
    project.wait_for_no_process()


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_tasks_of_a_killed_fork_server_leave_no_temporary_folder(project, tmp_path, isolation):
    room = tmp_path / "room"
    room.mkdir()
    options = ["--how", "block", "--litter", "true", "--isolation", isolation]
    process = wait_for_task(project, "misbehave", "run", *options, TMPDIR=room)
    assert len(list(room.iterdir())) == 1
    (guard,) = children(process.pid)
    (server,) = children(guard)
    os.kill(server, signal.SIGKILL)
    project.finish(process).failed()
    assert list(room.iterdir()) == []


def test_a_run_goes_on_without_the_process_that_guards_its_fork_server(project):
    pipe = project.folder / "pipe"
    os.mkfifo(pipe)
    process = project.start_flow("resumable", "run", "--width", "1", "--depth", "1", WAIT="end", PIPE=pipe)
    with pipe.open("w") as word:
        (guard,) = children(process.pid)
        os.kill(guard, signal.SIGKILL)
        word.write("go on")
    project.finish(process).succeeded()
    project.wait_for_no_process()


def test_a_step_typed_by_hand_and_killed_leaves_no_temporary_folder(project, tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    block = ["--how", "block", "--litter", "true", "--folder", str(project.folder)]
    run = wait_for_task(project, "misbehave", "run", *block[:4])
    os.kill(run.pid, signal.SIGTERM)
    project.finish(run)
    project.wait_for_no_process()
    (project.folder / "announce").unlink()
    os.mkfifo(project.folder / "announce")
    words = ["step", "work", "--run-id", project.latest_run("Misbehave"), "--task-id", "99", "--split-index", "0"]
    words += ["--input-paths", f"{project.latest_run('Misbehave')}/start/1"]
    step = project.start_flow("misbehave", *words, TMPDIR=room)
    with (project.folder / "announce").open("rb") as announcement:
        assert announcement.read(1) == b"."
    assert len(list(room.iterdir())) == 1
    os.kill(step.pid, signal.SIGKILL)
    project.finish(step)
    project.wait_for_no_process()
    assert list(room.iterdir()) == []
