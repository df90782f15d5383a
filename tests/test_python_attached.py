"""Decorators as data: order, attributes, --with, and what stands in the wrong place."""

import pytest
import python_package  # noqa: F401
from metaflow import FlowSpec, card, catch, project, retry, schedule, step, timeout
from metaflow.decorators import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    UnknownStepDecoratorException,
    attach_decospecs,
    flow_decorators_of,
    parse_decospec,
)
from metaflow.exception import InvalidDecoratorAttribute


def test_the_decorator_nearest_to_the_function_is_the_first():
    @catch(var="e")
    @timeout(seconds=5)
    @retry
    @step
    def start(self):
        pass

    assert [each.name for each in start.decorators] == ["retry", "timeout", "catch"]
    assert start.decorators[0].attributes == {"times": "3", "minutes_between_retries": "2"}
    assert start.decorators[1].attributes == {"seconds": 5, "minutes": 0, "hours": 0}


def test_a_step_can_be_marked_as_first_or_last():
    @step(start=True)
    def begin(self):
        pass

    assert begin.is_step and begin.marked_start and not begin.marked_end


def test_a_step_decorator_below_step_or_above_a_class_is_refused():
    with pytest.raises(BadStepDecoratorException, match="above @step"):

        @step
        @retry
        def start(self):
            pass

    with pytest.raises(BadStepDecoratorException):

        @retry
        class F(FlowSpec):
            pass


def test_a_flow_decorator_on_a_step_is_refused():
    with pytest.raises(BadFlowDecoratorException, match="above a class"):

        @project(name="x")
        @step
        def start(self):
            pass


def test_a_decorator_stands_once_but_cards_may_repeat():
    with pytest.raises(DuplicateStepDecoratorException):

        @retry
        @retry(times=1)
        @step
        def start(self):
            pass

    @card(id="a")
    @card(id="b")
    @step
    def end(self):
        pass

    assert [each.attributes["id"] for each in end.decorators] == ["b", "a"]


def test_an_unknown_attribute_is_refused_with_the_known_ones():
    with pytest.raises(InvalidDecoratorAttribute, match=r"'time'.*times, minutes_between_retries"):
        retry(time=3)


def test_flow_decorators_are_inherited_and_not_repeated():
    @project(name="x")
    class Base(FlowSpec):
        pass

    @schedule(daily=True)
    class Derived(Base):
        pass

    assert [each.name for each in flow_decorators_of(Derived)] == ["project", "schedule"]
    assert [each.name for each in flow_decorators_of(Base)] == ["project"]
    with pytest.raises(DuplicateFlowDecoratorException):
        project(name="y")(Derived)


@pytest.mark.parametrize(
    ("spec", "attributes"),
    [
        ("timeout:seconds=5", {"seconds": 5, "minutes": 0, "hours": 0}),
        ("timeout:seconds=5,hours=0.5", {"seconds": 5, "minutes": 0, "hours": 0.5}),
        ("timeout", {"seconds": 0, "minutes": 0, "hours": 0}),
        ("catch:var=e,print_exception=false", {"var": "e", "print_exception": False}),
        ('environment:vars={"A": "x,y", "B": 1}', {"vars": {"A": "x,y", "B": 1}}),
        ('environment:vars={\\"A\\": 1}', {"vars": {"A": 1}}),
    ],
)
def test_with_takes_attributes_as_json_numbers_or_text(spec, attributes):
    decorator = parse_decospec(spec)
    assert decorator.attributes == attributes
    assert not decorator.statically_defined


def test_with_knows_decorators_by_name():
    with pytest.raises(UnknownStepDecoratorException, match=r"'retyr'.*Did you mean 'retry'"):
        parse_decospec("retyr:times=3")
    with pytest.raises(InvalidDecoratorAttribute):
        parse_decospec("retry:tims=3")


def test_what_is_written_above_a_step_wins_over_with():
    steps = {"start": [parse_decospec("retry:times=0")], "end": []}
    attach_decospecs(steps, ["retry:times=3", "card", "card:id=x"])
    assert [each.name for each in steps["start"]] == ["retry", "card", "card"]
    assert steps["start"][0].attributes["times"] == 0
    assert steps["end"][0].attributes["times"] == 3
