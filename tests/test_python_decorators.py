"""What users' decorators and mutators do, by themselves; tests/test_python_customised.py runs them in flows."""

import pytest
import python_package  # noqa: F401
from metaflow import FlowSpec, Parameter, retry, step, timeout
from metaflow.decorators import (
    DuplicateStepDecoratorException,
    UnknownStepDecoratorException,
    attach_decospecs,
    parse_decospec,
)
from metaflow.exception import InvalidDecoratorAttribute, MetaflowException
from metaflow.parameters import parameters_of
from metaflow.user_decorators import (
    USER_SKIP_STEP,
    FlowMutator,
    StepMutator,
    UserStepDecorator,
    custom_decorator,
    mutate,
    pre_mutate,
    user_step_decorator,
    wrap_step,
)


class Body:
    """A flow of one step that notes what happens."""

    def __init__(self, error=None):
        self.notes = []
        self.error = error

    def start(self, inputs=None):
        self.notes.append("body" if inputs is None else f"body {inputs}")
        if self.error:
            raise self.error


def run(*outermost_first, error=None, inputs=()):
    """Notes of a step with these decorators, what its transition was given, and its exception."""
    body = Body(error)

    @step
    def function(self):
        pass

    for decorator in reversed(outermost_first):
        decorator(function)
    made = []
    raised = None
    try:
        wrap_step(body.start, function.decorators, made.append)(*inputs)
    except Exception as problem:
        raised = problem
    return body.notes, made, raised


def noting(name, before=None, after=lambda exception: exception):
    """A decorator that notes its calls and returns what it is told to."""

    def pre_step(self, step_name, flow, inputs=None):
        flow.notes.append(f"before {name}")
        return before(self) if before else None

    def post_step(self, step_name, flow, exception=None):
        flow.notes.append(f"after {name} {type(exception).__name__ if exception else 'well'}")
        return after(exception)

    return type(name, (UserStepDecorator,), {"pre_step": pre_step, "post_step": post_step})


def skip(keywords):
    def before(decorator):
        decorator.skip_step = keywords

    return before


def instead(decorator):
    return lambda flow, *inputs: flow.notes.append("instead")


def raising(exception):
    raise OSError("raised")


def test_the_outermost_begins_and_ends():
    notes, made, raised = run(noting("a"), noting("b"))
    assert notes == ["before a", "before b", "body", "after b well", "after a well"]
    assert (made, raised) == ([], None)


def test_an_exception_goes_through_all():
    notes, made, raised = run(noting("a"), noting("b"), error=ValueError("boom"))
    assert notes[2:] == ["body", "after b ValueError", "after a ValueError"]
    assert (made, str(raised)) == ([], "boom")


@pytest.mark.parametrize(
    ("after", "seen_outside", "made", "raised"),
    [
        (lambda exception: None, "well", [{}], None),
        (lambda exception: KeyError("new"), "KeyError", [], KeyError),
        (raising, "OSError", [], OSError),
        (lambda exception: (None, {"foreach": "x"}), "well", [{"foreach": "x"}], None),
        (lambda exception: (exception, None), "ValueError", [], ValueError),
    ],
)
def test_a_decorator_decides_what_becomes_of_an_exception(after, seen_outside, made, raised):
    notes, *rest = run(noting("outer"), noting("inner", after=after), error=ValueError("boom"))
    assert notes[-1] == f"after outer {seen_outside}"
    assert (rest[0], type(rest[1]) if rest[1] else None) == (made, raised)


def test_a_skipped_step_has_neither_body_nor_inner_decorators():
    notes, made, _ = run(noting("a", skip(True)), noting("b"))
    assert (notes, made) == (["before a", "after a well"], [{}])
    assert run(noting("a", skip({"foreach": "x"})))[1] == [{"foreach": "x"}]


def test_a_function_runs_instead_of_the_step():
    notes, made, _ = run(noting("a"), noting("b", instead), noting("c"))
    assert (notes, made) == (["before a", "before b", "instead", "after b well", "after a well"], [])


def test_a_failure_before_the_step_is_nobodys_to_deal_with():
    notes, _, raised = run(noting("a"), noting("b", lambda decorator: raising(None)))
    assert (notes, type(raised)) == (["before a", "before b"], OSError)


def test_what_a_decorator_may_return_is_checked():
    assert "returned 4" in str(run(noting("a", after=lambda exception: 4))[2])


def test_a_join_has_inputs():
    seen = []

    @user_step_decorator
    def looking(step_name, flow, inputs):
        seen.append((step_name, inputs))
        yield

    assert run(looking, inputs=("both",))[0] == ["body both"]
    assert seen == [("start", "both")]


# --- Generators


def test_a_generator_stands_around_the_step():
    @user_step_decorator
    def around(step_name, flow, inputs, attributes):
        flow.notes.append(attributes)
        yield
        flow.notes.append("after")

    assert run(around(k=1))[0] == [{"k": 1}, "body", "after"]
    assert run(around)[0][0] == {}


def test_exceptions_come_out_of_the_yield():
    @user_step_decorator
    def dealing(step_name, flow, inputs):
        try:
            yield
        except ValueError:
            flow.notes.append("dealt with")

    assert run(dealing, error=ValueError("x")) == (["body", "dealt with"], [{}], None)
    assert type(run(dealing, error=KeyError("x"))[2]) is KeyError


def yielding(*wishes):
    @user_step_decorator
    def wishing(step_name, flow, inputs):
        yield from wishes

    return wishing


def test_a_generator_skips_the_step_by_a_dict():
    assert run(yielding(USER_SKIP_STEP)) == ([], [{}], None)
    assert run(yielding({"foreach": "x"})) == ([], [{"foreach": "x"}], None)


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        (yielding(), "ended without a yield"),
        (yielding(None, None), "yielded a second time"),
        (yielding(5), "yielded a int"),
        (yielding(None)(k=1), "takes none"),
        (yielding(None)(1), "keyword arguments only"),
    ],
)
def test_mistakes_of_generators_are_told(decorator, said):
    assert said in str(run(noting("outer", after=lambda exception: None), decorator)[2])


def test_what_is_no_generator_is_refused():
    for function in (lambda a, b, c: None, lambda: (yield)):
        with pytest.raises(MetaflowException, match="generator functions"):
            user_step_decorator(function)


# --- Attaching


def test_a_decorator_is_attached_once_and_to_steps_only():
    named = noting("named")
    with pytest.raises(DuplicateStepDecoratorException):
        named(named(step(lambda self: None)))
    with pytest.raises(MetaflowException, match="is for steps"):
        named(k=1)(lambda self: None)


def test_the_command_line_attaches_by_a_part_of_the_name():
    once = type("Unmistakable", (UserStepDecorator,), {"__module__": "some.module"})
    decorators = {"a": [], "b": []}
    attach_decospecs(decorators, ["module.Unmistakable:k=1,text=x", "Unmistakable"])
    assert [each.keywords for each in decorators["a"]] == [{"k": 1, "text": "x"}]
    assert decorators["a"][0].instance() is not decorators["b"][0].instance()
    assert decorators["a"][0].description() == {
        "name": "some.module.Unmistakable",
        "attributes": {"_args": [], "k": 1, "text": "x"},
        "static": False,
    }
    assert custom_decorator("some.module.Unmistakable") is once


def test_a_name_that_several_have_is_refused():
    for module in ("one", "two"):
        type("Shared", (UserStepDecorator,), {"__module__": module})
    with pytest.raises(MetaflowException, match=r"one\.Shared or two\.Shared"):
        parse_decospec("Shared")
    with pytest.raises(UnknownStepDecoratorException):
        parse_decospec("NobodyHasThis")


# --- Mutators


def names(steps_or_flow):
    return [spec[0] for spec in steps_or_flow.decorator_specs]


def mutated(mutator_class, *of_step):
    """A flow after both passes of a mutator of flows, and the decorators of its first step."""

    @mutator_class
    class Changed(FlowSpec):
        p = Parameter("p", default=1)

        @timeout(seconds=9)
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass

    for decorator in of_step:
        decorator(Changed.start)
    pre_mutate(Changed, {"c": 5})
    decorators = {"start": list(Changed.start.decorators), "end": list(Changed.end.decorators)}
    mutate(Changed, {"c": 5}, decorators)
    return Changed, decorators


def flow_mutator(pre=lambda flow: None, post=lambda flow: None):
    return type("Mutator", (FlowMutator,), {"pre_mutate": lambda _, f: pre(f), "mutate": lambda _, f: post(f)})


def step_mutator(pre=lambda step: None, post=lambda step: None, name="OfStep"):
    return type(name, (StepMutator,), {"pre_mutate": lambda _, s: pre(s), "mutate": lambda _, s: post(s)})


def test_a_mutator_sees_the_flow():
    seen = {}

    def look(flow):
        seen.update(
            configs=list(flow.configs),
            config=flow.c,
            parameters=[name for name, _ in flow.parameters],
            steps=[name for name, _ in flow.steps],
            of_flow=names(flow),
            of_start=next(iter(flow.start.decorator_specs))[2:],
            flow_of_step=flow.start.flow is flow,
            absent=hasattr(flow, "nope"),
        )

    mutated(flow_mutator(look))
    assert seen == {
        "configs": [("c", 5)],
        "config": 5,
        "parameters": ["p"],
        "steps": ["end", "start"],
        "of_flow": ["Mutator"],
        "of_start": ([], {"seconds": 9, "minutes": 0, "hours": 0}),
        "flow_of_step": True,
        "absent": False,
    }


def test_parameters_are_added_replaced_and_removed():
    seen = []

    def change(flow):
        flow.add_parameter("added", Parameter("added", default=2))
        with pytest.raises(MetaflowException, match="overwrite=True"):
            flow.add_parameter("p", Parameter("p", default=3))
        flow.add_parameter("p", Parameter("p", default=3), overwrite=True)
        with pytest.raises(MetaflowException, match="takes a Parameter"):
            flow.add_parameter("k", 5)
        seen.append([flow.remove_parameter("added"), flow.remove_parameter("nope")])
        flow.add_parameter("more", Parameter("more", default=4))

    changed, _ = mutated(flow_mutator(change))
    assert {name: each.default for name, each in parameters_of(changed).items()} == {"more": 4, "p": 3}
    assert seen == [[True, False]]


def test_an_inherited_parameter_is_removed_for_the_flow_alone():
    class Base(FlowSpec):
        p = Parameter("p", default=1)

        @step
        def start(self):
            pass

    @flow_mutator(lambda flow: flow.remove_parameter("p"))
    class Derived(Base):
        pass

    pre_mutate(Derived, {})
    assert list(parameters_of(Derived)) == []
    assert list(parameters_of(Base)) == ["p"]
    assert not hasattr(Derived(use_cli=False), "p")


def test_some_changes_are_for_pre_mutate_only():
    refused = [
        lambda flow: flow.add_parameter("x", Parameter("x")),
        lambda flow: flow.remove_parameter("p"),
        lambda flow: flow.add_decorator("schedule"),
        lambda flow: flow.remove_decorator("schedule"),
        lambda flow: flow.start.add_decorator(step_mutator()),
    ]

    def try_all(flow):
        for action in refused:
            with pytest.raises(MetaflowException, match="pre_mutate only"):
                action(flow)

    mutated(flow_mutator(post=try_all))


def test_a_flow_gets_decorators():
    changed, _ = mutated(flow_mutator(lambda flow: flow.add_decorator("project", deco_kwargs={"name": "x"})))
    assert [each.name.rpartition(".")[2] for each in changed._flow_decorators] == ["Mutator", "project"]
    with pytest.raises(TypeError, match="no decorator or mutator of flows"):
        mutated(flow_mutator(lambda flow: flow.add_decorator("retry")))


def test_mutators_of_steps_follow_those_of_the_flow():
    order = []
    of_flow = flow_mutator(lambda flow: order.append("flow pre"), lambda flow: order.append("flow"))
    of_step = step_mutator(lambda step: order.append("step pre"), lambda step: order.append("step"))
    mutated(of_flow, of_step)
    assert order == ["flow pre", "step pre", "flow", "step"]


def step_after(change):
    _, decorators = mutated(flow_mutator(), step_mutator(post=change, name="Changing"))
    return decorators["start"]


def test_decorators_of_a_step_are_added():
    def change(mutable):
        mutable.add_decorator("retry", deco_kwargs={"times": 2})
        mutable.add_decorator(retry, deco_kwargs={"times": 3})  # ignored, as there is one
        with pytest.raises(DuplicateStepDecoratorException):
            mutable.add_decorator("retry", duplicates=mutable.ERROR)
        mutable.add_decorator("catch:var=e")
        mutable.add_decorator(noting("added"), deco_args=[1], deco_kwargs={"k": 2})

    timeout_, _, retry_, catch_, added = step_after(change)
    assert (timeout_.name, retry_.attributes["times"], catch_.attributes["var"]) == ("timeout", 2, "e")
    assert (added.arguments, added.keywords, added.inserted_by) == ([1], {"k": 2}, f"{__name__}.Changing")


def test_a_decorator_of_a_step_is_replaced():
    def change(mutable):
        mutable.add_decorator("timeout", deco_kwargs={"hours": 1}, duplicates=mutable.OVERRIDE)

    assert [each.attributes["hours"] for each in step_after(change) if each.name == "timeout"] == [1]


def test_decorators_of_a_step_are_removed():
    seen = []

    def change(mutable):
        seen.append(mutable.remove_decorator("timeout", deco_kwargs={"seconds": 1}))
        seen.append(mutable.remove_decorator(timeout, deco_kwargs={"seconds": 9}))
        seen.append(mutable.has_decorator("timeout"))

    step_after(change)
    assert seen == [False, True, False]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (dict(deco_type="nobody"), UnknownStepDecoratorException),
        (dict(deco_type="retry", deco_kwargs={"bogus": 1}), InvalidDecoratorAttribute),
        (dict(deco_type=3), TypeError),
        (dict(deco_type="retry", deco_args=[1]), MetaflowException),
    ],
)
def test_wrong_decorators_are_refused(given, error):
    with pytest.raises(error):
        step_after(lambda mutable: mutable.add_decorator(**given))
