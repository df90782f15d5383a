"""Every program in the guide to the flow API compiles."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAMS = re.findall(r"^```cpp\n(.*?)^```", (REPOSITORY / "docs/flow-api.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_an_example_compiles(number: int):
    command = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{REPOSITORY / 'include'}"]
    ended = subprocess.run(
        [*command, "-x", "c++", "-"], input=PROGRAMS[number], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
