"""Metaflow: flows of steps, runs that are kept, and every artifact found again.

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # as typing has it, which would be most of the cost of importing this package
if TYPE_CHECKING:
    from typing import Any, Dict, List

_MODULE_OF: Dict[str, str] = {
    **dict.fromkeys(("FlowSpec",), "flowspec"),
    **dict.fromkeys(("step",), "decorators"),
    **dict.fromkeys(
        "retry catch timeout environment resources secrets parallel pytorch_parallel card conda pypi batch kubernetes "
        "conda_base pypi_base project schedule trigger trigger_on_finish exit_hook airflow_external_task_sensor "
        "airflow_s3_key_sensor".split(),
        "decorators",
    ),
    **dict.fromkeys(("Parameter", "JSONType", "JSONTypeClass"), "parameters"),
    **dict.fromkeys(("IncludeFile",), "includefile"),
    **dict.fromkeys(("current",), "metaflow_current"),
    **dict.fromkeys(("profile",), "metaflow_profile"),
    **dict.fromkeys(("parallel_map", "parallel_imap_unordered"), "multicore_utils"),
    **dict.fromkeys(
        "Config ConfigValue config_expr yaml_parser requirements_txt_parser pyproject_toml_parser "
        "conda_environment_yml_parser".split(),
        "user_configs",
    ),
    **dict.fromkeys(
        "UserStepDecorator StepMutator FlowMutator user_step_decorator USER_SKIP_STEP".split(), "user_decorators"
    ),
    **dict.fromkeys(
        "Metaflow Flow Run Step Task DataArtifact namespace get_namespace default_namespace metadata get_metadata "
        "default_metadata inspect_spin".split(),
        "client",
    ),
    **dict.fromkeys(("Runner", "NBRunner"), "runner"),
    **dict.fromkeys(("Deployer", "DeployedFlow", "NBDeployer", "S3", "namespaced_event_name"), "_not_there"),
}

_SUBMODULES = (
    "cards client datatools exception flowspec includefile integrations metaflow_config metaflow_current parameters plugins "
    "runner unbounded_foreach user_configs user_decorators".split()
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from ._engine import version

        value: Any = version()
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    elif name in _SUBMODULES:
        return importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *_MODULE_OF, *_SUBMODULES, "__version__"})


__all__ = sorted(_MODULE_OF)  # computed, as the names are loaded when used

if TYPE_CHECKING:
    from .client import DataArtifact as DataArtifact
    from .client import Flow as Flow
    from .client import Metaflow as Metaflow
    from .client import Run as Run
    from .client import Step as Step
    from .client import Task as Task
    from .client import default_metadata as default_metadata
    from .client import default_namespace as default_namespace
    from .client import get_metadata as get_metadata
    from .client import get_namespace as get_namespace
    from .client import inspect_spin as inspect_spin
    from .client import metadata as metadata
    from .client import namespace as namespace
    from .decorators import airflow_external_task_sensor as airflow_external_task_sensor
    from .decorators import airflow_s3_key_sensor as airflow_s3_key_sensor
    from .decorators import batch as batch
    from .decorators import card as card
    from .decorators import catch as catch
    from .decorators import conda as conda
    from .decorators import conda_base as conda_base
    from .decorators import environment as environment
    from .decorators import exit_hook as exit_hook
    from .decorators import kubernetes as kubernetes
    from .decorators import parallel as parallel
    from .decorators import project as project
    from .decorators import pypi as pypi
    from .decorators import pypi_base as pypi_base
    from .decorators import pytorch_parallel as pytorch_parallel
    from .decorators import resources as resources
    from .decorators import retry as retry
    from .decorators import schedule as schedule
    from .decorators import secrets as secrets
    from .decorators import step as step
    from .decorators import timeout as timeout
    from .decorators import trigger as trigger
    from .decorators import trigger_on_finish as trigger_on_finish
    from .flowspec import FlowSpec as FlowSpec
    from .includefile import IncludeFile as IncludeFile
    from .metaflow_current import current as current
    from .metaflow_profile import profile as profile
    from .multicore_utils import parallel_imap_unordered as parallel_imap_unordered
    from .multicore_utils import parallel_map as parallel_map
    from .parameters import JSONType as JSONType
    from .parameters import JSONTypeClass as JSONTypeClass
    from .parameters import Parameter as Parameter
    from .runner import NBRunner as NBRunner
    from .runner import Runner as Runner
    from .user_configs import Config as Config
    from .user_configs import ConfigValue as ConfigValue
    from .user_configs import conda_environment_yml_parser as conda_environment_yml_parser
    from .user_configs import config_expr as config_expr
    from .user_configs import pyproject_toml_parser as pyproject_toml_parser
    from .user_configs import requirements_txt_parser as requirements_txt_parser
    from .user_configs import yaml_parser as yaml_parser
    from .user_decorators import USER_SKIP_STEP as USER_SKIP_STEP
    from .user_decorators import FlowMutator as FlowMutator
    from .user_decorators import StepMutator as StepMutator
    from .user_decorators import UserStepDecorator as UserStepDecorator
    from .user_decorators.user_step_decorator import user_step_decorator as user_step_decorator
