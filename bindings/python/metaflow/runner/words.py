"""Keyword arguments as words of a flow's command line."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..parameters import JSONTypeClass, Parameter


class Option(NamedTuple):
    """How a keyword is written, and what its value may be."""

    word: str
    kind: str  #: text, flag, integer, repeated or pairs
    off_word: str = ""


_RECORDING = {
    "max_log_size": Option("--max-log-size", "integer"),
    "run_id_file": Option("--run-id-file", "text"),
}
_EXECUTING = {
    "tags": Option("--tag", "repeated"),
    "max_workers": Option("--max-workers", "integer"),
    "max_num_splits": Option("--max-num-splits", "integer"),
    "decospecs": Option("--with", "repeated"),
    "retry_delay": Option("--retry-delay", "flag", "--no-retry-delay"),
    "isolation": Option("--isolation", "text"),
    **_RECORDING,
}
#: Of each command, beside a flow's parameters.
COMMANDS: Dict[str, Dict[str, Option]] = {
    "run": {**_EXECUTING, "user_namespace": Option("--namespace", "text")},
    "resume": {**_EXECUTING, "origin_run_id": Option("--origin-run-id", "text")},
    "spin": {
        "skip_decorators": Option("--skip-decorators", "flag", "--no-skip-decorators"),
        "artifacts_module": Option("--artifacts-module", "text"),
        "persist": Option("--persist", "flag", "--no-persist"),
        **_RECORDING,
    },
}
#: The keyword whose value stands alone.
_ARGUMENTS = {"resume": "step_to_rerun", "spin": "pathspec"}

#: Before the command.
TOP_LEVEL: Dict[str, Option] = {
    "quiet": Option("--quiet", "flag", "--not-quiet"),
    "metadata": Option("--metadata", "text"),
    "environment": Option("--environment", "text"),
    "datastore": Option("--datastore", "text"),
    "datastore_root": Option("--datastore-root", "text"),
    "package_suffixes": Option("--package-suffixes", "text"),
    "decospecs": Option("--with", "repeated"),
    "pylint": Option("--pylint", "flag", "--no-pylint"),
    "event_logger": Option("--event-logger", "text"),
    "monitor": Option("--monitor", "text"),
    "config": Option("--config", "pairs"),
    "config_value": Option("--config-value", "pairs"),
    "branch": Option("--branch", "text"),
    "production": Option("--production", "flag"),
}


def top_level_words(keywords: Mapping[str, Any]) -> List[str]:
    """ValueError for an unknown keyword, TypeError for a value of a wrong type."""
    _refuse_unknown(keywords, list(TOP_LEVEL))
    return _option_words(keywords, TOP_LEVEL)


def command_words(
    command: str, keywords: Mapping[str, Any], parameters: Callable[[], Mapping[str, Parameter]]
) -> List[str]:
    """The command and what follows it. ValueError for an unknown keyword, TypeError for a value of a wrong type.

    `parameters` gives those of the flow, for `run`.
    """
    options, argument = COMMANDS[command], _ARGUMENTS.get(command)
    of_flow = {each.name.replace("-", "_"): each for each in parameters().values()} if command == "run" else {}
    allowed = [*of_flow, *options, *([argument] if argument else [])]
    _refuse_unknown(keywords, allowed)
    words = [command, *_option_words(keywords, options)]
    for name, parameter in of_flow.items():
        if keywords.get(name) is not None:
            words += [f"--{parameter.name}", _parameter_text(parameter, keywords[name])]
    if argument and keywords.get(argument) is not None:
        words.append(_required(argument, keywords[argument], (str, int)))
    return words


def _refuse_unknown(keywords: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for name in keywords:
        if name not in allowed:
            raise ValueError(f"Unknown argument '{name}'; these are possible: {', '.join(allowed)}.")


def _option_words(keywords: Mapping[str, Any], options: Mapping[str, Option]) -> List[str]:
    words: List[str] = []
    for name, value in keywords.items():
        if name in options and value is not None:
            words += _WORDS_OF_KIND[options[name].kind](name, options[name], value)
    return words


def _text_words(name: str, option: Option, value: Any) -> List[str]:
    return [option.word, _required(name, value, (str, int))]


def _integer_words(name: str, option: Option, value: Any) -> List[str]:
    return [option.word, _required(name, value, (int,))]


def _flag_words(name: str, option: Option, value: Any) -> List[str]:
    if not isinstance(value, bool):
        raise _wrong_type(name, value, "a bool")
    if value:
        return [option.word]
    return [option.off_word] if option.off_word else []


def _repeated_words(name: str, option: Option, value: Any) -> List[str]:
    if not isinstance(value, (list, tuple)):
        raise _wrong_type(name, value, "a list of texts")
    return [word for each in value for word in (option.word, _required(name, each, (str,)))]


def _pair_words(name: str, option: Option, value: Any) -> List[str]:
    if not isinstance(value, (list, tuple, dict)):
        raise _wrong_type(name, value, "a list of pairs")
    pairs: Sequence[Tuple[str, Any]] = list(value.items()) if isinstance(value, dict) else value
    words: List[str] = []
    for key, each in pairs:
        words += [option.word, key, each if isinstance(each, str) else json.dumps(each)]
    return words


_WORDS_OF_KIND: Dict[str, Callable[[str, Option, Any], List[str]]] = {
    "text": _text_words,
    "integer": _integer_words,
    "flag": _flag_words,
    "repeated": _repeated_words,
    "pairs": _pair_words,
}


def _required(name: str, value: Any, kinds: Tuple[type, ...]) -> str:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise _wrong_type(name, value, " or ".join(kind.__name__ for kind in kinds))
    return str(value)


def _wrong_type(name: str, value: Any, expected: str) -> TypeError:
    return TypeError(f"Argument '{name}' is to be {expected}, not {value!r}.")


#: What a parameter of each type takes.
_TAKEN: Dict[Any, Tuple[type, ...]] = {int: (int,), float: (float, int), bool: (bool,), str: (str,)}


def _parameter_text(parameter: Parameter, value: Any) -> str:
    kind = parameter.type
    if isinstance(kind, JSONTypeClass) or kind in (list, dict):
        return value if isinstance(value, str) else json.dumps(value)
    taken: Optional[Tuple[type, ...]] = _TAKEN.get(kind)
    if parameter.separator and isinstance(value, (list, tuple)):
        return parameter.separator.join(str(each) for each in value)
    if taken is not None and (not isinstance(value, taken) or (isinstance(value, bool) and kind is not bool)):
        raise _wrong_type(parameter.name, value, " or ".join(each.__name__ for each in taken))
    return str(value)
