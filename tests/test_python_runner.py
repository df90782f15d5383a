"""Runner with flows: what it tells of a run while that goes on, and when it has ended."""

import json
import os
import signal

from conftest import OUR_PACKAGE, REPOSITORY, SYSTEM_PYTHON, flow_file, judge

NOTEBOOK = REPOSITORY / "tests/python/notebook.py"

BEGIN = """
import asyncio, json, os, sys
from metaflow import Runner, namespace
namespace(None)
path = sys.argv[1]

def tell(executing, what="run"):
    known = getattr(executing, what)
    return [executing.status, executing.returncode, type(executing).__name__, known.finished if known else None]

def error_of(action):
    try:
        action()
    except Exception as error:
        return [type(error).__name__, "possible" in str(error)]
"""

COMPARED = """
told = {}
with Runner(path, show_output=False) as runner:
    first = runner.run(tags=["a", "b"], max_workers=1)
    told["run"] = [tell(first), sorted(first.run.user_tags), "Done!" in first.stdout, first.stderr != ""]
    failed = runner.run(fails=True)
    told["failed"] = tell(failed)
    resumed = runner.resume(step_to_rerun="caught", origin_run_id=first.run.id)
    told["resumed"] = [tell(resumed), resumed.run.origin_pathspec == first.run.pathspec]
    spun = runner.spin("start")
    told["spun"] = [tell(spun, "task"), spun.task.path_components[2]]
    told["errors"] = {
        "no such run": error_of(lambda: runner.resume(origin_run_id="99"))[0],
        "wrong type": error_of(lambda: runner.run(max_workers="x"))[0],
        "wrong parameter": error_of(lambda: runner.run(fails="x"))[0],
        "unknown": error_of(lambda: runner.run(nope=1)),
        "no file": error_of(lambda: Runner("nope.py"))[0],
    }

async def story():
    async with Runner(path, show_output=False) as runner:
        executing = await runner.async_run()
        begun = tell(executing)[1:3]
        lines = [line async for _, line in executing.stream_log("stdout")]
        same = await executing.wait() is executing
        stopped = await runner.async_run()
        await stopped.wait(timeout=0.01)
        return {
            "begun": begun,
            "lines": any("Done!" in line for line in lines),
            "same": same,
            "ended": tell(executing),
            "stopped": stopped.status,
        }

told["async"] = asyncio.run(story())
"""

OWN = """
told = {"environment": Runner(path, show_output=False, env={"METAFLOW_RUN_FAILS": "True"}).run().status}
told["top level"] = Runner(path, show_output=False, decospecs=["retry"]).run().status

async def story():
    async with Runner(path, show_output=False) as runner:
        both = await asyncio.gather(runner.async_run(), runner.async_run())
        await asyncio.gather(*(each.wait() for each in both))
        resumed = await (await runner.async_resume(origin_run_id=both[0].run.id)).wait(stream="stdout")
        spun = await (await runner.async_spin("start")).wait()
        return [each.status for each in (*both, resumed, spun)] + [both[0].run.id != both[1].run.id, spun.task.id]

told["async"] = asyncio.run(story())
"""


def story_of(project, python, story, **variables):
    code = BEGIN + story + 'print("STORY " + json.dumps(told))'
    said = project.run(python, "-c", code, flow_file("looked_at"), **variables).succeeded()
    return json.loads(said.stdout.rpartition("STORY ")[2])


def test_runner_does_what_the_official_one_does(python_project, official_project):
    path = f"{judge().parent}:{official_project.variables['PATH']}"
    official = story_of(official_project, judge(), COMPARED, PATH=path)
    assert story_of(python_project, SYSTEM_PYTHON, COMPARED, **OUR_PACKAGE) == official


def test_several_runs_go_on_at_a_time(python_project):
    assert story_of(python_project, SYSTEM_PYTHON, OWN, **OUR_PACKAGE) == {
        "environment": "failed",
        "top level": "successful",
        "async": ["successful"] * 4 + [True, "0"],
    }


def test_output_is_shown(python_project):
    code = "import sys; from metaflow import Runner; Runner(sys.argv[1]).run()"
    said = python_project.run(SYSTEM_PYTHON, "-c", code, flow_file("looked_at"), **OUR_PACKAGE).succeeded()
    assert "one line" in said.stdout
    assert "executing LookedAt" in said.stderr


def test_a_flow_that_cannot_start_is_told_with_its_output(python_project):
    (python_project.folder / "broken.py").write_text(
        "from metaflow import FlowSpec, step\n"
        "class Broken(FlowSpec):\n"
        "    @step\n"
        "    def start(self):\n"
        "        self.next(self.nowhere)\n"
        "if __name__ == '__main__':\n"
        "    Broken()\n"
    )
    code = "from metaflow import Runner; Runner('broken.py', show_output=False).run()"
    said = python_project.run(SYSTEM_PYTHON, "-c", code, **OUR_PACKAGE).failed()
    assert "RuntimeError" in said.stderr
    assert "has a transition" in said.stderr


ENDLESS = """
import os, sys, time
from metaflow import FlowSpec, NBRunner, namespace, step
class Endless(FlowSpec):
    @step
    def start(self):
        print('begun')
        time.sleep(600)  # until the test interrupts it
        self.next(self.end)
    @step
    def end(self):
        pass
"""


def test_ctrl_c_stops_the_run(python_project):
    (python_project.folder / "endless.py").write_text(ENDLESS + "if __name__ == '__main__':\n    Endless()\n")
    code = "from metaflow import Runner; Runner('endless.py').run()"
    temporary = python_project.folder / "temporary"
    temporary.mkdir()
    process = python_project.start([SYSTEM_PYTHON, "-c", code], TMPDIR=temporary, **OUR_PACKAGE)
    while b"begun" not in process.stdout.readline():
        pass
    os.kill(process.pid, signal.SIGINT)
    said = python_project.finish(process)
    assert "KeyboardInterrupt" in said.stderr
    python_project.wait_for_no_process()
    assert list(temporary.iterdir()) == []


def test_interrupting_a_cell_of_a_notebook_stops_its_run(python_project):
    cells = [
        ENDLESS + "NBRunner(Endless).nbrun()",
        "namespace(None)\nfrom metaflow import Flow\nprint(Flow('Endless').latest_run['start'].task.finished)",
        "print([name for name in os.listdir() if name.endswith('.py')])",
    ]
    (python_project.folder / "cells.json").write_text(json.dumps(cells))
    said = python_project.run(judge(), NOTEBOOK, "cells.json", **OUR_PACKAGE).succeeded()
    (line,) = (line for line in said.stdout.splitlines() if line.startswith("CELLS "))
    interrupted, *others = json.loads(line[len("CELLS ") :])
    assert interrupted[:2] == ["error", "KeyboardInterrupt"]
    assert "Aborted!" in interrupted[2]
    assert others == [["ok", None, "False\n"], ["ok", None, "[]\n"]]
    python_project.wait_for_no_process()


def test_a_flow_of_a_notebook_is_run(python_project):
    code = """
import builtins, types
source = open(__import__("sys").argv[1]).read().rpartition("if __name__")[0]
builtins.get_ipython = lambda: types.SimpleNamespace(user_ns={"In": [source]})
from metaflow import NBRunner, namespace
namespace(None)
exec(source)
print("TAGS", sorted(NBRunner(LookedAt, show_output=False).nbrun(tags=["x"]).user_tags))
"""
    said = python_project.run(SYSTEM_PYTHON, "-c", code, flow_file("looked_at"), **OUR_PACKAGE).succeeded()
    assert "TAGS ['x']" in said.stdout
    assert [path.name for path in python_project.folder.glob("*.py")] == []
