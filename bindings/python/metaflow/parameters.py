"""Parameters: values that a run is started with, the same for all of its steps."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .exception import MetaflowException, ParameterFieldFailed, ParameterFieldTypeMismatch


class ParameterContext(NamedTuple):
    """What a default that is computed when the run starts is told."""

    flow_name: str
    user_name: str
    parameter_name: str
    logger: Callable[..., None]
    ds_type: str
    configs: Any


class BadParameterValue(MetaflowException):
    """Text that makes no value of a parameter: a mistake of the command line."""

    headline = "Usage"


class JSONTypeClass:
    """The type of parameters whose text is JSON. Values that are no text are taken as they are."""

    name = "JSON"

    def convert(self, value: Any, param: Any = None, ctx: Any = None) -> Any:
        """The value; ValueError when the text is no JSON."""
        return json.loads(value) if isinstance(value, str) else value

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return "JSON"


JSONType = JSONTypeClass()

_TRUE_WORDS = {"true", "t", "1", "yes", "y", "on"}
_FALSE_WORDS = {"false", "f", "0", "no", "n", "off"}
_TYPE_NAMES = {bool: "BOOLEAN", int: "INTEGER", float: "FLOAT", str: "TEXT"}
_EXPECTED = {
    bool: "a valid boolean: write true or false",
    int: "a valid integer",
    float: "a valid float: a number such as 0.5 or 1e-3",
}
_EXACT_TYPES = (bool, int, float, list, dict)


class Parameter:
    """A class attribute `x = Parameter("x", default=1)` of a flow; steps read its value as `self.x`.

    `type` is one of bool, int, float, str and JSONType, and that of the default where it is left out. A callable default
    is called with a ParameterContext when a run starts.
    """

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: Any = None,
        help: Optional[str] = None,
        required: Optional[bool] = None,
        show_default: Any = None,
        **kwargs: Any,
    ) -> None:
        self.name = name
        self.kwargs: Dict[str, Any] = dict(kwargs)
        given = {
            "default": default,
            "type": type,
            "help": help,
            "required": required,
            "show_default": show_default,
        }
        self.kwargs.update((key, value) for key, value in given.items() if value is not None)

    def __repr__(self) -> str:
        return f"metaflow.Parameter(name={self.name}, kwargs={self.kwargs})"

    @property
    def default(self) -> Any:
        return self.kwargs.get("default")

    @property
    def type(self) -> Any:
        """What turns text into a value."""
        if "type" in self.kwargs:
            return self.kwargs["type"]
        default = self.default
        return str if default is None or callable(default) else type(default)

    @property
    def is_string_type(self) -> bool:
        return self.type is str

    @property
    def separator(self) -> Optional[str]:
        return self.kwargs.get("separator")

    @property
    def is_flag(self) -> bool:
        """Whether the option stands for True by itself."""
        return bool(self.kwargs.get("is_flag"))

    def require_usable(self) -> None:
        """MetaflowException for arguments that do not go together, once they are values and not configs to come."""
        if self.separator is not None and not self.is_string_type:
            raise MetaflowException(f"Parameter '{self.name}': separator is only for parameters of type str.")
        for field in ("show_default", "separator", "required"):
            if callable(self.kwargs.get(field)):
                raise MetaflowException(f"Parameter '{self.name}': {field} cannot be computed when the run starts.")

    def description(self, attribute: str) -> Dict[str, Any]:
        """As the engine takes it."""
        return {
            "name": self.name,
            "attribute": attribute,
            "kind": "value",
            "type_name": self._type_name(),
            "help": str(self.kwargs.get("help") or ""),
            "required": bool(self.kwargs.get("required")) and self.default is None,
            "default_text": self._default_text(),
        }

    def parse(self, text: str) -> Any:
        """The value of what the user wrote. BadParameterValue says what was expected."""
        return self._split(self._convert(text))

    def has_default(self) -> bool:
        return self.default is not None

    def default_value(self, context: ParameterContext) -> Any:
        """The value when the user wrote nothing."""
        default = self.default
        if callable(default):
            default = self._computed(default, context)
        if isinstance(default, str) and not self.is_string_type:
            default = self._convert(default)
        elif isinstance(default, int) and not isinstance(default, bool) and self.type is float:
            default = float(default)
        return self._split(default)

    def value_in_task(self, stored: Any, included_file: Callable[[str], bytes]) -> Any:
        """What `self.x` is in a step, from what was stored."""
        return stored

    def _type_name(self) -> str:
        kind = self.type
        if isinstance(kind, JSONTypeClass) or kind in (list, dict):
            return "JSON"
        return _TYPE_NAMES.get(kind, getattr(kind, "name", "TEXT").upper())

    def _default_text(self) -> Optional[str]:
        show = self.kwargs.get("show_default", True)
        default = self.default
        if isinstance(show, str):
            return show
        return None if not show or default is None or callable(default) else str(default)

    def _convert(self, text: str) -> Any:
        kind = self.type
        try:
            if kind is bool:
                return self._boolean(text)
            if kind in (list, dict):
                return json.loads(text)
            if hasattr(kind, "convert"):
                return kind.convert(text, self, None)
            return kind(text)
        except Exception as error:
            expected = _EXPECTED.get(kind, f"valid {self._type_name()}: {error}")
            raise BadParameterValue(f"Invalid value for '--{self.name}': '{text}' is not {expected}.") from None

    @staticmethod
    def _boolean(text: str) -> bool:
        word = text.strip().lower()
        if word in _TRUE_WORDS:
            return True
        if word in _FALSE_WORDS:
            return False
        raise ValueError(text)

    def _split(self, value: Any) -> Any:
        return value.split(self.separator) if self.separator and isinstance(value, str) and value else value

    def _computed(self, default: Callable[[ParameterContext], Any], context: ParameterContext) -> Any:
        try:
            value = default(context)
        except Exception:
            raise ParameterFieldFailed(self.name, "default") from None
        kind = self.type
        wanted = kind if kind in _EXACT_TYPES else str
        if value is not None and type(value) is not wanted:
            raise ParameterFieldTypeMismatch(
                f"The default of parameter '{self.name}' is to be of type {wanted.__name__}, but its function returned a "
                f"{type(value).__name__}."
            )
        return value


def is_declaration(value: Any) -> bool:
    """Whether a class attribute is a parameter or a config, which stand for a value of the run."""
    return isinstance(value, Parameter) or getattr(type(value), "IS_CONFIG_PARAMETER", False)


def parameters_of(flow_class: Any) -> Dict[str, Parameter]:
    """The parameters of a flow by attribute, inherited ones too, in alphabetical order."""
    found: Dict[str, Parameter] = {}
    for name in sorted(dir(flow_class)):
        if name[0] == "_" or name in NOT_PARAMETERS:
            continue
        value = getattr(flow_class, name, None)
        if isinstance(value, Parameter):
            found[name] = value
    return found


#: Attributes of a flow that are never parameters or constants.
NOT_PARAMETERS = frozenset({"cmd", "foreach_stack", "index", "input", "script_name", "name"})


_RESERVED = frozenset(
    "params with tag namespace obj tags decospecs run_id_file max_num_splits max_workers max_log_size user_namespace run_id "
    "task_id runner_attribute_file".split()
)


def require_usable(parameters: Dict[str, Parameter]) -> None:
    """MetaflowException for a name that an option of the command line has, or that two parameters share but for capitals; and for
    what is wrong with a parameter itself."""
    seen: Dict[str, str] = {}
    for parameter in parameters.values():
        parameter.require_usable()
        name = parameter.name
        if name.lower().replace("-", "_") in _RESERVED:
            raise MetaflowException(
                f"Parameter name '{name}' is reserved for an option. Choose another name for the parameter."
            )
        other = seen.get(name.lower())
        if other is not None:
            raise MetaflowException(
                f"Parameters '{other}' and '{name}' have the same name on the command line, where capitals do not tell names "
                "apart. Rename one of them."
            )
        seen[name.lower()] = name


def flag_options(parameters: Dict[str, Parameter]) -> List[str]:
    """Options that may stand without a value."""
    return [f"--{each.name}" for each in parameters.values() if each.is_flag]
