"""Parameters in Python: types, defaults, and what is refused."""

import pytest
import python_package  # noqa: F401
from metaflow import FlowSpec, IncludeFile, JSONType, Parameter
from metaflow.exception import MetaflowException, ParameterFieldFailed, ParameterFieldTypeMismatch
from metaflow.parameters import BadParameterValue, ParameterContext, parameters_of, require_usable

CONTEXT = ParameterContext("Flow", "demo", "p", print, "local", None)


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (Parameter("p"), "abc", "abc"),
        (Parameter("p", default=3), "4", 4),
        (Parameter("p", default=0.5), "1e3", 1000.0),
        (Parameter("p", default=False), "YES", True),
        (Parameter("p", type=bool), "f", False),
        (Parameter("p", type=JSONType), '{"a": [null]}', {"a": [None]}),
        (Parameter("p", default=[1]), "[2]", [2]),
        (Parameter("p", separator=","), "a,b", ["a", "b"]),
        (Parameter("p", separator=","), "", ""),
    ],
)
def test_text_becomes_a_value(parameter, text, value):
    found = parameter.parse(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        (Parameter("p", type=int), "abc", "not a valid integer"),
        (Parameter("p", type=float), "x", "not a valid float"),
        (Parameter("p", type=bool), "maybe", "not a valid boolean"),
        (Parameter("p", type=JSONType), "{", "not valid JSON"),
    ],
)
def test_what_is_no_value_is_told_with_what_was_expected(parameter, text, expected):
    with pytest.raises(BadParameterValue, match=expected) as error:
        parameter.parse(text)
    assert "'--p'" in str(error.value) and repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Parameter("p", default=3), 3),
        (Parameter("p", default=3, type=float), 3.0),
        (Parameter("p", default="[1]", type=JSONType), [1]),
        (Parameter("p", default={"a": 1}, type=JSONType), {"a": 1}),
        (Parameter("p", default="a,b", separator=","), ["a", "b"]),
        (Parameter("p", default=lambda context: context.user_name), "demo"),
        (Parameter("p", type=int, default=lambda context: 7), 7),
        (Parameter("p", type=JSONType, default=lambda context: "[1]"), [1]),
        (Parameter("p"), None),
    ],
)
def test_a_default_stands_for_what_is_not_given(parameter, value):
    found = parameter.default_value(CONTEXT)
    assert (found, type(found)) == (value, type(value))


def test_a_computed_default_of_another_type_is_refused():
    with pytest.raises(ParameterFieldTypeMismatch, match=r"int.*str"):
        Parameter("p", type=int, default=lambda context: "7").default_value(CONTEXT)
    with pytest.raises(ParameterFieldTypeMismatch):
        Parameter("p", type=int, default=lambda context: True).default_value(CONTEXT)


def test_a_default_that_cannot_be_computed_says_why():
    with pytest.raises(ParameterFieldFailed, match="ZeroDivisionError"):
        Parameter("p", default=lambda context: 1 / 0).default_value(CONTEXT)


@pytest.mark.parametrize("field", ["show_default", "required", "separator"])
def test_only_the_default_can_be_computed(field):
    with pytest.raises(MetaflowException, match=field):
        Parameter("p", **{field: lambda context: 1}).require_usable()


def test_separators_are_for_text():
    with pytest.raises(MetaflowException, match="separator"):
        Parameter("p", type=int, separator=",").require_usable()


@pytest.mark.parametrize(
    ("parameter", "type_name", "default_text", "required"),
    [
        (Parameter("p", default=3), "INTEGER", "3", False),
        (Parameter("p", default=3, show_default=False), "INTEGER", None, False),
        (Parameter("p", default=3, show_default="three"), "INTEGER", "three", False),
        (Parameter("p", required=True), "TEXT", None, True),
        (Parameter("p", required=True, default=True), "BOOLEAN", "True", False),
        (Parameter("p", type=JSONType, default=lambda context: "1"), "JSON", None, False),
        (IncludeFile("p", default="a.txt"), "FILEPATH", "a.txt", False),
    ],
)
def test_the_description_says_what_help_shows(parameter, type_name, default_text, required):
    described = parameter.description("p")
    assert (described["type_name"], described["default_text"], described["required"]) == (
        type_name,
        default_text,
        required,
    )


def test_private_and_reserved_attributes_are_no_parameters():
    class F(FlowSpec):
        b = Parameter("b")
        a = Parameter("x-y")
        _private = Parameter("private")
        index = Parameter("index")

    assert list(parameters_of(F)) == ["a", "b"]


@pytest.mark.parametrize("name", ["tag", "with", "max-workers", "max_workers", "Run-ID"])
def test_names_of_options_are_reserved(name):
    with pytest.raises(MetaflowException, match="reserved"):
        require_usable({"p": Parameter(name)})


def test_names_differ_in_more_than_capitals():
    require_usable({"a": Parameter("x-y"), "b": Parameter("x_y")})
    with pytest.raises(MetaflowException, match="'x' and 'x'"):
        require_usable({"a": Parameter("x"), "b": Parameter("x")})
    with pytest.raises(MetaflowException, match="'Alpha' and 'alpha'"):
        require_usable({"a": Parameter("Alpha"), "b": Parameter("alpha")})
