"""What an unbounded foreach loops over."""


class UnboundedForeachInput:
    """Base of what has items of which nobody knows the number beforehand."""
