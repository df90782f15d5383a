"""Flows and command lines with mistakes: exit code and headline, with file and line, are the official ones; the words are our own.

Where they differ on purpose, the tests at the end of a section, or docs/python.md, say why.
"""

import json
import re
import shutil
import textwrap

import pytest
from conftest import REPOSITORY, PythonProject, Result, judge

FORKS = REPOSITORY / "tests/python/official_forks.py"

START = "@step\ndef start(self):\n    {}\n"
PLAIN = START.format("self.next(self.end)")
JOIN = "@step\ndef join(self, inputs):\n    self.next(self.end)\n"


def start(body: str) -> str:
    return START.format(body.replace("\n", "\n    "))


def step(name: str, body: str, decorators: str = "") -> str:
    return f"{decorators}@step\ndef {name}(self):\n    {body}\n"


def to_join(*names: str) -> str:
    return "".join(step(name, "self.next(self.join)") for name in names)


#: Members of a class Mistaken, which is given the step `end` unless it has one.
FLOWS = {
    # Python
    "syntax": PLAIN.replace("(self):", "(self:"),
    "indentation": PLAIN.replace("    self", "  \tself\n    x = 1\n self"),
    # The graph
    "no self": PLAIN.replace("(self)", "()"),
    "two arguments too many": PLAIN.replace("(self)", "(self, inputs, more)"),
    "joins and splits": start("self.next(self.a, self.b)")
    + to_join("a", "b")
    + JOIN.replace("self.end", "self.c, self.d")
    + step("c", "self.next(self.end)")
    + step("d", "self.next(self.end)"),
    "step with a reserved name": start("self.next(self.input)") + step("input", "self.next(self.end)"),
    "transition to the start": start("self.next(self.a)") + step("a", "self.next(self.start)"),
    "transition of the end": PLAIN + step("end", "self.next(self.start)"),
    "capital": start("self.next(self.Big)") + step("Big", "self.next(self.end)"),
    "leading underscore": start("self.next(self._a)") + step("_a", "self.next(self.end)"),
    "no transition": start("pass"),
    "transition not last": start("self.next(self.end)\nself.x = 1"),
    "target in quotes": start("self.next('end')"),
    "target in a variable": start("target = self.end\nself.next(target)"),
    "unknown keyword": start("self.next(self.end, each='x')"),
    "two keywords": start("self.next(self.end, foreach='x', num_parallel=2)"),
    "unknown target": start("self.next(self.nowhere)"),
    "target no step": start("self.next(self.helper)") + "def helper(self):\n    pass\n",
    "cycle": start("self.next(self.a)") + step("a", "self.next(self.b)") + step("b", "self.next(self.a)"),
    "orphan": PLAIN + step("alone", "self.next(self.end)"),
    "split not joined": start("self.next(self.a, self.b)")
    + step("a", "self.next(self.end)")
    + step("b", "self.next(self.end)"),
    "join of nothing": start("self.next(self.join)") + JOIN,
    "join of some branches": start("self.next(self.a, self.b, self.c)")
    + to_join("a", "b")
    + step("c", "self.next(self.end)")
    + JOIN,
    "join of different splits": start("self.next(self.a, self.b)")
    + step("a", "self.next(self.c, self.d)")
    + to_join("b", "c", "d")
    + JOIN,
    "switch with one case": start("self.next({'a': self.end}, condition='x')"),
    "switch without condition": start("self.next({'a': self.end, 'b': self.end})"),
    "switch by a variable": start("self.next({k: self.end, 'b': self.end}, condition='x')"),
    "switch into a join": start("self.next(self.a, self.b)")
    + step("a", "self.next({1: self.join, 2: self.c}, condition='x')")
    + to_join("b", "c")
    + JOIN,
    "foreach to two": start("self.next(self.a, self.b, foreach='x')") + to_join("a", "b") + JOIN,
    "gang of an ordinary step": start("self.next(self.a, num_parallel=2)") + to_join("a") + JOIN,
    "gang not joined": start("self.next(self.a, num_parallel=2)")
    + step("a", "self.next(self.join)", "@parallel\n")
    + step("join", "self.next(self.end)"),
    "parallel step without a gang": start("self.next(self.a)") + step("a", "self.next(self.end)", "@parallel\n"),
    # Decorators
    "decorator below step": PLAIN.replace("@step\n", "@step\n@retry\n"),
    "decorator without a step": "@retry\ndef helper(self):\n    pass\n" + PLAIN,
    "decorator of flows above a step": "@project(name='x')\n" + PLAIN,
    "decorator twice": "@retry\n@retry\n" + PLAIN,
    "decorator with an unknown attribute": "@retry(nope=1)\n" + PLAIN,
    "decorator with a bare value": "@retry(3)\n" + PLAIN,
    "too many retries": "@retry(times=9)\n" + PLAIN,
    "no time at all": "@timeout\n" + PLAIN,
    "catch before a foreach": "@catch\n" + start("self.next(self.a, foreach='x')") + to_join("a") + JOIN,
    "catch before a switch": "@catch\n"
    + start("self.next({1: self.a, 2: self.end}, condition='x')")
    + step("a", "self.next(self.end)"),
    # Parameters
    "19 parameter with the name of an option": "p = Parameter('tag')\n" + PLAIN,
    "19 parameter with the name of an option, in other letters": "p = Parameter('max_workers')\n" + PLAIN,
    "19 parameters that differ in capitals": "p = Parameter('alpha')\nq = Parameter('Alpha')\n" + PLAIN,
    "19 parameters with one name": "p = Parameter('alpha')\nq = Parameter('alpha')\n" + PLAIN,
    "parameter without a name": "p = Parameter()\n" + PLAIN,
    "default of another type": "p = Parameter('p', type=int, default='abc')\n" + PLAIN,
    "computed default of another type": "p = Parameter('p', type=int, default=lambda context: 'abc')\n" + PLAIN,
    "default that raises": "p = Parameter('p', default=lambda context: 1 / 0)\n" + PLAIN,
    "default that is no JSON": "p = Parameter('p', type=JSONType, default='{bad')\n" + PLAIN,
    "separator of a number": "p = Parameter('p', type=int, default=1, separator=',')\n" + PLAIN,
    "computed requirement": "p = Parameter('p', required=lambda context: True)\n" + PLAIN,
    "missing file": "p = IncludeFile('p', default='/no/such/file')\n" + PLAIN,
    "folder as file": "p = IncludeFile('p', default='/tmp')\n" + PLAIN,
}

#: What stands above the class, or before it.
ABOVE = {
    "import error": "import no_such_module",
    "unknown name": "x = undefined_thing",
    "decorator of steps above a flow": "@retry",
    "decorator of a flow twice": "@schedule(daily=True)\n@schedule(hourly=True)",
    "project without a name": "@project",
    "project with a bad name": "@project(name='Bad Name')",
    "trigger of nothing": "@trigger",
    "trigger of both": "@trigger(event='a', events=['b'])",
    "trigger of a number": "@trigger(event=5)",
    "trigger without a name": "@trigger(event={'parameters': {}})",
    "trigger of no list": "@trigger(events='a')",
    "trigger twice": "@trigger(events=['a', 'a'])",
    "trigger with a wrong parameter": "@trigger(event={'name': 'a', 'parameters': {'p': 1}})",
    "trigger on nothing": "@trigger_on_finish",
    "trigger on both": "@trigger_on_finish(flow='A', flows=['B'])",
    "trigger on a number": "@trigger_on_finish(flow=5)",
    "trigger on half a name": "@trigger_on_finish(flow='a.b')",
    "trigger on a flow without a name": "@trigger_on_finish(flow={'project': 'x'})",
    "trigger on a bad name": "@trigger_on_finish(flow='A-b')",
    "hook without a function": "@exit_hook",
}

GOOD = """
n = Parameter("n", type=int, default=1)
r = Parameter("r", type=float, default=1.0)
b = Parameter("b", type=bool, default=True)
j = Parameter("j", type=JSONType, default="{}")
f = IncludeFile("f", required=False)
""".lstrip()

#: Words for a flow in which nothing is wrong.
COMMAND_LINES = """
    run --n abc | run --n 1.5 | run --r x | run --b maybe | run --j {bad | run --f /no/such | run --f /tmp | run --nope 1 | run --n
    run stray | run --max-workers x | run --max-num-splits x | run --with retyr | run --with retry:nope=1 | --with nope run
    run --tag | run --namespace | rnu | --nope | show x | --metadata nope run | --datastore nope run | --environment nope run
    dump nosuch | dump 1/2/3/4/5 | logs 999/start/1 | logs nosuch | logs 999 | logs | dump
    resume --origin-run-id 99 | resume --n 3 | spin | spin nostep | spin 9/start | tag list --run-id 99
    tag add --run-id 99 x | tag add | step nope | --config x y run | --branch x run
""".replace("\n", "|").split("|")


def source(members: str, above: str = "") -> str:
    end = "" if "def end(" in members else "\n    @step\n    def end(self):\n        pass\n"
    return (
        "from metaflow import *\nfrom metaflow import JSONType, trigger, trigger_on_finish\n\n\n"
        f"{above}\nclass Mistaken(FlowSpec):\n{textwrap.indent(members, '    ')}{end}\n\n"
        'if __name__ == "__main__":\n    Mistaken()\n'
    )


CASES = {
    **{name: (source(members), ["run"]) for name, members in FLOWS.items()},
    **{f"{name} (check)": (source(FLOWS[name]), ["check"]) for name in ("cycle", "no self", "catch before a switch")},
    **{name: (source(PLAIN, above), ["run"]) for name, above in ABOVE.items()},
    **{" ".join(words.split()): (source(GOOD + PLAIN), words.split()) for words in COMMAND_LINES if words.strip()},
    "empty tag": (source(GOOD + PLAIN), ["run", "--tag", ""]),
    "long tag": (source(GOOD + PLAIN), ["run", "--tag", "x" * 501]),
    "missing value": (source("n = Parameter('n', required=True)\n" + PLAIN), ["run"]),
}


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """How the official package ended each case."""
    project = PythonProject(tmp_path_factory.mktemp("official") / "project")
    cases = []
    for number, (text, words) in enumerate(CASES.values()):
        (flow := project.folder / f"flow_{number}.py").write_text(text)
        cases.append([str(flow), *words])
    (asked := project.folder / "cases.json").write_text(json.dumps(cases))
    answers = project.folder / "answers.json"
    project.run(judge(), FORKS, asked, answers).succeeded()
    return dict(zip(CASES, (Result(*answer) for answer in json.loads(answers.read_text())), strict=True))


def place_independent(headline: str) -> str:
    return re.sub(r"/\S*/", "", headline)


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_ends_with_the_official_exit_code_and_headline(python_project, official, name):
    text, words = CASES[name]
    flow = python_project.folder / f"flow_{list(CASES).index(name)}.py"
    flow.write_text(text)
    ours, theirs = python_project.ours(flow, *words), official[name]
    assert ours.exit != 0
    assert (ours.exit, place_independent(ours.headline())) == (theirs.exit, place_independent(theirs.headline()))
    assert ours.headline()
    assert not (python_project.root() / "Mistaken").exists()


# --- While a run goes on, and afterwards


def test_what_cannot_be_stored_fails_the_step_and_nothing_before_it_is_lost(python_project, official_project):
    for project, hand in ((python_project, "ours"), (official_project, "officially")):
        run = getattr(project, hand)
        said = run("ways_out", "run", WAY="lock").failed()
        assert said.stdout.count("Task failed.") == 2
        assert "table" in said.stdout
        assert run("ways_out", "resume").succeeded().stdout.count("reached the end") == 1


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param("not done", 0, id="a_task_that_was_not_done_is_executed_again"),
        pytest.param("half a table", 1, id="half_a_table_of_artifacts_stops_resume"),
        pytest.param("lost value", 1, id="a_value_that_is_gone_fails_who_reads_it"),
    ],
)
def test_a_store_that_was_written_half_is_met_as_officially(python_project, official_project, damage, code):
    python_project.ours("restarted", "run", FAIL="gather:0").failed()
    run = python_project.root() / "Restarted" / python_project.latest_run("Restarted")
    table = next((run / "work").glob("[0-9]*")) / "0.data.json"
    if damage == "not done":
        table.with_name("0.DONE.lock").unlink()
    elif damage == "half a table":
        table.write_text(table.read_text()[:-40])
    else:
        key = json.loads(table.read_text())["objects"]["item"]
        (python_project.root() / "Restarted/data" / key[:2] / key).unlink()
    shutil.copytree(python_project.root(), official_project.root())
    ours = python_project.ours("restarted", "resume")
    official = official_project.officially("restarted", "resume")
    assert (ours.exit, official.exit) == (code, code), f"{ours}\n{official}"
