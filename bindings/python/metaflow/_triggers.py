"""What `@trigger`, `@trigger_on_finish` and `@exit_hook` are given is judged also where nothing comes of it: in runs on one machine."""

from __future__ import annotations

import re
from typing import Any, Dict, List

from .decorators import FlowDecorator
from .exception import MetaflowException


def require_valid_triggers(decorators: List[FlowDecorator]) -> None:
    """MetaflowException for what no deployment could be made of."""
    for each in decorators:
        if each.name == "trigger":
            _require_events(_listed(each, "event"))
        elif each.name == "trigger_on_finish":
            for flow in _listed(each, "flow"):
                _require_flow(flow)
        elif each.name == "exit_hook":
            _require_hooks(each.attributes)


def _listed(decorator: FlowDecorator, one: str) -> List[Any]:
    """The value of `one`, or those of its plural."""
    single, several = decorator.attributes[one], decorator.attributes[f"{one}s"]
    if single and several:
        raise MetaflowException(f"@{decorator.name} takes '{one}' or '{one}s', not both.")
    if several and not isinstance(several, (list, tuple)) and not callable(several):
        raise MetaflowException(f"'{one}s' of @{decorator.name} is {several!r}: write a list.")
    if not single and not several:
        raise MetaflowException(f"@{decorator.name} names no {one}: give it '{one}', or a list as '{one}s'.")
    return [single] if single else [several] if callable(several) else list(several)


def _require_events(events: List[Any]) -> None:
    names = []
    for event in events:
        if callable(event):  # computed when the flow is deployed
            continue
        if isinstance(event, dict):
            _require_name(event, "trigger")
            _require_parameters(event)
            names.append(event["name"])
        elif isinstance(event, str):
            names.append(event)
        else:
            raise MetaflowException(
                f"@trigger takes the name of an event, or a dict with its 'name' and 'parameters', not {event!r}."
            )
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise MetaflowException(f"@trigger names the event '{twice[0]}' twice.")


def _require_name(described: Dict[str, Any], decorator: str) -> None:
    if "name" not in described:
        raise MetaflowException(f"@{decorator} is given a dict without 'name': {described!r}.")


def _require_parameters(event: Dict[str, Any]) -> None:
    parameters = event.get("parameters")
    if isinstance(parameters, dict) and not all(isinstance(text, str) for pair in parameters.items() for text in pair):
        raise MetaflowException(
            f"The 'parameters' of event '{event['name']}' of @trigger have to lead from names of parameters to names of fields."
        )


def _require_flow(flow: Any) -> None:
    if callable(flow):
        return
    if isinstance(flow, dict):
        _require_name(flow, "trigger_on_finish")
        flow = flow["name"]
    if not isinstance(flow, str):
        raise MetaflowException(
            f"@trigger_on_finish takes the name of a flow, or a dict with its 'name', 'project' and 'project_branch', not {flow!r}."
        )
    parts = flow.split(".")
    if len(parts) == 2:
        raise MetaflowException(
            f"@trigger_on_finish names '{flow}': write a flow alone, or with both its project and its branch before it."
        )
    if not re.fullmatch(r"\w+", parts[-1]):
        raise MetaflowException(f"@trigger_on_finish names '{flow}', but '{parts[-1]}' is no name of a flow.")


def _require_hooks(attributes: Dict[str, Any]) -> None:
    named = [attributes["on_success"], attributes["on_error"]]
    if not any(named):
        raise MetaflowException("@exit_hook has nothing to call: give it functions as on_success, on_error or both.")
    for hooks in named:
        if not isinstance(hooks, (list, tuple)) or not all(callable(hook) or isinstance(hook, str) for hook in hooks):
            raise MetaflowException(f"@exit_hook takes lists of functions, or of their names, not {hooks!r}.")
