"""From the command line and the environment to the values of a flow's configs, and to everything that waits for these.

Precedence for each config: --config and --config-value, else METAFLOW_FLOW_CONFIG and METAFLOW_FLOW_CONFIG_VALUE, else the default.
A run that is resumed, and a task in a process of its own, have the values of their run.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..exception import MetaflowException
from ..parameters import NOT_PARAMETERS, ParameterContext
from .config_parameters import Config, evaluated, frozen, thawed

_FILE_OPTION, _VALUE_OPTION = "--config", "--config-value"
_ROOT_OPTION, _ROOT_VARIABLE = "--datastore-root", "METAFLOW_DATASTORE_ROOT"
_FILE_VARIABLE, _VALUE_VARIABLE = "METAFLOW_FLOW_CONFIG", "METAFLOW_FLOW_CONFIG_VALUE"

#: Words that follow each option before the command.
_VALUES_OF_OPTION = {
    **dict.fromkeys(
        "--metadata --environment --datastore --datastore-root --package-suffixes --with --event-logger --monitor --mode "
        "--branch --trigger --local-config-file".split(),
        1,
    ),
    _FILE_OPTION: 2,
    _VALUE_OPTION: 2,
}

#: Finds what a run of a flow has stored under some names: (flow, run id or None for the latest, datastore root or None, names).
LoadStored = Callable[[str, Optional[str], Optional[str], Sequence[str]], Mapping[str, Any]]


class ConfigUsageError(MetaflowException):
    """A mistake of the command line or the environment: exit code 2."""

    headline = "Usage"


class Choices(NamedTuple):
    """What the words before the command say."""

    command: Optional[str]
    options: List[Tuple[str, List[str]]]
    after_command: List[str]

    def pairs(self, option: str) -> Optional[Dict[str, str]]:
        """Values by name, None when the option was not given."""
        given = [words for name, words in self.options if name == option]
        for words in given:
            if len(words) != _VALUES_OF_OPTION[option]:
                raise ConfigUsageError(f"Option '{option}' takes two words: a name, and what it is.")
        return {words[0]: words[1] for words in given} if given else None

    def last(self, option: str) -> Optional[str]:
        found = [words[0] for name, words in self.options if name == option and words]
        return found[-1] if found else None

    def wants_help(self) -> bool:
        return self.command in (None, "help") or "--help" in self.after_command

    def value_after_command(self, option: str) -> Optional[str]:
        """Of an option of the command itself: `--run-id 7` or `--run-id=7`."""
        found = None
        words = iter(self.after_command)
        for word in words:
            if word == option:
                found = next(words, None)
            elif word.startswith(option + "="):
                found = word[len(option) + 1 :]
        return found


def _read_words(argv: Sequence[str]) -> Choices:
    options: List[Tuple[str, List[str]]] = []
    words = list(argv[1:])
    while words and words[0].startswith("-"):
        name, equals, first = words.pop(0).partition("=")
        count = _VALUES_OF_OPTION.get(name, 0)
        values = [first] if equals else []
        values += words[: count - len(values)] if count else []
        del words[: len(values) - bool(equals)]
        options.append((name, values))
        if name == "--help":
            return Choices(None, options, words)
    return Choices(words[0] if words else None, options, words[1:])


def command_of(argv: Sequence[str]) -> Optional[str]:
    """The command of a flow program's command line; None when there is none, or help is asked for before it."""
    return _read_words(argv).command


def datastore_root(argv: Sequence[str], environment: Mapping[str, str]) -> Optional[str]:
    """The folder that a flow program was told to record runs in; None when it was told none."""
    return _read_words(argv).last(_ROOT_OPTION) or environment.get(_ROOT_VARIABLE)


def configs_of(flow_class: Any) -> Dict[str, Config]:
    """The configs of a flow by attribute, inherited ones too, in alphabetical order."""
    found: Dict[str, Config] = {}
    for name in sorted(dir(flow_class)):
        if name[0] == "_" or name in NOT_PARAMETERS:
            continue
        value = getattr(flow_class, name, None)
        if isinstance(value, Config):
            found[name] = value
    return found


def options(configs: Mapping[str, Config]) -> List[Dict[str, Any]]:
    """The options for the description of a flow; none when it has no configs."""
    if not configs:
        return []
    helps = [f"{each.name}: {each.kwargs['help']}" for each in configs.values() if each.kwargs["help"]]
    listed = f" There are {'; '.join(helps)}." if helps else f" There are {', '.join(_names(configs))}."
    return [
        {
            "name": _FILE_OPTION[2:],
            "kind": "pairs",
            "type_name": "NAME PATH",
            "help": "Read a config of the flow from a file." + listed,
            "variable": "FLOW_CONFIG",
        },
        {
            "name": _VALUE_OPTION[2:],
            "kind": "pairs",
            "type_name": "NAME VALUE",
            "help": "Give a config of the flow as text.",
            "variable": "FLOW_CONFIG_VALUE",
        },
    ]


def constants(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The values as they are stored: plain dicts."""
    return {name: thawed(value) for name, value in values.items()}


def resolve(
    flow_class: Any,
    argv: Sequence[str],
    *,
    load_stored: LoadStored,
    user_name: str,
    environment: Mapping[str, str] = os.environ,
) -> Dict[str, Any]:
    """Values of all configs of a flow by attribute: ConfigValue, text or None; of plain ones whatever their parser returned.

    `argv` is the whole command line. ConfigUsageError says what is wrong with it, MetaflowException which parser or default failed. Where
    only help is asked for, configs are None when one of them has no value.
    """
    configs = configs_of(flow_class)
    if not configs:
        return {}
    choices = _read_words(argv)
    is_resumed = choices.command == "resume" and not choices.wants_help()
    if is_resumed:
        _refuse_choices(choices, environment)
    if is_resumed or choices.command == "step":
        return _stored(flow_class, configs, choices, load_stored, datastore_root(argv, environment))
    sources = _Sources(configs, choices, environment)
    try:
        return _all_values(flow_class.__name__, user_name, configs, sources)
    except MetaflowException:
        if choices.wants_help():
            return dict.fromkeys(configs)
        raise


def _names(configs: Mapping[str, Config]) -> List[str]:
    return [each.name for each in configs.values()]


def _refuse_choices(choices: Choices, environment: Mapping[str, str]) -> None:
    given = [option for option in (_FILE_OPTION, _VALUE_OPTION) if choices.pairs(option)]
    given += [variable for variable in (_FILE_VARIABLE, _VALUE_VARIABLE) if environment.get(variable)]
    if given:
        raise ConfigUsageError(
            f"'resume' goes on with the configs of the run it resumes: leave out {' and '.join(given)}."
        )


def _stored(
    flow_class: Any, configs: Mapping[str, Config], choices: Choices, load_stored: LoadStored, root: Optional[str]
) -> Dict[str, Any]:
    option = "--origin-run-id" if choices.command == "resume" else "--run-id"
    run = choices.value_after_command(option)
    found = load_stored(flow_class.__name__, run, root, list(configs))
    missing = [each.name for name, each in configs.items() if name not in found]
    if missing:
        raise MetaflowException(
            f"The run {run or 'to be resumed'} has no config {', '.join(missing)}: it was started by another version of the "
            "flow. Start a new run."
        )
    return {name: frozen(found[name]) for name in configs}


class _Sources:
    """Where each config's text comes from."""

    def __init__(self, configs: Mapping[str, Config], choices: Choices, environment: Mapping[str, str]) -> None:
        self.files = _chosen(choices, _FILE_OPTION, environment, _FILE_VARIABLE)
        self.values = _chosen(choices, _VALUE_OPTION, environment, _VALUE_VARIABLE)
        names = _names(configs)
        for option, given in ((_FILE_OPTION, self.files), (_VALUE_OPTION, self.values)):
            unknown = [name for name in given if name not in names]
            if unknown:
                raise ConfigUsageError(
                    f"Invalid value for '{option}': the flow has no config {', '.join(unknown)}; it has {', '.join(names)}."
                )
        both = sorted(self.files.keys() & self.values.keys())
        if both:
            raise ConfigUsageError(f"There is a file and a value for the config {', '.join(both)}: give one of them.")


def _chosen(choices: Choices, option: str, environment: Mapping[str, str], variable: str) -> Dict[str, str]:
    given = choices.pairs(option)
    if given is not None:
        return given
    text = environment.get(variable)
    if not text:
        return {}
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise ConfigUsageError(f"The environment variable {variable} is no JSON: {error}.") from None
    if not isinstance(listed, dict):
        raise ConfigUsageError(f"The environment variable {variable} is to be a JSON object of names.")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in listed.items()}


def _all_values(flow_name: str, user_name: str, configs: Mapping[str, Config], sources: _Sources) -> Dict[str, Any]:
    values: Dict[str, Any] = {}
    wrong: List[str] = []
    for attribute, config in configs.items():
        context = ParameterContext(flow_name, user_name, config.name, print, "local", None)
        try:
            values[attribute] = _value(config, sources, context)
        except ConfigUsageError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigUsageError(" ".join(wrong))
    return values


def _value(config: Config, sources: _Sources, context: ParameterContext) -> Any:
    text = _text(config, sources, context)
    if text is None:
        if config.kwargs["required"]:
            raise ConfigUsageError(
                f"The config '{config.name}' is missing: give '{_FILE_OPTION} {config.name} PATH' or "
                f"'{_VALUE_OPTION} {config.name} VALUE'."
            )
        return None
    return _parsed(config, text)


def _text(config: Config, sources: _Sources, context: ParameterContext) -> Optional[str]:
    name, arguments = config.name, config.kwargs
    if name in sources.values:
        return sources.values[name]
    if name in sources.files:
        return _content(name, sources.files[name], "")
    if arguments["default"] is not None:
        return _content(name, _called(config, "default", context), "default ")
    if arguments["default_value"] is None:
        return None
    value = _called(config, "default_value", context)
    if isinstance(value, dict):
        return json.dumps(thawed(value))
    if not isinstance(value, str):
        raise MetaflowException(
            f"The default_value of config '{name}' is to be a text or a dict, not a {type(value).__name__}."
        )
    return value


def _called(config: Config, field: str, context: ParameterContext) -> Any:
    value = config.kwargs[field]
    if not callable(value):
        return value
    try:
        return value(context)
    except Exception as error:
        raise MetaflowException(
            f"The {field} of config '{config.name}' failed: {type(error).__name__}: {error}"
        ) from error


def _content(name: str, path: Any, kind: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigUsageError(f"The {kind}file '{path}' of the config '{name}' cannot be read: {reason}.") from None


def _parsed(config: Config, text: str) -> Any:
    parser, is_plain = config.kwargs["parser"], config.kwargs["plain"]
    if parser is None:
        return text if is_plain else _from_json(config.name, text)
    function = _located(config.name, parser)
    try:
        value = function(text)
    except MetaflowException:
        raise
    except Exception as error:
        raise MetaflowException(
            f"The parser of config '{config.name}' failed: {type(error).__name__}: {error}"
        ) from error
    if is_plain:
        return value
    if not isinstance(value, Mapping):
        raise MetaflowException(
            f"The parser of config '{config.name}' returned a {type(value).__name__}: it has to return a mapping, unless "
            "the config has plain=True."
        )
    return frozen(value)


def _from_json(name: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigUsageError(f"The value of the config '{name}' is no JSON: {error}.") from None
    if value is not None and not isinstance(value, dict):
        raise ConfigUsageError(f"The value of the config '{name}' is to be a JSON object, not {text.strip()[:40]}.")
    return frozen(value)


def _located(name: str, parser: Any) -> Callable[[str], Any]:
    if not isinstance(parser, str):
        given: Callable[[str], Any] = parser
        return given
    module, _, function = parser.rpartition(".")
    if not module and hasattr(importlib.import_module("metaflow"), function):
        module = "metaflow"
    try:
        found: Callable[[str], Any] = getattr(importlib.import_module(module), function)
        return found
    except (ImportError, AttributeError, ValueError) as error:
        raise MetaflowException(f"The parser '{parser}' of config '{name}' is not found: {error}") from error


# --- What waits for the values --------------------------------------------------------------------------------------------


class Scope:
    """The values as expressions see them: by the attribute of the flow, and by the name of the config."""

    def __init__(self, configs: Mapping[str, Config], values: Mapping[str, Any]) -> None:
        self._values = {id(config): values[attribute] for attribute, config in configs.items()}
        self.by_name = {config.name: values[attribute] for attribute, config in configs.items()}
        self.names = {name.replace("-", "_"): value for name, value in self.by_name.items()}
        self.names.update(values)

    def value_of(self, config: Config) -> Any:
        """MetaflowException for a config of another flow."""
        try:
            return self._values[id(config)]
        except KeyError:
            raise MetaflowException(f"The config '{config.name}' is not one of this flow.") from None

    def evaluated(self, value: Any) -> Any:
        """The same with everything in it that waited for configs replaced by its value."""
        return evaluated(value, self)


def evaluate_flow(scope: Scope, decorators: Iterable[Any], parameters: Iterable[Any]) -> None:
    """Puts values in the place of what had to wait: in the `attributes` of decorators, and the `kwargs` of parameters.
    InvalidDecoratorAttribute when `**config.section` has a name that its decorator does not know."""
    for decorator in decorators:
        attributes = scope.evaluated(decorator.attributes)
        _refuse_unknown(decorator.name, attributes)
        decorator.attributes = attributes
    for parameter in parameters:
        parameter.kwargs = scope.evaluated(parameter.kwargs)


def _refuse_unknown(name: str, attributes: Mapping[str, Any]) -> None:
    from ..decorators import FLOW_KINDS, STEP_KINDS

    kind = STEP_KINDS.get(name) or FLOW_KINDS.get(name)
    if kind is not None:
        kind.attributes(attributes)
