"""The body of a step: artifacts, joins, and transitions, over an engine in memory."""

import textwrap
import time

import pytest
import python_package  # noqa: F401
from fake_engine import Left, run_step
from metaflow import FlowSpec, Parameter, current, step
from metaflow._engine import EngineError
from metaflow.exception import MetaflowException


def frame(index, value="v", step="body", variable="items", splits=2):
    return {"step": step, "variable": variable, "num_splits": splits, "index": index, "value": value}


# --- Artifacts


def test_what_a_step_sets_is_stored(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.x = [1, "a"]
            self._hidden = 2
            self.__own = 3
            self.later = 4
            del self.later
            self.function = test_what_a_step_sets_is_stored
            self.next(self.end)

        @step
        def end(self):
            pass

    task = run_step(monkeypatch, F, "start")
    assert task.failure is None
    assert task.values() == {"x": [1, "a"], "_hidden": 2, "_F__own": 3}
    assert task.types["x"] == "<class 'list'>"


def test_what_a_step_does_not_touch_is_neither_loaded_nor_stored(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.read.append(1)
            self.next(self.end)

        @step
        def end(self):
            pass

    task = run_step(monkeypatch, F, "start", {"read": [], "untouched": [1]})
    assert task.loads == ["read"]
    assert task.values() == {"read": [1]}


def test_a_missing_attribute_is_an_attribute_error_with_its_name(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.found = hasattr(self, "nowhere")
            _ = self.nowhere

    task = run_step(monkeypatch, F, "start")
    assert task.values() == {"found": False}
    assert task.failure[0] == "builtins.AttributeError"
    assert "Flow F" in task.failure[1] and "nowhere" in task.failure[1]


def test_parameters_and_constants_cannot_be_set(monkeypatch):
    class F(FlowSpec):
        p = Parameter("p", default=1)
        constant = [1]

        @step
        def start(self):
            self.refused = []
            for name in ("p", "constant", "index", "input"):
                with pytest.raises(AttributeError):
                    setattr(self, name, 2)
                self.refused.append(name)
            self.constant.append(2)
            self.seen = self.p

    task = run_step(monkeypatch, F, "start", {"p": 5, "constant": [1]})
    assert task.values() == {"refused": ["p", "constant", "index", "input"], "seen": 5}


def test_what_cannot_be_pickled_is_named_with_its_place(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.fine = 1
            self.table = {"a": [0, (item for item in ())]}

    task = run_step(monkeypatch, F, "start")
    assert task.failure[0].endswith("UnpicklableArtifactException")
    assert "self.table['a'][1]" in task.failure[1] and "generator" in task.failure[1]
    assert task.values() == {"fine": 1}


def test_the_flow_itself_cannot_be_an_artifact(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.own = [self]

    task = run_step(monkeypatch, F, "start")
    assert "cannot be stored" in task.failure[1] and "input.x" in task.failure[1]


def test_what_was_set_before_an_exception_is_stored(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.before = 1
            raise ValueError("boom")

    task = run_step(monkeypatch, F, "start")
    assert task.values() == {"before": 1}
    assert task.failure[:2] == ["builtins.ValueError", "boom"]
    assert 'raise ValueError("boom")' in task.failure[2] and "_task.py" not in task.failure[2]
    assert task.failure[3] is None


def test_what_the_engine_cannot_store_is_its_error_and_none_of_the_body(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.x = 1

    with pytest.raises(EngineError, match="no space"):
        run_step(monkeypatch, F, "start", is_full=True)


# --- Foreach


def test_input_is_the_item_of_the_artifact_that_is_looped_over(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.seen = self.index, self.input, self.foreach_stack(), str(self)

    task = run_step(
        monkeypatch,
        F,
        "start",
        {"items": {"a"}, "others": [5, 6]},
        frames=[frame(0, variable="items"), frame(1, variable="others")],
    )
    assert task.values()["seen"] == (1, 6, [(0, 2, "a"), (1, 2, 6)], "<flow F step start[0,1] (input: 6)>")


def test_without_its_artifact_input_is_none(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.seen = self.index, self.input, str(self)

    task = run_step(monkeypatch, F, "start", frames=[frame(1)])
    assert task.values()["seen"] == (1, None, "<flow F step start[1]>")


def test_a_foreach_tells_how_its_items_look(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.items = [1, "abc", None, {"a": 1}, "x" * 50, [1] * 40, True]
            self.next(self.body, foreach="items")

        @step
        def body(self):
            pass

    task = run_step(monkeypatch, F, "start")
    shown = ["1", "abc", "None", "{'a': 1}", "x" * 30, "[1, 1, 1, 1, 1, 1, ...]", "True"]
    assert task.foreach_values == shown


# --- Joins


class Joining(FlowSpec):
    @step
    def a(self):
        self.next(self.join)

    @step
    def b(self):
        self.next(self.join)


def join_of(body):
    class F(Joining):
        constant = 1

        @step
        def join(self, inputs):
            body(self, inputs)
            self.next(self.end)

        @step
        def end(self):
            pass

    return F


BRANCHES = [
    Left({"differs": 1, "same": [1], "only_a": 1, "_private": 2, "_foreach_values": ["a"]}, "a"),
    Left({"differs": 2, "same": [1], "_private": 2, "_foreach_values": ["b"]}, "b"),
]


# The graph is read from the source, so that joins made by a function share its text.
def test_inputs_are_reached_in_three_ways(monkeypatch):
    def body(self, inputs):
        self.seen = (
            inputs[1].differs,
            inputs.a.differs,
            [each.differs for each in inputs],
            [each.same for each in inputs],
        )

    task = run_step(monkeypatch, join_of(body), "join", inputs=BRANCHES)
    assert task.failure is None
    assert task.values()["seen"] == (2, 1, [1, 2], [[1], [1]])


def test_merging_takes_over_what_does_not_differ(monkeypatch):
    def body(self, inputs):
        self.differs = 3
        self.before = hasattr(self, "same")
        self.merge_artifacts(inputs)
        self.after = self.same, self.only_a, self.differs

    task = run_step(monkeypatch, join_of(body), "join", inputs=BRANCHES)
    assert task.passed == {"same": [1], "only_a": 1, "_private": 2}
    assert task.values() == {"differs": 3, "before": False, "after": ([1], 1, 3), "same": [1], "only_a": 1}


@pytest.mark.parametrize(
    ("options", "error", "names"),
    [
        ({}, "UnhandledInMergeArtifactsException", ["differs"]),
        ({"exclude": ["same"]}, "UnhandledInMergeArtifactsException", ["differs"]),
        ({"include": ["nowhere", "same"]}, "MissingInMergeArtifactsException", ["nowhere"]),
        ({"include": ["nowhere", "differs"]}, "UnhandledInMergeArtifactsException", ["differs"]),
        ({"include": ["same"], "exclude": ["differs"]}, "MetaflowException", None),
    ],
)
def test_a_merge_that_cannot_be_made_takes_over_nothing(monkeypatch, options, error, names):
    def body(self, inputs):
        with pytest.raises(MetaflowException) as caught:
            self.merge_artifacts(inputs, **options)
        self.said = type(caught.value).__name__, getattr(caught.value, "artifact_names", None)

    task = run_step(monkeypatch, join_of(body), "join", inputs=BRANCHES)
    assert task.values() == {"said": (error, names)}
    assert task.passed == {}


# --- Transitions


class Steps(FlowSpec):
    @step
    def a(self):
        pass

    @step
    def b(self):
        pass

    def helper(self):
        pass


def flow_of(tmp_path, *lines):
    """A flow from text, as the graph is read from a file."""
    body = textwrap.indent("\n".join(lines), " " * 8)
    text = f"from metaflow import step\n\n\nclass F(Steps):\n    @step\n    def start(self):\n{body}\n"
    path = tmp_path / "flow.py"
    path.write_text(text)
    names = {"Steps": Steps, "__name__": "flow"}
    exec(compile(text, str(path), "exec"), names)
    return names["F"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("self.next()", "without a step"),
        ("self.next(self.a, color=1)", "'color'"),
        ("self.next(self.helper)", "no step of F"),
        ("self.next(self.a, self.b, foreach='items')", "takes one"),
        ("self.next(self.a, foreach='nowhere')", "does not exist"),
        ("self.next(self.a, foreach=['items'])", "as text"),
        ("self.next(self.a, foreach='number')", "cannot be looped over"),
        ("self.next(self.a, foreach='nothing')", "no items"),
        ("self.next(self.a, num_parallel=0)", "1 or more"),
        ("self.next(self.a, foreach='items', num_parallel=2)", "more than one of"),
        ("self.next({'x': self.a})", "without condition"),
        ("self.next(self.a, condition='number')", "one dict"),
        ("self.next({'x': self.a}, condition=1)", "as text"),
        ("self.next({'x': self.a}, condition='nowhere')", "does not exist"),
    ],
)
def test_a_wrong_transition_is_refused_with_its_line(monkeypatch, tmp_path, line, said):
    flow = flow_of(tmp_path, "self.items, self.number, self.nothing = [1], 1, []", line)
    task = run_step(monkeypatch, flow, "start")
    assert task.failure[0] == "metaflow.flowspec.InvalidNextException"
    assert said in task.failure[1]
    assert task.failure[3] == f"Invalid self.next() transition detected in file {tmp_path / 'flow.py'} on line 8"


def test_a_value_without_case_fails_the_step(monkeypatch, tmp_path):
    flow = flow_of(tmp_path, "self.kind = 3", "self.next({1: self.a, 2: self.b}, condition='kind')")
    task = run_step(monkeypatch, flow, "start")
    assert task.failure[0] == "builtins.RuntimeError"
    assert all(text in task.failure[1] for text in ("self.kind", "3", "1, 2"))


def test_a_switch_chooses_by_the_value(monkeypatch, tmp_path):
    flow = flow_of(tmp_path, "self.kind = 2", "self.next({1: self.a, 2: self.b}, condition='kind')")
    assert run_step(monkeypatch, flow, "start").chosen == "b"


@pytest.mark.parametrize(
    "lines",
    [
        ["if True:", "    return", "self.next(self.a)"],
        ["import sys", "sys.exit(0)", "self.next(self.a)"],
        ["f = self", "if True:", "    f.next(self.b)", "    return", "self.next(self.a)"],
    ],
)
def test_what_is_asked_for_has_to_be_what_is_written(monkeypatch, tmp_path, lines):
    task = run_step(monkeypatch, flow_of(tmp_path, *lines), "start")
    assert task.failure[0] == "metaflow.exception.MetaflowInternalError"
    assert "its source says a" in task.failure[1]


def test_next_can_be_called_once(monkeypatch, tmp_path):
    task = run_step(monkeypatch, flow_of(tmp_path, "self.next(self.a)", "self.next(self.a)"), "start")
    assert "called self.next() already" in task.failure[1]


def test_a_gang_says_how_many_nodes_it_has(monkeypatch, tmp_path):
    assert run_step(monkeypatch, flow_of(tmp_path, "self.next(self.a, num_parallel=3)"), "start").num_parallel == 3


# --- Time


def test_a_body_that_takes_too_long_is_interrupted(monkeypatch):
    class F(FlowSpec):
        @step
        def start(self):
            self.before = 1
            time.sleep(60)  # until its time limit interrupts it

    task = run_step(monkeypatch, F, "start", timeout=0.05)
    assert task.failure[0] == "metaflow.plugins.timeout_decorator.TimeoutException"
    assert task.failure[3] == "@timeout"
    assert task.values() == {"before": 1}


def test_current_says_where_the_task_is(monkeypatch):
    class F(FlowSpec):
        p = Parameter("p")

        @step
        def start(self):
            self.seen = (
                current.pathspec,
                current.retry_count,
                current.tags,
                current.parameter_names,
                current.get("card", 1),
            )

    task = run_step(monkeypatch, F, "start")
    assert task.values()["seen"] == ("F/1/start/2", 0, {"t"}, ["p"], 1)


def test_merging_loads_nothing(monkeypatch):
    def body(self, inputs):
        self.merge_artifacts(inputs, exclude=["differs"])
        self.merge_artifacts(inputs, include=["same"])

    task = run_step(monkeypatch, join_of(body), "join", inputs=BRANCHES)
    assert task.failure is None
    assert task.loads == []
    assert task.values() == {}
