"""`@catch`."""

from ..exception import MetaflowException


class FailureHandledByCatch(MetaflowException):
    """Stands for a step whose process ended without an exception."""

    headline = "Task execution failed but @catch handled it"

    def __init__(self, retry_count: int) -> None:
        super().__init__(
            f"The process of the step ended {retry_count} times without an exception; see the log of each attempt."
        )
