"""Configs of flows: what the command line, the environment and defaults make of them, and what waits for their values."""

import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import pytest
import python_package
from conftest import judge
from metaflow.exception import InvalidDecoratorAttribute, MetaflowException
from metaflow.parameters import Parameter
from metaflow.user_configs import (
    Config,
    ConfigUsageError,
    ConfigValue,
    Scope,
    command_of,
    config_expr,
    configs_of,
    constants,
    evaluate_flow,
    resolve,
)

FACTOR = 6
PROBE = python_package.REPOSITORY / "tests/python/config_probe.py"


def read_probe(*command, **environment) -> dict:
    said = subprocess.run([*command, PROBE], capture_output=True, text=True, timeout=60, check=True, env=environment)
    return json.loads(said.stdout.rpartition("PROBE ")[2])


def test_values_and_parsers_do_what_the_official_ones_do(tmp_path):
    environment = {"HOME": str(tmp_path), "USER": "demo"}
    official = read_probe(judge(), **environment)
    ours = read_probe(sys.executable, **environment, PYTHONPATH=str(python_package.REPOSITORY / "bindings/python"))
    assert ours == official


# --- Resolution


class Flow:
    b = Config("b-c", default_value={"k": 1})
    a = Config("a", default_value='{"n": {"m": 2}}')
    text = Config("text", plain=True, default_value="as it is")
    absent = Config("absent")


def refuse_to_load(*_):
    raise AssertionError("nothing is to be loaded")


def values_of(*words, flow=Flow, environment=None, load_stored=refuse_to_load) -> dict:
    return resolve(flow, ["flow.py", *words], load_stored=load_stored, user_name="demo", environment=environment or {})


def usage_error(*words, **settings) -> str:
    with pytest.raises(ConfigUsageError) as caught:
        values_of(*words, **settings)
    return str(caught.value)


def flow_with(**configs):
    return type("Flow", (), configs)


def test_defaults_are_taken_when_nothing_is_given():
    assert values_of("run") == {"a": {"n": {"m": 2}}, "absent": None, "b": {"k": 1}, "text": "as it is"}


def test_a_flow_without_configs_has_no_values():
    assert values_of("--config", "x", "y", "run", flow=flow_with()) == {}


def test_a_file_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"k": 5}')
    assert values_of("--config", "a", str(path), "run")["a"] == {"k": 5}
    assert values_of("run", environment={"METAFLOW_FLOW_CONFIG": json.dumps({"a": str(path)})})["a"] == {"k": 5}
    assert values_of("run", flow=flow_with(a=Config("a", default=str(path))))["a"] == {"k": 5}


def test_a_value_is_taken():
    assert values_of("--quiet", "--config-value", "a", '{"k": 5}', "--with", "retry", "run")["a"] == {"k": 5}
    for value in ({"k": 5}, '{"k": 5}'):
        environment = {"METAFLOW_FLOW_CONFIG_VALUE": json.dumps({"a": value})}
        assert values_of("run", environment=environment)["a"] == {"k": 5}


def test_the_command_line_goes_before_the_environment():
    environment = {"METAFLOW_FLOW_CONFIG_VALUE": '{"a": {"k": 1}, "text": "x"}'}
    values = values_of("--config-value", "a", '{"k": 2}', "run", environment=environment)
    assert (values["a"], values["text"]) == ({"k": 2}, "as it is")


def test_the_last_of_several_values_counts():
    assert values_of("--config-value", "a", "{}", "--config-value", "a", '{"k": 1}', "run")["a"] == {"k": 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "a", "gone.json", "run"], "'gone.json' of the config 'a' cannot be read: No such file"),
        (["--config-value", "a", "{bad", "run"], "config 'a' is no JSON"),
        (["--config-value", "a", "[1]", "run"], "config 'a' is to be a JSON object"),
        (["--config-value", "z", "{}", "run"], "no config z; it has a, absent, b-c, text"),
        (["--config", "a", "x", "--config-value", "a", "{}", "run"], "a file and a value for the config a"),
        (["--config", "a"], "'--config' takes two words"),
    ],
)
def test_mistakes_of_the_command_line_are_told(words, said):
    assert said in usage_error(*words)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("METAFLOW_FLOW_CONFIG", "{bad", "METAFLOW_FLOW_CONFIG is no JSON"),
        ("METAFLOW_FLOW_CONFIG_VALUE", "[1]", "METAFLOW_FLOW_CONFIG_VALUE is to be a JSON object"),
        ("METAFLOW_FLOW_CONFIG", '{"z": "x"}', "no config z"),
    ],
)
def test_mistakes_of_the_environment_are_told(variable, text, said):
    assert said in usage_error("run", environment={variable: text})


def test_a_file_and_a_value_from_different_places_contradict_each_other():
    environment = {"METAFLOW_FLOW_CONFIG": '{"a": "x"}'}
    assert "a file and a value" in usage_error("--config-value", "a", "{}", "run", environment=environment)


def test_what_is_required_has_to_be_given_but_for_help():
    flow = flow_with(r=Config("r", required=True), s=Config("s", default="gone.json"))
    said = usage_error("run", flow=flow)
    assert "'r' is missing" in said
    assert "default file 'gone.json'" in said
    assert values_of("run", "--help", flow=flow) == {"r": None, "s": None}
    assert values_of("--help", flow=flow) == {"r": None, "s": None}


def test_a_default_may_be_computed():
    seen = []
    flow = flow_with(c=Config("c", default_value=lambda context: seen.append(context) or {"k": context.user_name}))
    assert values_of("run", flow=flow) == {"c": {"k": "demo"}}
    assert (seen[0].flow_name, seen[0].parameter_name) == ("Flow", "c")


@pytest.mark.parametrize(
    ("config", "value"),
    [
        (Config("c", default_value="k=1", parser=lambda text: dict([text.split("=")])), {"k": "1"}),
        (Config("c", default_value="[1]", parser="json.loads", plain=True), [1]),
        (
            Config("c", default_value="numpy==1", parser="requirements_txt_parser"),
            {"packages": {"numpy": "1"}, "python": None},
        ),
    ],
)
def test_a_parser_makes_the_value(config, value):
    assert values_of("run", flow=flow_with(c=config)) == {"c": value}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Config("c", default_value="x", parser=lambda text: [1]), "returned a list"),
        (Config("c", default_value="x", parser=lambda text: 1 / 0), "parser of config 'c' failed: ZeroDivisionError"),
        (Config("c", default_value="x", parser="no.such"), "parser 'no.such' of config 'c' is not found"),
        (Config("c", default_value=3), "to be a text or a dict, not a int"),
        (Config("c", default_value=lambda context: 1 / 0), "default_value of config 'c' failed"),
    ],
)
def test_mistakes_of_the_flow_are_told(config, said):
    with pytest.raises(MetaflowException, match=said):
        values_of("run", flow=flow_with(c=config))


def test_resume_takes_the_values_of_its_origin():
    asked = []

    def load(*question):
        asked.append(question)
        return {"a": {"k": 1}, "b": {}, "text": "t", "absent": None}

    values = values_of("--datastore-root", "r", "resume", "--origin-run-id", "7", load_stored=load)
    assert asked == [("Flow", "7", "r", ["a", "absent", "b", "text"])]
    assert values == {"a": {"k": 1}, "absent": None, "b": {}, "text": "t"}
    assert isinstance(values["a"], ConfigValue)


def test_a_task_in_a_fresh_process_takes_the_values_of_its_run():
    asked = []
    load = lambda *question: asked.append(question) or {"c": {"k": 1}}  # noqa: E731
    flow = flow_with(c=Config("c", default="gone.json"))
    assert values_of("step", "start", "--run-id=8", flow=flow, load_stored=load) == {"c": {"k": 1}}
    assert asked == [("Flow", "8", None, ["c"])]


def test_resume_takes_no_configs():
    assert "leave out --config" in usage_error("--config", "a", "x", "resume")
    assert "METAFLOW_FLOW_CONFIG_VALUE" in usage_error("resume", environment={"METAFLOW_FLOW_CONFIG_VALUE": "{}"})


def test_resuming_a_run_without_a_config_is_refused():
    with pytest.raises(MetaflowException, match="has no config a, absent"):
        values_of("resume", load_stored=lambda *_: {"b": {}, "text": ""})


def test_the_command_is_found_behind_the_options():
    assert command_of(["f", "--config", "run", "resume", "--quiet", "--with=retry", "show"]) == "show"
    assert command_of(["f", "--help", "run"]) is None
    assert command_of(["f"]) is None


# --- What waits for the values


def scope_of(flow, **values) -> Scope:
    return Scope(configs_of(flow), values)


def test_expressions_wait_for_the_values():
    c, d = Config("c"), Config("the-d")
    flow = flow_with(c=c, d=d)
    scope = scope_of(flow, c=ConfigValue({"a": {"b": "x"}, "n": [1, 2], "get": 3}), d="text")
    waiting = {
        "path": c.a.b,
        "item": c["n"][1],
        "whole": c,
        "text": d,
        "by attribute": config_expr("len(d) * FACTOR"),
        "by name": config_expr("the_d.upper()"),
        "nested": [c.n, {"k": (c.a.b,)}],
        "unpacked": dict(fixed=1, **c.a),
        "expression unpacked": dict(**config_expr("{k + k: v for k, v in c.a.items()}")),
    }
    assert scope.evaluated(waiting) == {
        "path": "x",
        "item": 2,
        "whole": {"a": {"b": "x"}, "n": [1, 2], "get": 3},
        "text": "text",
        "by attribute": 24,
        "by name": "TEXT",
        "nested": [[1, 2], {"k": ("x",)}],
        "unpacked": {"fixed": 1, "b": "x"},
        "expression unpacked": {"bb": "x"},
    }
    assert type(scope.evaluated(c.a)) is dict


def test_a_wrong_expression_is_told_with_its_text():
    scope = scope_of(flow_with(c=(c := Config("c"))), c=ConfigValue({"a": 1}))
    for waiting, said in (
        (c.a.nope, "'c.a.nope'"),
        (config_expr("1 / 0"), "1 / 0.*ZeroDivisionError"),
        (c["x"], "KeyError"),
    ):
        with pytest.raises(MetaflowException, match=said):
            scope.evaluated(waiting)


def test_what_waits_can_neither_be_looped_over_nor_stored():
    c = Config("c")
    with pytest.raises(TypeError, match=r"config_expr"):
        list(c.a)
    with pytest.raises(pickle.PicklingError, match=r"'c.a' is not known before the flow starts"):
        pickle.dumps(c.a)


def test_decorators_and_parameters_get_their_values():
    c = Config("c")
    scope = scope_of(flow_with(c=c), c=ConfigValue({"retry": {"times": 7}, "p": {"default": 4, "help": "h"}}))
    decorator = SimpleNamespace(name="retry", attributes={"times": "3", **c.retry})
    parameter = Parameter("p", **c.p)
    evaluate_flow(scope, [decorator], [parameter])
    assert decorator.attributes == {"times": 7}
    assert (parameter.default, parameter.type) == (4, int)


def test_an_unpacked_attribute_has_to_be_known():
    c = Config("c")
    scope = scope_of(flow_with(c=c), c=ConfigValue({"tims": 7}))
    with pytest.raises(InvalidDecoratorAttribute, match="tims"):
        evaluate_flow(scope, [SimpleNamespace(name="retry", attributes={**c})], [])


def test_values_are_stored_as_plain_dicts():
    stored = constants({"c": ConfigValue({"a": {"b": 1}}), "t": "text"})
    assert (type(stored["c"]), type(stored["c"]["a"]), stored["t"]) == (dict, dict, "text")
