"""What a run looks like on a terminal: colours, and the status line of a wide run. A pseudo terminal shows it."""

import os
import re
import select
import signal
import subprocess
import time

import pytest
from conftest import DEADLINE, program

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
ERASE_LINE = "\r\x1b[K"
STATUS = re.compile(r"\d+ running, \d+ done, \d+ queued; \d+ tasks/s, about \d+ s left")


def on_terminal(project, name: str, *arguments, **variables) -> tuple[int, str]:
    """Exit code of a flow, and all that it wrote to the terminal that it was run on."""
    terminal, end = os.openpty()
    process = subprocess.Popen(
        [program(name), *arguments],
        cwd=project.folder,
        env=project.variables | variables,
        stdin=subprocess.DEVNULL,
        stdout=end,
        stderr=end,
        start_new_session=True,
    )
    os.close(end)
    written, deadline = b"", time.monotonic() + DEADLINE
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"{name} did not end in time and wrote:\n{written.decode(errors='replace')}")
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:  # nobody holds the other end any more
            break
        if not chunk:
            break
        written += chunk
    os.close(terminal)
    return process.wait(timeout=DEADLINE), written.decode().replace("\r\n", "\n")


def shown(written: str) -> list[str]:
    """The lines that are left on the screen."""
    return [line.rsplit(ERASE_LINE, 1)[-1] for line in written.split("\n")]


def test_each_part_of_a_line_has_its_colour(project):
    code, written = on_terminal(project, "values", "run")
    assert code == 0
    assert re.search(f"^\x1b\\[35m{STAMP}\x1b\\[0m \x1b\\[1mWorkflow starting .*:\x1b\\[0m$", written, re.MULTILINE)
    head = f"\x1b\\[35m{STAMP}\x1b\\[0m \x1b\\[32m\\[\\d+/start/1 \\(pid \\d+\\)\\]\x1b\\[0m "
    assert re.search(f"^{head}\x1b\\[1mTask is starting\\.\x1b\\[0m$", written, re.MULTILINE)
    assert re.search(f"^{head}hello from start$", written, re.MULTILINE)
    assert re.search(f"^\x1b\\[35m{STAMP}\x1b\\[0m \x1b\\[1mDone!\x1b\\[0m$", written, re.MULTILINE)


def test_what_went_wrong_is_red(project):
    code, written = on_terminal(project, "misbehave", "run", "--how", "throw")
    assert code == 1
    assert re.search("\x1b\\[31mTask failed\\.\x1b\\[0m$", written, re.MULTILINE)
    assert re.search(f"^\x1b\\[35m{STAMP}\x1b\\[0m \x1b\\[31mWorkflow failed\\.\x1b\\[0m$", written, re.MULTILINE)


def test_messages_are_coloured_by_kind_and_erase_the_rest_of_their_line(project):
    code, written = on_terminal(project, "values", "check")
    assert code == 0
    assert re.search("^\x1b\\[1;35m *Metaflow .* executing Values .*\x1b\\[0m\x1b\\[K$", written, re.MULTILINE)
    assert "Checking the flow...\x1b[K\n\x1b[1;32m    The graph is sound.\x1b[0m\x1b[K\n" in written
    code, written = on_terminal(project, "values", "dump", "1/start/1")
    assert code == 1
    assert re.search("^\x1b\\[1;31m    .*:\x1b\\[0m\x1b\\[K$", written, re.MULTILINE)


@pytest.mark.parametrize("words", [["run"], ["check"]])
def test_no_color_turns_colours_off(project, words):
    code, written = on_terminal(project, "values", *words, NO_COLOR="1")
    assert code == 0 and "\x1b" not in written


@pytest.mark.parametrize("words", [["run"], ["check"]])
def test_an_empty_no_color_does_not(project, words):
    assert "\x1b[35m" in on_terminal(project, "values", *words, NO_COLOR="")[1].replace("1;35m", "35m")


def test_a_wide_run_shows_its_progress_below_its_lines(project):
    code, written = on_terminal(project, "misbehave", "run", "--width", "60", NO_COLOR="1")
    assert code == 0
    statuses = STATUS.findall(written)
    assert statuses
    # Each is erased before anything else is written.
    assert all(after.startswith(ERASE_LINE) for after in STATUS.split(written)[1:])
    lines = shown(written)
    assert lines.pop() == ""
    done = [line for line in lines if re.match(f"{STAMP} ", line)]
    assert len([line for line in done if line.endswith("Task finished successfully.")]) == 63
    assert not [line for line in lines if STATUS.search(line)]


def test_progress_counts_every_task_once(project):
    written = on_terminal(project, "misbehave", "run", "--width", "60", NO_COLOR="1")[1]
    counts = [[int(number) for number in re.findall(r"\d+", status)[:3]] for status in STATUS.findall(written)]
    assert all(running <= 16 and running + done + queued <= 63 for running, done, queued in counts)
    assert [done for _, done, _ in counts] == sorted(done for _, done, _ in counts)


def test_a_narrow_run_shows_no_progress(project):
    written = on_terminal(project, "misbehave", "run", "--width", "5", NO_COLOR="1")[1]
    assert not STATUS.search(written) and "\x1b" not in written


def test_no_progress_is_shown_elsewhere(project):
    said = project.run_flow("misbehave", "run", "--width", "60").succeeded().stdout
    assert not STATUS.search(said) and "\x1b" not in said
