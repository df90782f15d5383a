"""Logs of tasks that are still running, and logs that are scrubbed."""

import json
import os
import select
import signal
import time
from pathlib import Path

import pytest
from conftest import BUILD, DEADLINE, wait_for_end


class Talk:
    """A running task of `talker`, which has printed its first line."""

    def __init__(self, project):
        self.project = project
        for name in ("announce", "go"):
            os.mkfifo(project.folder / name)
        announce = os.open(project.folder / "announce", os.O_RDONLY | os.O_NONBLOCK)
        self.process = project.start_flow("talker", "run", "--run-id-file", "run-id")
        readable, _, _ = select.select([announce], [], [], DEADLINE)
        assert readable and os.read(announce, 1) == b"."
        os.close(announce)
        self.path = (project.folder / "run-id").read_text() + "/talk"

    def follow(self, *arguments):
        return self.project.start_flow("talker", "logs", "--follow", *arguments, self.path)

    def go_on(self):
        (self.project.folder / "go").write_text(".")

    def task_process(self) -> int:
        """The only process below that of a program which has none below itself."""
        parents = {pid: parent_of(pid) for pid in self.project.processes()}
        (pid,) = (pid for pid, parent in parents.items() if parent != os.getpid() and pid not in parents.values())
        return pid


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def line_of(process) -> str:
    """The next line of its standard output; fails at the deadline."""
    line = b""
    end = time.monotonic() + DEADLINE
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([process.stdout], [], [], max(end - time.monotonic(), 0))
        assert readable, f"no whole line came, only {line!r}"
        byte = os.read(process.stdout.fileno(), 1)
        assert byte, f"the output ended after {line!r}"
        line += byte
    return line.decode().rstrip("\n")


@pytest.fixture
def talk(project):
    talk = Talk(project)
    yield talk
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid, DEADLINE)
    talk.process.communicate()


def test_following_shows_lines_as_they_come_and_ends_with_the_task(project, talk):
    following = talk.follow()
    assert sorted([line_of(following), line_of(following)]) == ["first", "warning"]
    talk.go_on()
    assert line_of(following) == "second, without a newline"
    assert project.finish(following).succeeded().stdout == ""
    assert project.finish(talk.process).succeeded()


def test_one_stream_can_be_followed_alone(project, talk):
    following = talk.follow("--stderr")
    assert line_of(following) == "warning"
    talk.go_on()
    assert project.finish(following).succeeded().stdout == ""
    project.finish(talk.process).succeeded()


def test_following_ends_when_the_task_dies(project, talk):
    following = talk.follow("--stderr")
    assert line_of(following) == "warning"
    os.kill(talk.task_process(), signal.SIGKILL)
    assert project.finish(following).succeeded().stdout.endswith("\nTask failed.\n")
    project.finish(talk.process).failed()


def test_following_ends_with_a_sentence_when_the_scheduler_is_killed(project, talk):
    following = talk.follow("--stderr")
    assert line_of(following) == "warning"
    talk.process.kill()
    ended = project.finish(following).succeeded()
    assert ended.stdout == ""
    assert "has gone without finishing it: nothing more will come." in ended.stderr


def test_following_the_task_of_a_killed_run_shows_what_there_is_and_ends(project, talk):
    following = talk.follow("--stderr")
    assert line_of(following) == "warning"  # so it is stored
    talk.process.kill()
    project.finish(following)
    wait_for_end(talk.process.pid, DEADLINE)
    ended = project.finish(talk.follow("--stderr")).succeeded()
    assert ended.stdout == "warning\n"
    assert "has gone without finishing it" in ended.stderr


def test_following_a_task_that_has_ended_shows_all_and_ends(project):
    project.run_flow("misbehave", "run", "--how", "lines", "--width", "2").succeeded()
    path = f"{project.latest_run('Misbehave')}/work"
    lines = project.run_flow("misbehave", "logs", "--follow", "--stdout", path).succeeded().stdout.splitlines()
    for task in ("2", "3"):
        own = [line.removeprefix(f"[{path}/{task}] ") for line in lines if line.startswith(f"[{path}/{task}] ")]
        assert own[:1000] == [f"line {i}" for i in range(1000)]
        assert own[-1] == "no newline at the end"


# Scrubbing


def test_scrubbed_logs_are_gone_for_both_clients(project):
    project.run_flow("values", "run").succeeded()
    run = project.latest_run("Values")
    said = project.run_flow("values", "logs", "scrub", f"{run}/start").succeeded()
    assert f"Logs have been scrubbed for {run}/start/1 - attempt 0" in said.stderr
    shown = project.run_flow("values", "logs", f"{run}/start/1", "--stdout").succeeded()
    assert shown.stdout == "[REDACTED runtime stdout]\n"
    assert project.official("result = [Run(r)['start'].task.stdout, Run(r)['end'].task.stdout]", r=f"Values/{run}") == [
        "[REDACTED runtime stdout]\n",
        "first and second 5\n",
    ]


def test_one_stream_can_be_scrubbed_alone(project):
    project.run_flow("commands", "run", "--who", "Ada").succeeded()
    path = f"{project.latest_run('Commands')}/start"
    project.run_flow("commands", "logs", "scrub", "--stderr", path).succeeded()
    shown = project.run_flow("commands", "logs", path).succeeded().stdout
    assert shown == "  hello Ada\n[REDACTED runtime stderr]\n"


def test_an_attempt_that_has_not_ended_is_scrubbed_only_when_asked_for(project):
    project.run_flow("misbehave", "run", "--how", "exit3").failed()
    path = f"{project.latest_run('Misbehave')}/work"
    refused = project.run_flow("misbehave", "logs", "scrub", path).failed()
    assert "--include-not-done" in refused.stderr
    project.run_flow("misbehave", "logs", "scrub", "--include-not-done", path).succeeded()
    assert project.run_flow("misbehave", "logs", path).succeeded().stdout == "[REDACTED runtime stderr]\nTask failed.\n"


def test_a_scrubbed_task_that_died_has_still_failed(project):
    project.run_flow("misbehave", "run", "--how", "exit3").failed()
    run = project.latest_run("Misbehave")
    project.run_flow("misbehave", "logs", "scrub", "--include-not-done", f"{run}/work").succeeded()
    listed = project.run(BUILD / "bin/metaflow", "ls", "--json", f"Misbehave/{run}/work").succeeded()
    assert [task["status"] for task in json.loads(listed.stdout)["tasks"]] == ["failed"]
    seen = project.official("result = Task(pathspec).stderr", pathspec=f"Misbehave/{run}/work/2")
    assert seen == "[REDACTED runtime stderr]\nTask failed.\n"


def test_all_attempts_can_be_scrubbed(project):
    project.run_flow("misbehave", "run", "--how", "throw", "--with", "retry:times=1,minutes_between_retries=0").failed()
    path = f"{project.latest_run('Misbehave')}/work"
    scrub = project.run_flow("misbehave", "logs", "scrub", "--all", path).succeeded()
    assert scrub.stderr.count("scrubbed") == 2
    for attempt in ("0", "1"):
        shown = project.run_flow("misbehave", "logs", "--attempt", attempt, path).succeeded().stdout
        assert shown == "[REDACTED runtime stderr]\nTask failed.\n"
