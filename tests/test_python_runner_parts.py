"""The parts of Runner, with scripted programs in the place of flows; tests/test_python_runner.py runs flows."""

import asyncio
import builtins
import gc
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import python_package  # noqa: F401
from conftest import wait_for_end
from metaflow import FlowSpec, JSONType, Parameter
from metaflow.runner import NBRunner, NBRunnerInitializationError
from metaflow.runner.process import FlowProcess
from metaflow.runner.words import command_words, top_level_words

DEADLINE = 60
TELL = 'import json, sys; open(sys.argv[-1], "w").write(json.dumps({"run_id": "7"}))\n'


def started(code, show_output=False, folder=None):
    """A program that runs `code`; its last word is where it writes its attributes."""
    command = [sys.executable, "-u", "-c", textwrap.dedent(code)]
    return FlowProcess(command, os.environ, folder, lambda path: [path], show_output)


def finish(process):
    assert process.wait(lambda: process.code is not None, DEADLINE)
    process.release()
    return process


def test_what_a_program_tells_and_prints_is_known():
    process = finish(started(TELL + 'print("out"); print("err", file=sys.stderr); sys.exit(3)'))
    assert process.attributes == {"run_id": "7"}
    assert (process.text("stdout"), process.text("stderr"), process.code) == ("out\n", "err\n", 3)


def test_a_program_that_tells_nothing_is_not_waited_for():
    process = started("raise SystemExit(4)")
    assert process.wait(process.knows, DEADLINE)
    assert (process.attributes, finish(process).code) == (None, 4)


def test_attributes_are_known_before_the_end():
    process = started(TELL + "sys.stdin.close(); import time; time.sleep(600)")
    assert process.wait(process.knows, DEADLINE)
    assert process.code is None
    process.kill()
    assert finish(process).code == -signal.SIGTERM


def test_output_is_shown_as_it_comes(capfd):
    finish(started('print("shown")', show_output=True))
    assert capfd.readouterr().out == "shown\n"


def test_output_that_is_no_utf_8_is_taken():
    process = finish(started(r'import os; os.write(1, b"a\xffb\xc3"); os.write(1, b"\xa4\n")'))
    assert process.text("stdout") == "a\N{REPLACEMENT CHARACTER}bä\n"


def test_a_program_that_ignores_being_asked_is_killed_with_what_it_started():
    process = started(
        """
        import json, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open(sys.argv[-1], "w").write(json.dumps({"child": child.pid}))
        time.sleep(600)
        """
    )
    assert process.wait(process.knows, DEADLINE)
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    wait_for_end(process.attributes["child"], DEADLINE)


def test_its_folder_and_environment_are_chosen(tmp_path):
    process = finish(started("import os; print(os.getcwd())", folder=str(tmp_path)))
    assert process.text("stdout") == f"{tmp_path}\n"


def test_a_program_that_cannot_be_started_leaves_nothing():
    gc.collect()  # what earlier tests have left does not count
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(FileNotFoundError):
        FlowProcess(["/no/such/program"], os.environ, None, lambda path: [path], False)
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)


def test_event_loops_wait_too():
    async def story():
        process = started(TELL + "print(1); print(2)")
        assert await process.wait_async(lambda: process.code is not None, DEADLINE)
        assert not await process.wait_async(lambda: False, 0.01)
        return [each async for each in process.lines("stdout")], [each async for each in process.lines("stdout", 2)]

    assert asyncio.run(story()) == ([(2, "1"), (4, "2")], [(4, "2")])


def test_lines_come_while_the_program_runs():
    async def story():
        process = started('import time; print("first"); time.sleep(600)')
        async for position, line in process.lines("stdout"):
            process.kill()
            return position, line, finish(process).code

    assert asyncio.run(story()) == (6, "first", -signal.SIGTERM)


# --- Words


class Parameters:
    known = {
        "i": Parameter("i", type=int),
        "r": Parameter("r", default=0.5),
        "t": Parameter("some-text"),
        "b": Parameter("b", default=True),
        "j": Parameter("j", type=JSONType),
        "s": Parameter("s", default="a,b", separator=","),
    }


def words(command, **keywords):
    return command_words(command, keywords, lambda: Parameters.known)


def test_keywords_become_words():
    assert words("run", i=3, r=1, some_text="x y", b=False, j={"k": [1]}, s=["a", "b"], max_workers=2) == [
        *("run", "--max-workers", "2", "--i", "3", "--r", "1", "--some-text", "x y", "--b", "False"),
        *("--j", '{"k": [1]}', "--s", "a,b"),
    ]
    assert words("run", tags=["a", "b"], decospecs=("retry",), user_namespace="n", i=None) == [
        *("run", "--tag", "a", "--tag", "b", "--with", "retry", "--namespace", "n")
    ]
    assert words("resume", step_to_rerun="start", origin_run_id="7") == ["resume", "--origin-run-id", "7", "start"]
    assert words("spin", pathspec="start", persist=True, skip_decorators=False) == [
        *("spin", "--persist", "--no-skip-decorators", "start")
    ]


def test_words_before_the_command():
    assert top_level_words({"quiet": True, "decospecs": ["retry"], "config_value": [("c", {"k": 1})]}) == [
        *("--quiet", "--with", "retry", "--config-value", "c", '{"k": 1}')
    ]
    with pytest.raises(ValueError, match="Unknown argument 'nope'; these are possible: quiet,"):
        top_level_words({"nope": 1})


@pytest.mark.parametrize("command", ["run", "resume", "spin"])
def test_an_unknown_keyword_is_refused_with_those_that_are_possible(command):
    with pytest.raises(ValueError, match=r"Unknown argument 'nope'.*max_log_size"):
        words(command, nope=1)


def test_parameters_are_for_run_only():
    with pytest.raises(ValueError, match="Unknown argument 'i'"):
        words("resume", i=1)


@pytest.mark.parametrize(
    "keywords",
    [
        {"i": "x"},
        {"i": True},
        {"i": [1]},
        {"b": 1},
        {"some_text": 1},
        {"tags": "x"},
        {"max_workers": "2"},
        {"tags": [1]},
    ],
)
def test_values_of_wrong_types_are_refused(keywords):
    with pytest.raises(TypeError, match=next(iter(keywords)).replace("some_text", "some-text")):
        words("run", **keywords)


# --- Notebooks


CELL = '''
from metaflow import FlowSpec, NBRunner, step

@print
class Other: pass

class InCell(FlowSpec):
    text = """two
lines"""

    @step
    def start(self):
        pass

run = NBRunner(InCell).nbrun()
'''


class InCell(FlowSpec):
    pass


@pytest.fixture
def notebook(monkeypatch):
    def show(*cells):
        shell = SimpleNamespace(user_ns={"In": ["", *cells]})
        monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)

    return show


def test_the_cell_of_a_flow_becomes_a_program(notebook, tmp_path):
    notebook("%magic", CELL.replace("two", "older"), CELL, "print(1)")
    with NBRunner(InCell, base_dir=str(tmp_path)) as runner:
        program = Path(runner.tmp_flow_file).read_text()
        assert Path(runner.tmp_flow_file).parent == tmp_path
        assert runner.runner.cwd == str(tmp_path)
    assert "two\nlines" in program
    assert "@print\nclass Other" in program
    assert "nbrun" not in program
    assert program.endswith('if __name__ == "__main__":\n    InCell()\n')
    subprocess.run([sys.executable, "-c", f"compile({program!r}, 'x', 'exec')"], check=True, timeout=DEADLINE)
    assert list(tmp_path.iterdir()) == []


def test_outside_of_notebooks_there_is_no_runner_for_them(monkeypatch, notebook):
    monkeypatch.delattr(builtins, "get_ipython", raising=False)
    with pytest.raises(NBRunnerInitializationError, match="for notebooks"):
        NBRunner(InCell)
    notebook("print(1)")
    with pytest.raises(NBRunnerInitializationError, match="No cell of this notebook defines the flow 'InCell'"):
        NBRunner(InCell)
