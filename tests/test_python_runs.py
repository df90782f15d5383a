"""Flows in Python, run by our package and by the official one: what the official client says about both runs is the same."""

import os
import re
import signal

import pytest
from conftest import OUR_PACKAGE, SYSTEM_PYTHON, PythonProject, flow_file, judge


def class_of(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))


def without(story: dict, *members: str) -> dict:
    steps = {
        step: [{key: value for key, value in task.items() if key not in members} for task in tasks]
        for step, tasks in story["steps"].items()
    }
    return {**story, "steps": steps}


# --- The same as official


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
@pytest.mark.parametrize(
    ("name", "apart_from"),
    [
        ("values", []),
        ("merging", []),
        ("nested", ["id"]),  # which of two tasks in different branches comes first is left open
        ("failing", []),
        ("crowded", ["logs"]),  # processes of its own write to them; a test below looks at them
        ("lone", []),
        ("gang", ["logs"]),  # each node has its own, and not one for all
        ("turns", ["id"]),  # as well
        ("caught_end", []),
        ("projects", []),
    ],
)
def test_a_run_is_what_it_officially_is(official_stories, python_project, name, apart_from, isolation):
    if name == "crowded":
        apart_from = [*apart_from, "artifacts", "keys"]  # random numbers; the next test looks at them
    python_project.ours(name, "run", "--tag", "t", "--isolation", isolation).succeeded()
    ours = python_project.story(name, class_of(name))
    official = official_stories(name, "run", "--tag", "t")
    assert without(ours, *apart_from) == without(official, *apart_from)


@pytest.fixture(scope="module")
def official_stories(tmp_path_factory):
    """The story of an official run; each is run once."""
    known = {}

    def story(name, *arguments):
        key = (name, arguments)
        if key not in known:
            project = PythonProject(tmp_path_factory.mktemp("official") / "project")
            (project.folder / "notes.txt").write_text("hello\n")
            project.officially(name, *arguments).succeeded()
            known[key] = project.story(name, class_of(name))
        return known[key]

    return story


def test_parameters_and_include_files_are_what_they_officially_are(official_stories, python_project):
    arguments = (
        *("run", "--wanted", "3", "--whole=4", "--truth", "yes", "--flag", "--tree", "[1]", "--words", "x,y"),
        *("--real", "2", "--told-apart", "here"),
    )
    (python_project.folder / "notes.txt").write_text("hello\n")
    python_project.ours("parameters", *arguments).succeeded()
    stories = python_project.story("parameters", "Parameters"), official_stories("parameters", *arguments)
    ours, official = (
        without(story, "keys") for story in stories
    )  # of an include file the place of its content is stored
    assert ours == official


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_step_may_do_what_a_process_of_its_own_may(python_project, isolation):
    said = python_project.ours("crowded", "run", "--isolation", isolation).succeeded()
    story = python_project.story("crowded", "Crowded")
    (start,), (end,) = story["steps"]["start"], story["steps"]["end"]
    values = start["artifacts"]
    assert values["threads"] == values["processes"] == "[0, 2, 4, 6, 8]"
    assert values["spawned"] == "[0, 2, 4]"
    assert values["queued"] == "7"
    assert values["coroutine"] == "0"
    assert values["mapped"] == str([2 * x for x in range(10)])
    assert values["unordered"] == "[2, 4, 6]"
    assert values["handlers"] == "[True, True, True]"
    assert values["kept_alive"] == "True"
    assert end["artifacts"]["all_differ"] == "True"
    lines = start["logs"][0]["stdout"]
    # The process that multiprocessing has spawned imports the flow as well, and may come to its end.
    assert [line for line in lines if line != "at exit True"] == ["out", "no newlinethread ended"]
    assert lines[-1] == "at exit True"
    assert "logged" in said.stdout
    assert said.stdout.count("at exit True") >= 7 and said.stdout.count("at exit False") == 1


# --- How a step may end


@pytest.mark.parametrize(
    ("way", "said", "attempts"),
    [
        ("leave before next", r"went on to no step, but its source says other", 2),
        ("refuse retries", r"This failed task will not be retried", 1),
        ("leave with a message", r"no way on", 2),
        ("raise", r"(?s)Traceback.*ways_out.py.*raise ValueError\(.as asked.\).*ValueError: as asked", 2),
        ("raise without words", r"__main__\.Speechless|Speechless: <exception str\(\) failed>", 2),
        ("raise a zero", r"ValueError: before\\x00after \?", 2),
        ("lock", r"self\.table\['a'\]\[1\]\.lock is of type <class '_thread\.lock'>", 2),
        ("self", r"A flow cannot be stored", 2),
        ("constant", r"'limit' cannot be set", 2),
        ("no items", r"on line \d+:\s[^\n]*Step \*start\* loops over self\.empty, which has no items", 2),
        ("twice", r"has called self\.next\(\) already", 2),
        ("elsewhere", r"went on to end, but its source says other", 2),
        ("forget", r"went on to no step, but its source says other", 2),
        ("no step", r"goes on to helper, which is no step of WaysOut", 2),
        ("key", r"self\.limit is 5, for which there is no case; there are: 'a'", 2),
    ],
)
def test_a_step_that_does_not_end_well_says_why(python_project, way, said, attempts):
    ended = python_project.ours("ways_out", "run", WAY=way).failed()
    plain = re.sub(r"(?m)^\S+ \S+ (\[[^\]]*\] )?", "", ended.stdout)
    assert re.search(said, plain), str(ended)
    assert ended.stdout.count("Task failed.") == attempts
    assert "reached the end" not in ended.stdout
    assert "_call_body" not in ended.stdout


@pytest.mark.parametrize(("way", "said"), [("", ""), ("thread", "thread ended"), ("fork", "child came back")])
def test_a_step_that_ends_well_goes_on_once(python_project, way, said):
    ended = python_project.ours("ways_out", "run", WAY=way).succeeded()
    assert said in ended.stdout
    assert ended.stdout.count("reached the end") == 1


def test_a_failure_of_the_last_step_that_is_caught_ends_the_run_well_and_unsuccessfully(python_project):
    said = python_project.ours("caught_end", "run", "--kind", "two").succeeded()
    assert "Done!" in said.stdout
    story = python_project.story("caught_end", "CaughtEnd")
    assert (story["successful"], story["finished"]) == (False, True)
    (end,), (join,) = story["steps"]["end"], story["steps"]["join"]
    assert end["artifacts"]["failure"] == ["builtins.ValueError", "at last"]
    assert (join["artifacts"]["count"], join["artifacts"]["names"]) == ("2", "(True, True, False)")
    assert join["artifacts"]["way"] == "2"


def test_a_foreach_of_more_items_than_allowed_ends_the_run_after_its_step(python_project):
    said = python_project.ours("nested", "run", "--max-num-splits", "2").failed()
    assert "Task finished successfully." in said.stdout
    assert re.search(r"\b3\b.*\b2\b", said.stderr, re.DOTALL)


def test_ctrl_c_interrupts_the_body(python_project):
    process = python_project.start_ours("ways_out", "run", WAY="sleep")
    while b"sleeping" not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    said = python_project.finish(process)
    assert said.exit == 1
    assert "KeyboardInterrupt" in said.stdout
    assert said.stderr.endswith("Aborted!\n")


def test_what_was_set_before_a_failure_is_stored_with_it(python_project):
    python_project.ours("ways_out", "run", WAY="raise").failed()
    (start,) = python_project.story("ways_out", "WaysOut")["steps"]["start"]
    assert start["artifacts"]["before"] == "'kept'"
    assert start["exception"] == ["builtins.ValueError", "as asked"]
    assert (start["successful"], start["finished"], start["attempt"]) == (False, False, 1)


# --- The command line


def test_a_missing_parameter_is_a_usage_error(python_project):
    said = python_project.ours("parameters", "run")
    assert said.exit == 2
    assert "--wanted" in said.stderr


def test_a_wrong_value_is_a_usage_error(python_project):
    (python_project.folder / "notes.txt").write_text("x")
    said = python_project.ours("parameters", "run", "--wanted", "abc")
    assert said.exit == 2
    assert "Invalid value for '--wanted': 'abc' is not a valid integer" in said.stderr


def test_help_shows_parameters_with_types_and_defaults(python_project):
    said = python_project.ours("parameters", "run", "--help").succeeded()
    assert re.search(r"--whole INTEGER\s+A whole number.*\[default: 3\]", said.stdout)
    assert re.search(r"--tree JSON", said.stdout)
    assert re.search(r"--notes FILEPATH", said.stdout)


def test_parameters_come_from_the_environment_too(python_project):
    (python_project.folder / "notes.txt").write_text("x")
    python_project.ours("parameters", "run", METAFLOW_RUN_WANTED="8").succeeded()
    (end,) = python_project.story("parameters", "Parameters")["steps"]["end"]
    assert end["artifacts"]["wanted"] == "8"


def test_a_foreach_into_a_join_is_refused(python_project):
    said = python_project.ours("into_join", "check").failed()
    assert re.search(r"into_join.py on line \d+", said.stderr)


def test_a_wrong_transition_is_reported_at_its_line(python_project):
    flow = python_project.folder / "astray.py"
    flow.write_text(flow_file("into_join").read_text().replace("self.join", "self.jion"))
    said = python_project.ours(flow, "run").failed()
    assert f"Validity checker found an issue in file {flow} on line 8:" in said.stderr
    assert "'jion'" in said.stderr


def test_decorators_of_the_command_line_come_after_those_of_the_source(python_project):
    said = python_project.ours("ways_out", "run", "--with", "retry:times=3", WAY="raise").failed()
    assert said.stdout.count("Task failed.") == 2


def test_an_unknown_decorator_is_refused(python_project):
    said = python_project.ours("ways_out", "run", "--with", "retyr").failed()
    assert "Unknown step decorator" in said.stderr and "retry" in said.stderr


def test_show_tells_the_steps_with_their_documentation(python_project):
    said = python_project.ours("values", "show").succeeded()
    assert "Values of many kinds." in said.stdout + said.stderr
    assert re.search(r"Step middle\n\s+Changes some of them\.\n\s+=> end", said.stdout)


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_flow_in_a_package_is_run_as_a_module(python_project, isolation):
    package = python_project.folder / "flows"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "lone.py").write_text(flow_file("lone").read_text())
    words = ["-m", "flows.lone", "run", "--isolation", isolation]
    assert "Done!" in python_project.run(SYSTEM_PYTHON, *words, **OUR_PACKAGE).succeeded().stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_run_goes_on_without_a_standard_stream(python_project, closed):
    command = ["sh", "-c", f'"$@" {closed}', "sh", SYSTEM_PYTHON, flow_file("lone"), "run"]
    ended = python_project.run(*command, **OUR_PACKAGE)
    assert ended.exit == (1 if closed == ">&-" else 0), ended
    assert python_project.story("lone", "Lone")["successful"]


def test_a_flow_that_leaves_a_thread_at_import_is_run_by_fresh_processes(python_project):
    flow = python_project.folder / "threads.py"
    text = flow_file("lone").read_text()
    flow.write_text("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n" + text)
    said = python_project.ours(flow, "run").succeeded()
    assert "--isolation spawn" in said.stderr


@pytest.mark.parametrize(
    ("options", "branch"),
    [(("--branch", "b"), "test.b"), (("--production",), "prod"), (("--production", "--branch", "b"), "prod.b")],
)
@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_the_branch_of_a_project_is_chosen_on_the_command_line(python_project, options, branch, isolation):
    python_project.ours("projects", *options, "run", "--isolation", isolation).succeeded()
    story = python_project.story("projects", "Projects")
    assert f"project_branch:{branch}" in story["system_tags"]
    (start,) = story["steps"]["start"]
    assert start["artifacts"]["names"] == f"('films_2', '{branch}', 'films_2.{branch}.Projects')"


def test_cards_are_taken_and_said_not_to_be_rendered(python_project):
    said = python_project.ours("with_cards", "run").succeeded()
    assert said.stderr.count("no cards are rendered") == 1


@pytest.mark.parametrize("options", [(), ("--run-id-file", "id")])
def test_exit_hooks_are_called_with_the_run_that_ended(python_project, options):
    said = python_project.ours("hooked", "run", *options).succeeded()
    assert said.stdout.splitlines()[-2:] == ["went well: True 7", "without a run"]
    assert said.stderr.count("The exit hook 'broken' has failed") == 1 and "ZeroDivisionError" in said.stderr
    said = python_project.ours("hooked", "run", *options, WAY="fail").failed()
    assert said.stdout.splitlines()[-1] == "went wrong: False"
    python_project.ours("hooked", "show").succeeded()


@pytest.mark.parametrize("spec", ["batch", "kubernetes:cpu=2", "conda", "pypi"])
def test_what_would_run_elsewhere_or_with_something_else_is_refused(python_project, spec):
    said = python_project.ours("lone", "run", "--with", spec).failed()
    assert f"@{spec.partition(':')[0]} of step 'only'" in said.stderr
    assert "not available in this version" in said.stderr


# --- resume, in either hand


def test_resume_executes_what_failed_and_takes_over_the_rest(python_project):
    python_project.ours("resumable", "run", FAIL="leaf:1,0").failed()
    said = python_project.ours("resumable", "resume").succeeded()
    assert "Cloning previously run task" in said.stdout
    (end,) = python_project.story("resumable", "Resumable", resumed_run(said))["steps"]["end"]
    assert end["artifacts"]["all"] == str([f"w{i}/{j}" for i in range(3) for j in range(2)])


def test_parameters_of_the_flow_are_no_options_of_resume(python_project):
    python_project.ours("resumable", "run", "--width", "2").succeeded()
    assert python_project.ours("resumable", "resume", "--width", "3").exit == 2


def test_a_step_and_all_after_it_are_executed_again(python_project):
    python_project.ours("caught_end", "run").succeeded()
    said = python_project.ours("caught_end", "resume", "join").succeeded()
    executed = set(re.findall(r"\[\d+/(\w+)/\d+ \(pid", said.stdout))
    assert executed == {"join", "end"}


def resumed_run(said) -> str:
    return re.search(r"run-id (\d+)", said.stdout)[1]


def test_official_resume_goes_on_with_our_run(python_project):
    python_project.ours("resumable", "run", FAIL="gather_leaves:1").failed()
    said = python_project.officially("resumable", "resume").succeeded()
    (end,) = python_project.story("resumable", "Resumable", resumed_run(said))["steps"]["end"]
    assert end["artifacts"]["settled"] == "'after 4'"


def test_our_resume_goes_on_with_an_official_run(python_project):
    python_project.officially("resumable", "run", FAIL="gather_leaves:1").failed()
    said = python_project.ours("resumable", "resume").succeeded()
    (end,) = python_project.story("resumable", "Resumable", resumed_run(said))["steps"]["end"]
    assert end["artifacts"]["all"] == str([f"w{i}/{j}" for i in range(3) for j in range(2)])


# --- Large values


def test_large_arrays_are_read_by_the_official_client(python_project):
    flow = python_project.folder / "arrays.py"
    flow.write_text(
        "import numpy\n"
        "from metaflow import FlowSpec, step\n\n\n"
        "class Arrays(FlowSpec):\n"
        "    @step\n"
        "    def start(self):\n"
        "        self.large = numpy.arange(1_000_000, dtype='f8').reshape(1000, 1000)\n"
        "        self.held = {'a': [self.large[::2]], 'b': 'text'}\n"
        "        self.next(self.end)\n\n"
        "    @step\n"
        "    def end(self):\n"
        "        self.large[0, 0] = 5\n"
        "        self.total = float(self.large.sum() + self.held['a'][0].sum())\n\n\n"
        "if __name__ == '__main__':\n"
        "    Arrays()\n"
    )
    python_project.ours(flow, "run", interpreter=judge()).succeeded()
    total = python_project.official(
        "namespace(None); metadata('local@.'); data = Flow('Arrays').latest_run.data\n"
        "result = [data.total, float(data.large.sum() + data.held['a'][0].sum()), data.large.shape]"
    )
    assert total[0] == total[1] and total[2] == [1000, 1000]


@pytest.mark.parametrize(("seed", "different"), [("", 4), ("numpy.random.seed(1)", 1)])
def test_numpy_draws_other_numbers_in_each_task_unless_the_flow_has_seeded_it(python_project, seed, different):
    flow = python_project.folder / "draws.py"
    flow.write_text(
        f"import numpy\n{seed}\n"
        "from metaflow import FlowSpec, step\n\n\n"
        "class Draws(FlowSpec):\n"
        "    @step\n"
        "    def start(self):\n"
        "        self.items = range(4)\n"
        "        self.next(self.draw, foreach='items')\n\n"
        "    @step\n"
        "    def draw(self):\n"
        "        self.number = float(numpy.random.random())\n"
        "        self.next(self.join)\n\n"
        "    @step\n"
        "    def join(self, inputs):\n"
        "        print('numbers', len({branch.number for branch in inputs}))\n"
        "        self.next(self.end)\n\n"
        "    @step\n"
        "    def end(self):\n"
        "        pass\n\n\n"
        "if __name__ == '__main__':\n"
        "    Draws()\n"
    )
    said = python_project.ours(flow, "run", interpreter=judge()).succeeded()
    assert f"numbers {different}" in said.stdout


# --- spin


def test_a_step_is_spun_with_artifacts_of_a_module(python_project):
    python_project.ours("values", "run").succeeded()
    (python_project.folder / "instead.py").write_text("ARTIFACTS = {'text': 'blue', '_private': [7]}\n")
    said = python_project.ours("values", "spin", "end", "--persist", "--artifacts-module", "instead.py").succeeded()
    dumped = python_project.ours("values", "--mode", "spin", "dump", spun_task(said), "--include", "seen").succeeded()
    assert "('blue', [1, 2, 3], 'Point(10, 2)', [7], b'\\x00\\xff')" in dumped.stdout


def spun_task(said) -> str:
    return re.search(r"\[(\d+/\w+/\d+) \(pid", said.stdout)[1]


def test_a_module_without_artifacts_is_refused(python_project):
    (python_project.folder / "instead.py").write_text("x = 1\n")
    said = python_project.ours("values", "spin", "end", "--artifacts-module", "instead.py").failed()
    assert "no dict ARTIFACTS" in said.stderr
