"""Decorators as data: what is written above a step or a flow, and what `--with` adds.

Here they are only collected and checked as far as their attributes' names go; the engine judges and obeys the values.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Type, TypeVar

from .exception import InvalidDecoratorAttribute, MetaflowException

Decorated = TypeVar("Decorated")


class BadStepDecoratorException(MetaflowException):
    headline = "Syntax error"

    def __init__(self, deco: str, func: Any) -> None:
        super().__init__(
            f"@{deco} is for steps, but stands above '{getattr(func, '__name__', func)}', which is none. Put it above @step."
        )


class BadFlowDecoratorException(MetaflowException):
    headline = "Syntax error"

    def __init__(self, deco: str) -> None:
        super().__init__(f"@{deco} is for flows: put it above a class derived from FlowSpec.")


class DuplicateStepDecoratorException(MetaflowException):
    headline = "Duplicate decorators"

    def __init__(self, deco: str, func: Any) -> None:
        super().__init__(f"Step '{getattr(func, '__name__', func)}' has the decorator '{deco}' twice.")


class DuplicateFlowDecoratorException(MetaflowException):
    headline = "Duplicate decorators"

    def __init__(self, deco: str) -> None:
        super().__init__(f"A flow, with the flows it is derived from, has the decorator '{deco}' twice.")


class UnknownStepDecoratorException(MetaflowException):
    headline = "Unknown step decorator"

    def __init__(self, deconame: str, known: Iterable[str]) -> None:
        import difflib

        names = sorted(known)
        near = difflib.get_close_matches(deconame, names, 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        super().__init__(f"Unknown step decorator '{deconame}'.{hint} These are known: {', '.join(names)}.")


class Decorator:
    """One decorator with all its attributes."""

    def __init__(
        self,
        name: str,
        attributes: Dict[str, Any],
        statically_defined: bool = True,
        inserted_by: Optional[str] = None,
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.statically_defined = statically_defined
        self.inserted_by = inserted_by

    def description(self) -> Dict[str, Any]:
        """As the engine takes it: values that are no JSON are shown by their repr."""
        return {
            "name": self.name,
            "attributes": {name: _jsonable(value) for name, value in self.attributes.items()},
            "static": self.statically_defined,
        }


def _jsonable(value: Any) -> Any:
    import json

    if hasattr(value, "to_dict"):
        value = value.to_dict()
    return json.loads(json.dumps(value, default=str))


class StepDecorator(Decorator):
    """A decorator of a step."""


class FlowDecorator(Decorator):
    """A decorator of a flow."""


class Kind:
    """What a decorator may be given."""

    def __init__(self, name: str, defaults: Mapping[str, Any], allow_multiple: bool = False) -> None:
        self.name = name
        self.defaults = defaults
        self.allow_multiple = allow_multiple

    def attributes(self, given: Mapping[str, Any]) -> Dict[str, Any]:
        """All attributes. InvalidDecoratorAttribute for one that is not known."""
        for name, value in given.items():
            if name not in self.defaults and not _waits_for_config(name, value):
                raise InvalidDecoratorAttribute(self.name, name, self.defaults)
        return {**{name: _copy(value) for name, value in self.defaults.items()}, **given}


def _waits_for_config(name: str, value: Any) -> bool:
    from .user_configs import is_delayed

    return is_delayed(name, value)


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, (dict, list)) else value


def _kinds(*kinds: Kind) -> Dict[str, Kind]:
    return {kind.name: kind for kind in kinds}


def _nones(*names: str) -> Dict[str, Any]:
    return dict.fromkeys(names)


_CARD: Dict[str, Any] = {
    "type": "default",
    "id": None,
    "options": {},
    "scope": "task",
    "rank": None,
    "timeout": 45,
    "save_errors": True,
    "customize": False,
    "refresh_interval": 5,
}
_BATCH: Dict[str, Any] = {
    **_nones("cpu", "gpu", "memory", "image", "queue", "iam_role", "execution_role", "shared_memory", "max_swap"),
    **_nones("swappiness", "inferentia", "trainium", "efa", "host_volumes", "efs_volumes"),
    "use_tmpfs": False,
    "tmpfs_tempdir": True,
    "tmpfs_size": None,
    "tmpfs_path": "/metaflow_temp",
    **_nones("aws_batch_tags", "ephemeral_storage", "log_driver", "log_options", "executable"),
    "privileged": False,
}
_KUBERNETES: Dict[str, Any] = {
    "cpu": "1",
    "memory": "4096",
    "disk": "10240",
    **_nones("image", "image_pull_policy", "image_pull_secrets", "service_account", "secrets", "node_selector"),
    **_nones("namespace", "gpu", "gpu_vendor", "tolerations", "labels", "annotations", "use_tmpfs"),
    "tmpfs_tempdir": True,
    "tmpfs_size": None,
    "tmpfs_path": "/metaflow_temp",
    **_nones("persistent_volume_claims", "shared_memory", "port", "compute_pool", "executable"),
    "hostname_resolution_timeout": 600,
    "qos": "burstable",
    "extended_resources": {},
    "security_context": None,
}
_RESOURCES: Dict[str, Any] = {"cpu": "1", "gpu": None, "disk": None, "memory": "4096", "shared_memory": None}
_PACKAGES: Dict[str, Any] = {"packages": {}, "python": None, "disabled": None}
_CONDA: Dict[str, Any] = {**_PACKAGES, "libraries": {}}

STEP_KINDS = _kinds(
    Kind("retry", {"times": "3", "minutes_between_retries": "2"}),
    Kind("catch", {"var": None, "print_exception": True}),
    Kind("timeout", {"seconds": 0, "minutes": 0, "hours": 0}),
    Kind("environment", {"vars": {}}),
    Kind("resources", _RESOURCES),
    Kind("secrets", {"sources": [], "role": None, "allow_override": False}),
    Kind("parallel", {}),
    Kind("pytorch_parallel", {"master_port": None}),
    Kind("card", _CARD, allow_multiple=True),
    Kind("conda", _CONDA),
    Kind("pypi", _PACKAGES),
    Kind("batch", _BATCH),
    Kind("kubernetes", _KUBERNETES),
)

FLOW_KINDS = _kinds(
    Kind("conda_base", _CONDA),
    Kind("pypi_base", _PACKAGES),
    Kind("project", {"name": None, "branch": None, "production": False}),
    Kind("schedule", {"cron": None, "weekly": False, "daily": True, "hourly": False, "timezone": None}),
    Kind("trigger", {"event": None, "events": [], "options": {}}),
    Kind("trigger_on_finish", {"flow": None, "flows": [], "options": {}}),
    Kind("exit_hook", {"on_success": [], "on_error": [], "options": {}}, allow_multiple=True),
    Kind("airflow_external_task_sensor", {}, allow_multiple=True),
    Kind("airflow_s3_key_sensor", {}, allow_multiple=True),
)


def step(
    function: Any = None, *, start: bool = False, end: bool = False, node_info: Optional[Dict[str, Any]] = None
) -> Any:
    """Marks a method of a flow as a step, `start` and `end` as its first and last one."""

    def mark(body: Any) -> Any:
        body.is_step = True
        body.decorators = []
        body.name = body.__name__
        body.marked_start, body.marked_end = start, end
        body.node_info = dict(node_info or {})
        return body

    return mark if function is None else mark(function)


def add_step_decorator(function: Any, kind: Kind, decorator: StepDecorator) -> None:
    """Appends a decorator to those of a step, which are in order of application: the one nearest to it first."""
    if not kind.allow_multiple and any(each.name == kind.name for each in function.decorators):
        raise DuplicateStepDecoratorException(kind.name, function)
    function.decorators.append(decorator)


def _as_step_decorator(kind: Kind) -> Callable[..., Any]:
    def decorate(function: Any = None, **given: Any) -> Any:
        def attach(body: Decorated) -> Decorated:
            if getattr(body, "is_step", False) is not True:
                raise BadStepDecoratorException(kind.name, body)
            add_step_decorator(body, kind, StepDecorator(kind.name, attributes))
            return body

        attributes = kind.attributes(given)
        if function is None:
            return attach
        if isinstance(function, type):
            raise BadStepDecoratorException(kind.name, function)
        return attach(function)

    decorate.__name__ = decorate.__qualname__ = kind.name
    return decorate


def _as_flow_decorator(kind: Kind) -> Callable[..., Any]:
    def decorate(flow_class: Any = None, **given: Any) -> Any:
        def attach(flow: Type[Decorated]) -> Type[Decorated]:
            if not isinstance(flow, type) or not hasattr(flow, "_flow_decorators"):
                raise BadFlowDecoratorException(kind.name)
            inherited = flow_decorators_of(flow)
            if not kind.allow_multiple and any(each.name == kind.name for each in inherited):
                raise DuplicateFlowDecoratorException(kind.name)
            own: List[FlowDecorator] = vars(flow)["_flow_decorators"]
            own.append(FlowDecorator(kind.name, attributes))
            return flow

        attributes = kind.attributes(given)
        return attach if flow_class is None else attach(flow_class)

    decorate.__name__ = decorate.__qualname__ = kind.name
    return decorate


def flow_decorators_of(flow_class: Any) -> List[FlowDecorator]:
    """Those of a flow and of the flows it is derived from."""
    found: List[FlowDecorator] = []
    for owner in reversed(flow_class.__mro__):
        found.extend(vars(owner).get("_flow_decorators", []))
    return found


_public: Dict[str, Callable[..., Any]] = {
    **{name: _as_step_decorator(kind) for name, kind in STEP_KINDS.items()},
    **{name: _as_flow_decorator(kind) for name, kind in FLOW_KINDS.items()},
}


def __getattr__(name: str) -> Any:
    try:
        return _public[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


# --- --with -----------------------------------------------------------------------------------------------------------------


def parse_decospec(spec: str) -> StepDecorator:
    """`retry:times=3,minutes_between_retries=0`, as `--with` takes it."""
    name, _, attributes = spec.partition(":")
    kind = STEP_KINDS.get(name)
    given = parse_attributes(name, attributes)
    if kind is not None:
        return StepDecorator(name, kind.attributes(given), statically_defined=False)
    from .user_decorators import CustomEntry, custom_decorator

    custom = custom_decorator(name)
    if custom is None:
        raise UnknownStepDecoratorException(name, STEP_KINDS)
    return CustomEntry(custom, (), given, statically_defined=False)


def parse_attributes(decorator: str, text: str) -> Dict[str, Any]:
    """Of `times=3,minutes_between_retries=0`."""
    return dict(_parse_pair(decorator, pair) for pair in re.split(r",(?=\w+=)", text)) if text else {}


def _parse_pair(decorator: str, pair: str) -> Any:
    name, equals, text = pair.partition("=")
    if not equals:
        kind = STEP_KINDS.get(decorator)
        raise InvalidDecoratorAttribute(decorator, pair, kind.defaults if kind else ())
    return name.strip(), _parse_value(text)


def _parse_value(text: str) -> Any:
    import json

    text = text.strip().replace('\\"', '"')
    for convert in (json.loads, int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def attach_decospecs(decorators: Dict[str, List[StepDecorator]], specs: Iterable[str]) -> None:
    """Adds what `--with` asks for to the decorators of each step; one that is there already wins."""
    for spec in specs:
        added = parse_decospec(spec)
        repeats = added.name in STEP_KINDS and STEP_KINDS[added.name].allow_multiple
        for present in decorators.values():
            if repeats or all(each.name != added.name for each in present):
                present.append(parse_decospec(spec))
