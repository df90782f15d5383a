"""The graph of a flow, read from its source: no step is run.

Of a step, the last statement counts, and only where it is a bare `self.next(...)` of one of the known forms. What is written otherwise
is described as it is, `none` or `invalid`; whether that is a mistake is for the engine's checker to say.
"""

from __future__ import annotations

import ast
import linecache
from types import CodeType
from typing import Any, Dict, List, Optional, Tuple

from .exception import MetaflowException


class SourceMissing(MetaflowException):
    """The source of a step cannot be read."""

    headline = "Source of the flow is missing"


class Node:
    """One step as it is written; members are those of the description that the engine takes."""

    def __init__(
        self, name: str, source_file: str, line: int, next_line: int, documentation: str, argument_count: int
    ) -> None:
        self.name = name
        self.source_file = source_file
        self.line = line  #: of its `def`
        self.next_line = next_line  #: of its transition
        self.documentation = documentation
        self.argument_count = argument_count  #: formal arguments beside self; -1: not even self
        self.transition = "none"
        self.next: List[str] = []
        self.foreach_artifact = ""
        self.condition = ""
        self.cases: List[Dict[str, str]] = []
        self.num_parallel: Optional[int] = None

    @property
    def is_join(self) -> bool:
        return self.argument_count == 1


def steps_of(flow_class: type) -> Dict[str, Any]:
    """The step functions of a flow by name, inherited ones first, in the order written."""
    found: Dict[str, Any] = {}
    for owner in reversed(flow_class.__mro__):
        for name in vars(owner):
            value = next(vars(each)[name] for each in flow_class.__mro__ if name in vars(each))
            if getattr(value, "is_step", False) is True:
                found[name] = value
    return found


def node_of(name: str, function: Any) -> Node:
    """Reads one step function. SourceMissing when nobody knows where it stands."""
    definition, file = _definition_of(_unwrapped(function))
    arguments = definition.args
    positional = [*getattr(arguments, "posonlyargs", []), *arguments.args]
    node = Node(
        name=name,
        source_file=file,
        line=definition.lineno,
        next_line=definition.body[-1].lineno,
        documentation=_without_indentation(ast.get_docstring(definition, clean=False) or ""),
        argument_count=len(positional) - 1,
    )
    own_name = positional[0].arg if positional else "self"
    call = _transition_call(definition.body[-1], own_name)
    if call is not None:
        _Transition(own_name, node).read(call)
    return node


def _unwrapped(function: Any) -> Any:
    """What functools.wraps was given."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def _without_indentation(text: str) -> str:
    """A docstring without what its lines have in front in common."""
    first, *rest = text.expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in rest)]).strip("\n")


#: Definitions by name and the line at which the code of one may begin to count; None for a file that cannot be read.
_Definitions = Dict[Tuple[str, int], ast.FunctionDef]
_known: Dict[str, Optional[_Definitions]] = {}


def _definitions_in(file: str) -> Optional[_Definitions]:
    if file not in _known:
        lines = linecache.getlines(file)
        _known[file] = _index(ast.parse("".join(lines), file)) if lines else None
    return _known[file]


def _index(tree: ast.Module) -> _Definitions:
    found: _Definitions = {}
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef):
            for line in (each.lineno, *(decorator.lineno for decorator in each.decorator_list)):
                found[each.name, line] = each
    return found


def _definition_of(function: Any) -> Tuple[ast.FunctionDef, str]:
    code: Optional[CodeType] = getattr(function, "__code__", None)
    definitions = _definitions_in(code.co_filename) if code is not None else None
    if code is None or definitions is None:
        raise SourceMissing(
            f"The source of step '{getattr(function, '__name__', function)}' cannot be read. The graph of a flow is taken "
            "from its source, so the flow has to be written to a file."
        )
    try:
        return definitions[code.co_name, code.co_firstlineno], code.co_filename
    except KeyError:
        raise SourceMissing(
            f"Step '{code.co_name}' is not at line {code.co_firstlineno} of {code.co_filename} any more: run it again."
        ) from None


def _transition_call(statement: ast.stmt, own_name: str) -> Optional[ast.Call]:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return None
    called = statement.value.func
    if not isinstance(called, ast.Attribute) or called.attr != "next" or not _is_name(called.value, own_name):
        return None
    return statement.value


def _is_name(expression: ast.expr, name: str) -> bool:
    return isinstance(expression, ast.Name) and expression.id == name


class _Invalid(Exception):
    """The call has none of the known forms."""


class _Transition:
    """One call of `self.next`, put into words of the description."""

    def __init__(self, own_name: str, node: Node) -> None:
        self._own_name = own_name
        self._node = node

    def read(self, call: ast.Call) -> None:
        node = self._node
        node.transition = "invalid"
        try:
            node.transition, node.next = self._form_of(call)
        except _Invalid:
            node.next = []
            node.cases = []

    def _form_of(self, call: ast.Call) -> Tuple[str, List[str]]:
        if len(call.keywords) > 1 or any(each.arg is None for each in call.keywords) or not call.args:
            raise _Invalid
        keyword = call.keywords[0] if call.keywords else None
        if keyword is not None and keyword.arg == "condition":
            return "switch", self._read_switch(call.args, keyword.value)
        targets = [self._target(each) for each in call.args]
        if keyword is None:
            return ("linear" if len(targets) == 1 else "split"), targets
        if len(targets) != 1:
            raise _Invalid
        if keyword.arg == "foreach":
            name = _literal(keyword.value)
            self._node.foreach_artifact = name if isinstance(name, str) else ""
            return "foreach", targets
        if keyword.arg == "num_parallel":
            number = _literal(keyword.value)
            is_number = isinstance(number, int) and not isinstance(number, bool)
            self._node.num_parallel = number if is_number else None
            return "parallel", targets
        raise _Invalid

    def _target(self, expression: ast.expr) -> str:
        if isinstance(expression, ast.Attribute) and _is_name(expression.value, self._own_name):
            return expression.attr
        raise _Invalid

    def _read_switch(self, arguments: List[ast.expr], condition: ast.expr) -> List[str]:
        if len(arguments) != 1 or not isinstance(arguments[0], ast.Dict):
            raise _Invalid
        name = _literal(condition)
        if not isinstance(name, str):
            raise _Invalid
        self._node.condition = name
        for key, target in zip(arguments[0].keys, arguments[0].values):
            self._node.cases.append({"value": self._case(key), "target": self._target(target)})
        return [case["target"] for case in self._node.cases]

    def _case(self, key: Optional[ast.expr]) -> str:
        if isinstance(key, ast.Constant) and isinstance(key.value, (str, int, float, bool)):
            return str(key.value)
        path = self._config_path(key)
        if path is None:
            raise _Invalid
        return "config:" + path

    def _config_path(self, expression: Optional[ast.expr]) -> Optional[str]:
        """`a.b` of `self.a.b`."""
        parts: List[str] = []
        while isinstance(expression, ast.Attribute):
            parts.append(expression.attr)
            expression = expression.value
        if expression is None or not _is_name(expression, self._own_name) or len(parts) < 2:
            return None
        return ".".join(reversed(parts))


def _literal(expression: ast.expr) -> Any:
    return expression.value if isinstance(expression, ast.Constant) else None
