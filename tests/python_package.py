"""Lets tests import the package of bindings/python, in place of the official one of the environment."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "bindings/python"), str(REPOSITORY / "tests/python")]
