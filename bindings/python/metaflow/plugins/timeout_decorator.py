"""`@timeout`."""

from ..exception import MetaflowException


class TimeoutException(MetaflowException):
    """Raised in a step that takes longer than it may."""

    headline = "@timeout"
