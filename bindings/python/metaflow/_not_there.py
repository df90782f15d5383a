"""Names of the official package whose purpose this version does not serve: they can be imported, and say so when used."""

from __future__ import annotations

from typing import Any

from .exception import NotAvailableException

_PURPOSE = {
    "Deployer": "Deploying flows to schedulers",
    "NBDeployer": "Deploying flows to schedulers",
    "DeployedFlow": "Deploying flows to schedulers",
    "S3": "Access to S3",
    "namespaced_event_name": "Triggering flows by events",
    "ArgoEvent": "Triggering flows by events",
}


class _Metaclass(type):
    def __getattr__(cls, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        _refuse(cls.__name__)


class _NotThere(metaclass=_Metaclass):
    def __new__(cls, *_: Any, **__: Any) -> Any:
        _refuse(cls.__name__)


def _refuse(name: str) -> None:
    raise NotAvailableException(f"{_PURPOSE[name]} is not available in this version, so {name} cannot be used.")


def __getattr__(name: str) -> Any:
    if name not in _PURPOSE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return type(name, (_NotThere,), {"__doc__": f"{_PURPOSE[name]}: not available in this version."})
