"""The graph of a flow, as it is read from source."""

import functools

import pytest
import python_package  # noqa: F401
from metaflow import FlowSpec, retry, step
from metaflow._graph import SourceMissing, node_of, steps_of


# fmt: off
class Forms(FlowSpec):
    @step
    def linear(self):
        """Documented.

        With a second paragraph.
        """
        self.next(self.a)

    @step
    def split(self):
        self.next(self.a, self.b)

    @step
    def loop(self):
        self.next(self.a, foreach="items")

    @step
    def loop_over_something(self):
        self.next(self.a, foreach=self.name)

    @step
    def gang(self):
        self.next(self.a, num_parallel=3)

    @step
    def gang_of_somebody(self):
        self.next(self.a, num_parallel=self.nodes)

    @step
    def switch(self):
        self.next({"x": self.a, 2: self.b, True: self.a, self.config.key: self.b}, condition="kind")

    @step
    def join(self, inputs):
        self.next(self.a)

    @step
    def other_name(this):
        this.next(this.a)

    @step
    def end(self):
        pass

    @step
    def not_last(self):
        self.next(self.a)
        print()

    @step
    def hidden(self):
        if self.x:
            self.next(self.a)

    @step
    def unknown_keyword(self):
        self.next(self.a, color=1)

    @step
    def two_keywords(self):
        self.next(self.a, foreach="x", condition="y")

    @step
    def by_variable(self):
        target = self.a
        self.next(target)

    @step
    def nothing(self):
        self.next()

    @step
    def starred(self):
        self.next(*self.all)

    @step
    def switch_by_variable(self):
        self.next({self.x: self.a}, condition="kind")

    @step
    def switch_without_key(self):
        self.next({None: self.a}, condition="kind")

    @step
    def no_arguments():
        pass

    @step
    def three_arguments(self, inputs, more):
        pass
# fmt: on


def read(name):
    return node_of(name, steps_of(Forms)[name])


@pytest.mark.parametrize(
    ("name", "transition", "targets"),
    [
        ("linear", "linear", ["a"]),
        ("split", "split", ["a", "b"]),
        ("loop", "foreach", ["a"]),
        ("loop_over_something", "foreach", ["a"]),
        ("gang", "parallel", ["a"]),
        ("gang_of_somebody", "parallel", ["a"]),
        ("switch", "switch", ["a", "b", "a", "b"]),
        ("join", "linear", ["a"]),
        ("other_name", "linear", ["a"]),
        ("end", "none", []),
        ("not_last", "none", []),
        ("hidden", "none", []),
        ("unknown_keyword", "invalid", []),
        ("two_keywords", "invalid", []),
        ("by_variable", "invalid", []),
        ("nothing", "invalid", []),
        ("starred", "invalid", []),
        ("switch_by_variable", "invalid", []),
        ("switch_without_key", "invalid", []),
    ],
)
def test_the_last_statement_is_the_transition(name, transition, targets):
    node = read(name)
    assert (node.transition, node.next) == (transition, targets)


def test_what_a_foreach_loops_over_is_known_when_it_is_written_out():
    assert read("loop").foreach_artifact == "items"
    assert read("loop_over_something").foreach_artifact == ""


def test_the_size_of_a_gang_is_known_when_it_is_written_out():
    assert read("gang").num_parallel == 3
    assert read("gang_of_somebody").num_parallel is None


def test_cases_of_a_switch_are_told_as_text():
    node = read("switch")
    assert node.condition == "kind"
    assert [case["value"] for case in node.cases] == ["x", "2", "True", "config:config.key"]


def test_formal_arguments_beside_self_are_counted():
    counts = {name: read(name).argument_count for name in ("linear", "join", "no_arguments", "three_arguments")}
    assert counts == {"linear": 0, "join": 1, "no_arguments": -1, "three_arguments": 2}


def test_documentation_and_line_are_those_of_the_function():
    node = read("linear")
    assert node.documentation == "Documented.\n\nWith a second paragraph."
    assert node.source_file == __file__
    assert node.line == Forms.linear.__code__.co_firstlineno + 1


class Base(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


def test_steps_are_inherited_and_replaced():
    class Derived(Base):
        @step
        def start(self):
            self.next(self.middle)

        @step
        def middle(self):
            self.next(self.end)

    steps = steps_of(Derived)
    assert list(steps) == ["start", "end", "middle"]
    assert node_of("start", steps["start"]).next == ["middle"]


def test_a_wrapped_step_is_read_where_it_was_written():
    def wrapper(function):
        @functools.wraps(function)
        def inner(self):
            return function(self)

        return inner

    class Wrapped(FlowSpec):
        @retry
        @step
        @wrapper
        def start(self):
            """Wrapped."""
            self.next(self.end)

    node = node_of("start", steps_of(Wrapped)["start"])
    assert (node.documentation, node.next) == ("Wrapped.", ["end"])


def test_a_step_without_source_is_an_error_that_says_so():
    names = {"FlowSpec": FlowSpec, "step": step, "__name__": "nowhere"}
    exec("class F(FlowSpec):\n    @step\n    def start(self):\n        pass\n", names)
    with pytest.raises(SourceMissing, match="written to a file"):
        node_of("start", names["F"].start)
