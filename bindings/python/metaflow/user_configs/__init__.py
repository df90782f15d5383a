"""User configuration: values that are known before a flow is looked at, for decorators, defaults of parameters and mutators."""

from __future__ import annotations

from .config_parameters import Config, ConfigValue, DelayEvaluator, config_expr, is_delayed
from .parsers import conda_environment_yml_parser, pyproject_toml_parser, requirements_txt_parser, yaml_parser
from .resolution import (
    ConfigUsageError,
    Scope,
    command_of,
    configs_of,
    constants,
    evaluate_flow,
    options,
    resolve,
)

__all__ = [
    "Config",
    "ConfigUsageError",
    "ConfigValue",
    "DelayEvaluator",
    "Scope",
    "command_of",
    "conda_environment_yml_parser",
    "config_expr",
    "configs_of",
    "constants",
    "evaluate_flow",
    "is_delayed",
    "options",
    "pyproject_toml_parser",
    "requirements_txt_parser",
    "resolve",
    "yaml_parser",
]
