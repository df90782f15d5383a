"""Broken flows do not compile, and the compiler names the rule and the step."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FLOWS = sorted((REPOSITORY / "tests/compile_fail").glob("*.cpp"))
COMPILERS = [name for name in ("g++", "clang++-14", "clang++") if shutil.which(name)][:2]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.stem)
def test_a_broken_flow_does_not_compile_and_says_why(flow: Path, compiler: str):
    command = [compiler, "-std=c++20", "-fsyntax-only", f"-I{REPOSITORY / 'include'}", str(flow)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0, "it compiled"
    words = re.findall(r"^// expect: (.+)$", flow.read_text(), re.MULTILINE)
    assert words, "the flow says no `// expect:`"
    missing = [word for word in words if word not in ended.stderr]
    assert not missing, ended.stderr
