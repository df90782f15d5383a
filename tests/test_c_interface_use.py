"""The table of docs/formats/c-interface.md that says which language uses which function of the C interface."""

import ast
import functools
import re

import pytest
from conftest import REPOSITORY

HEADER = (REPOSITORY / "include/metaflow/metaflow.h").read_text()
PACKAGE = REPOSITORY / "bindings/python/metaflow"
DOCUMENT = (REPOSITORY / "docs/formats/c-interface.md").read_text()


@functools.cache
def functions_of_the_header() -> dict[str, int]:
    """Names, with how many arguments each takes."""
    text = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
    found = re.findall(r"METAFLOW_API\s[^;(]*?(metaflow_\w+)\(([^)]*)\);", text)
    return {name: 0 if arguments.strip() == "void" else arguments.count(",") + 1 for name, arguments in found}


def declarations() -> dict[str, int]:
    """The same of what _engine.py declares."""
    found = {}
    for node in ast.walk(ast.parse((PACKAGE / "_engine.py").read_text())):
        pairs = list(zip(node.keys, node.values, strict=True)) if isinstance(node, ast.Dict) else []
        if isinstance(node, ast.Tuple) and len(node.elts) == 3:
            pairs = [(node.elts[0], node.elts[2])]
        for name, arguments in pairs:
            is_function = isinstance(name, ast.Constant) and str(name.value).startswith("metaflow_")
            if is_function and isinstance(arguments, ast.List):
                found[name.value] = len(arguments.elts)
    return found


@functools.cache
def uses() -> dict[str, set[str]]:
    """Functions, with the modules of the Python package that call them."""
    found: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        declared = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
        declared |= {id(node.elts[0]) for node in ast.walk(tree) if isinstance(node, ast.Tuple) and node.elts}
        for node in ast.walk(tree):
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", None)
            if isinstance(name, str) and id(node) not in declared and re.fullmatch(r"metaflow_[a-z_]+", name):
                found.setdefault(name, set()).add(str(file.relative_to(PACKAGE)))
    return {name: files for name, files in found.items() if name in functions_of_the_header()}


@functools.cache
def table() -> dict[str, set[str]]:
    section = DOCUMENT.partition("## Who uses what")[2]
    rows = re.findall(r"^\| `(metaflow_\w+)` \|(.*)\|$", section, flags=re.MULTILINE)
    return {name: set(re.findall(r"`([\w/.]+)`", modules)) for name, modules in rows}


def test_the_table_has_a_row_for_each_function_of_the_header():
    assert list(table()) == list(functions_of_the_header())


@pytest.mark.parametrize("function", functions_of_the_header())
def test_the_table_names_the_modules_that_call_a_function(function):
    assert table()[function] == uses().get(function, set())


def test_each_function_that_python_calls_is_declared_as_the_header_has_it():
    known = {name: count for name, count in functions_of_the_header().items() if name in declarations()}
    assert declarations() == known
    assert set(uses()) - set(declarations()) == {"metaflow_abi_version"}  # called before anything is declared
    assert set(declarations()) == set(uses()) - {"metaflow_abi_version"}
