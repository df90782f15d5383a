"""What goes wrong, in the words of users. Names and headlines are those of the official package, as flows catch them and stored
exceptions are unpickled by them."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Optional

#: Exit codes of a step's process that say whether it may be tried again.
METAFLOW_EXIT_DISALLOW_RETRY = 202
METAFLOW_EXIT_ALLOW_RETRY = 203


class MetaflowExceptionWrapper(Exception):
    """An exception of a step, as `@catch` and the client hand it out: three texts that need no class of the user's.

    `exception` is what it said, `type` its dotted name, `stacktrace` its traceback.
    """

    def __init__(self, exc: Optional[BaseException] = None) -> None:
        if exc is None:  # the texts follow by __setstate__
            return
        super().__init__(str(exc))
        self.exception = str(exc)
        self.type = type_name(exc)
        self.stacktrace = stacktrace_of(exc)

    def __reduce__(self) -> Any:
        return MetaflowExceptionWrapper, (None,), self.__dict__

    def __getstate__(self) -> Dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: Optional[Dict[str, Any]]) -> None:
        self.__dict__.update(state or {})

    def __str__(self) -> str:
        stacktrace = self.__dict__.get("stacktrace")
        return stacktrace if stacktrace else f"[no stacktrace]\n{self.__dict__.get('exception')}"

    def __repr__(self) -> str:
        return str(self)


class MetaflowException(Exception):
    """An error that a user can do something about: shown as `headline` and message, without a traceback."""

    headline = "Flow failed"

    def __init__(self, msg: str = "", lineno: Optional[int] = None, source_file: Optional[str] = None) -> None:
        self.message = msg
        self.line_no = lineno
        self.source_file = source_file
        super().__init__()

    def __str__(self) -> str:
        place = ""
        if self.source_file:
            place += f"{self.source_file}: "
        if self.line_no:
            place += f"line {self.line_no}: "
        return place + str(self.message)


class ParameterFieldFailed(MetaflowException):
    headline = "Parameter field failed"

    def __init__(self, name: str, field: str) -> None:
        super().__init__(
            f"The field '{field}' of parameter '{name}' raised an exception while it was computed:\n{current_traceback()}"
        )


class ParameterFieldTypeMismatch(MetaflowException):
    headline = "Parameter field with a mismatching type"


class ExternalCommandFailed(MetaflowException):
    headline = "External command failed"


class MetaflowNotFound(MetaflowException):
    headline = "Object not found"


class MetaflowNamespaceMismatch(MetaflowException):
    headline = "Object not in the current namespace"

    def __init__(self, namespace: Optional[str]) -> None:
        super().__init__(f"The object is not in the namespace '{namespace}'.")


class MetaflowInvalidPathspec(MetaflowException):
    headline = "Invalid pathspec"


class MetaflowInternalError(MetaflowException):
    headline = "Internal error"


class MetaflowTaggingError(MetaflowException):
    headline = "Tagging error"


class MetaflowUnknownUser(MetaflowException):
    headline = "Unknown user"

    def __init__(self) -> None:
        super().__init__("It is not known who you are. Set the environment variable USERNAME.")


class InvalidDecoratorAttribute(MetaflowException):
    headline = "Unknown decorator attribute"

    def __init__(self, deconame: str, attr: str, defaults: Iterable[str]) -> None:
        known = ", ".join(defaults)
        super().__init__(
            f"Decorator '{deconame}' does not have the attribute '{attr}'. "
            + (f"It has these: {known}." if known else "It has none.")
        )


class CommandException(MetaflowException):
    headline = "Invalid command"


class MetaflowDataMissing(MetaflowException):
    headline = "Data missing"


class UnhandledInMergeArtifactsException(MetaflowException):
    """`artifact_names` are those that branches left different."""

    headline = "Unhandled artifacts in merge"

    def __init__(self, msg: str, unhandled: Iterable[str]) -> None:
        super().__init__(msg)
        self.artifact_names = list(unhandled)


class MissingInMergeArtifactsException(MetaflowException):
    """`artifact_names` are those that no branch has."""

    headline = "Missing artifacts in merge"

    def __init__(self, msg: str, unhandled: Iterable[str]) -> None:
        super().__init__(msg)
        self.artifact_names = list(unhandled)


class NotAvailableException(MetaflowException):
    """Something of the official package that this version does not do."""

    headline = "Not available"


def type_name(error: BaseException) -> str:
    """`package.module.Class`."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__name__}"


def stacktrace_of(error: BaseException) -> str:
    """The traceback as Python prints it, with what caused the error."""
    import traceback  # only where something has gone wrong: it is slow to load

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def current_traceback() -> str:
    """As stacktrace_of, of the exception that is being handled."""
    import traceback

    return traceback.format_exc()
