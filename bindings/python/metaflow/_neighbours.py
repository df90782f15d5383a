"""Packages of the same environment that do not go together with this one."""

from __future__ import annotations

import os
import sys


def tell_of_neighbours() -> None:
    """One line for each: the official package, whose place this one takes, and extensions of it."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  # pathlib costs time
    try:
        names = os.listdir(folder)
    except OSError:
        return
    official = [name for name in names if name.startswith("metaflow-") and name.endswith(".dist-info")]
    if official:
        print(
            "The official package metaflow is installed as well, and metaflow-cpp has taken its place. To go back: pip "
            "uninstall metaflow-cpp, then pip install --force-reinstall metaflow.",
            file=sys.stderr,
        )
    if "metaflow_extensions" in names:
        print(
            "Extensions in metaflow_extensions are made for the official package, and are not loaded.", file=sys.stderr
        )
