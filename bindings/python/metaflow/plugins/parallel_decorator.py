"""`@parallel`."""

from ..metaflow_current import Parallel

__all__ = ["Parallel"]
