"""What flows write: Config, its value, and expressions over values that are not known yet."""

from __future__ import annotations

import pickle
import sys
from typing import Any, Callable, Dict, Iterator, List, Mapping, NoReturn, Optional, Union

from ..exception import MetaflowException

#: How a name begins under which `**config.section` travels through keyword arguments until its value is known.
_UNPACKED = "_unpacked_delayed_"

Parser = Union[str, Callable[[str], Any]]


class ConfigValue(Dict[str, Any]):
    """A mapping that cannot be changed, whose items are attributes too; mappings in it, at any depth, are of the same kind."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        if not isinstance(data, Mapping):
            raise TypeError(f"ConfigValue takes a mapping, not a {type(data).__name__}")
        super().__init__({key: frozen(value) for key, value in data.items()})

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __dir__(self) -> List[str]:
        return sorted({*super().__dir__(), *(key for key in self if isinstance(key, str))})

    def to_dict(self) -> Dict[str, Any]:
        """The same as plain dicts."""
        return {key: thawed(value) for key, value in self.items()}

    def __reduce__(self) -> Any:
        return ConfigValue, (self.to_dict(),)

    def __copy__(self) -> ConfigValue:
        return self

    def __deepcopy__(self, _: Any) -> ConfigValue:
        return ConfigValue(self.to_dict())

    def __ior__(self, _: Any) -> NoReturn:  # type: ignore[misc]  # unlike dict's, it never returns
        self._refuse()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("ConfigValue is immutable; to_dict() gives a copy that can be changed")

    __setattr__ = __delattr__ = __setitem__ = __delitem__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


def frozen(value: Any) -> Any:
    """The same with mappings in it, at any depth, that cannot be changed."""
    if isinstance(value, Mapping):
        return ConfigValue(value)
    if type(value) in (list, tuple):
        return type(value)(frozen(item) for item in value)
    return value


def thawed(value: Any) -> Any:
    """The same with plain dicts."""
    if isinstance(value, ConfigValue):
        return value.to_dict()
    if type(value) in (list, tuple):
        return type(value)(thawed(item) for item in value)
    return value


class DelayEvaluator:
    """A value that is computed from configs once these are known. Until then it can be passed on, looked into by attribute and
    index, and unpacked by `**`; nothing else."""

    def __init__(self, evaluate: Callable[[Any], Any], text: str) -> None:
        self.__dict__.update(_evaluate=evaluate, _text=text)

    def __getattr__(self, name: str) -> DelayEvaluator:
        if name.startswith("__"):
            raise AttributeError(name)
        evaluate = self.__dict__["_evaluate"]
        return DelayEvaluator(lambda scope: getattr(evaluate(scope), name), f"{self._text}.{name}")

    def __getitem__(self, key: Any) -> DelayEvaluator:
        if _is_unpacked(key):
            return self
        evaluate = self.__dict__["_evaluate"]
        return DelayEvaluator(lambda scope: evaluate(scope)[key], f"{self._text}[{key!r}]")

    def keys(self) -> List[str]:
        """For `**`: one name that stands for all."""
        return [_unpacked_name(self)]

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"'{self._text}' is not known yet, so it cannot be looped over: use config_expr(\"...\").")

    def __repr__(self) -> str:
        return f"<{self._text}, not known yet>"

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError(
            f"'{self._text}' is not known before the flow starts: use it in decorators and defaults of parameters only"
        )


def _evaluate(delayed: DelayEvaluator, scope: Any) -> Any:
    """The value. MetaflowException says what is wrong with the expression."""
    try:
        return thawed(delayed.__dict__["_evaluate"](scope))
    except MetaflowException:
        raise
    except Exception as error:
        raise MetaflowException(
            f"'{delayed._text}' cannot be computed from the configuration: {type(error).__name__}: {error}"
        ) from error


def config_expr(expression: str) -> DelayEvaluator:
    """A Python expression over configs, by their names in the flow, and over the globals of the module that calls this."""
    globals_ = sys._getframe(1).f_globals

    def evaluate(scope: Any) -> Any:
        return eval(expression, {**globals_, **scope.names})

    return DelayEvaluator(evaluate, expression)


class Config:
    """A class attribute `c = Config("c", default="c.json")` of a flow: a mapping that is known before all else.

    `default` is the path of a file, `default_value` a text or a dict; either may be a function of a ParameterContext. `parser`, a
    function or its dotted name, makes a mapping of the text, which is JSON otherwise. With `plain=True` the value is the text, or
    anything that `parser` returns. Where there is nothing to take and it is not required, the value is None.

    In the class body `c.a.b` stands for the value's items, so that this class has few names of its own.
    """

    IS_CONFIG_PARAMETER = True

    def __init__(
        self,
        name: str,
        default: Any = None,
        default_value: Any = None,
        help: Optional[str] = None,
        required: Optional[bool] = None,
        parser: Optional[Parser] = None,
        plain: bool = False,
        show_default: bool = True,
        **kwargs: Any,
    ) -> None:
        if default is not None and default_value is not None:
            raise MetaflowException(f"Config '{name}' has default, a path, and default_value: it takes one of them.")
        self.name = name
        self.kwargs: Dict[str, Any] = {
            **kwargs,
            "default": default,
            "default_value": default_value,
            "help": help,
            "required": bool(required),
            "parser": parser,
            "plain": plain,
            "show_default": show_default,
        }

    def value_in_task(self, stored: Any, included_file: Callable[[str], bytes]) -> Any:
        """What `self.c` is in a step, from what was stored."""
        return frozen(stored)

    def __getattr__(self, name: str) -> DelayEvaluator:
        if name.startswith("__"):
            raise AttributeError(name)
        delayed: DelayEvaluator = getattr(_whole(self), name)
        return delayed

    def __getitem__(self, key: Any) -> DelayEvaluator:
        return _whole(self)[key]

    def keys(self) -> List[str]:
        """For `**`: one name that stands for all."""
        return [_unpacked_name(self)]

    def __iter__(self) -> Iterator[Any]:
        return iter(_whole(self))

    def __repr__(self) -> str:
        return f"metaflow.Config(name={self.name}, kwargs={self.kwargs})"


def _whole(config: Config) -> DelayEvaluator:
    return DelayEvaluator(lambda scope: scope.value_of(config), config.name)


def _unpacked_name(value: Any) -> str:
    return f"{_UNPACKED}{id(value)}"


def _is_unpacked(key: Any) -> bool:
    return isinstance(key, str) and key.startswith(_UNPACKED)


def is_delayed(name: str, value: Any) -> bool:
    """Whether a keyword argument stands for others that are not known yet."""
    return _is_unpacked(name) and isinstance(value, (DelayEvaluator, Config))


def evaluated(value: Any, scope: Any) -> Any:
    """The same with everything in it that had to wait replaced by its value."""
    if isinstance(value, Config):
        return thawed(scope.value_of(value))
    if isinstance(value, DelayEvaluator):
        return _evaluate(value, scope)
    if type(value) is dict:
        return _evaluated_dict(value, scope)
    if type(value) in (list, tuple, set):
        return type(value)(evaluated(item, scope) for item in value)
    return value


def _evaluated_dict(values: Dict[Any, Any], scope: Any) -> Dict[Any, Any]:
    found: Dict[Any, Any] = {}
    for name, value in values.items():
        inner = evaluated(value, scope)
        if not _is_unpacked(name):
            found[name] = inner
        elif isinstance(inner, Mapping):
            found.update(inner)
        else:
            raise MetaflowException(f"{value!r} is a {type(inner).__name__}, which cannot be unpacked by **.")
    return found
