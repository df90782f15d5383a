"""`profile`: how long a part of a step takes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Dict, Iterator, Optional


@contextmanager
def profile(label: str, stats_dict: Optional[Dict[str, int]] = None) -> Iterator[None]:
    """Prints when `label` begins and how long it took; with `stats_dict`, adds its milliseconds there instead."""
    if stats_dict is None:
        print(f"PROFILE: {label} starting")
    start = time.monotonic()
    try:
        yield
    finally:
        took = int((time.monotonic() - start) * 1000)
        if stats_dict is None:
            print(f"PROFILE: {label} completed in {took}ms")
        else:
            stats_dict[label] = stats_dict.get(label, 0) + took
