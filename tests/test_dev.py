"""The ./dev command line explains itself and refuses what it does not know."""

import subprocess
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parent.parent / "dev"
COMMANDS = ["setup", "demo", "build", "test", "fuzz", "bench", "lint", "fmt", "install", "wheel"]


def dev(*arguments, cwd=None):
    return subprocess.run([DEV, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_dev_alone_lists_every_command(tmp_path):
    result = dev(cwd=tmp_path)
    assert result.returncode == 0
    listed = [line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ")]
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, tmp_path):
    result = dev(command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stdout.startswith(f"./dev {command}")


def test_an_unknown_command_is_a_usage_error():
    result = dev("tset")
    assert result.returncode == 2
    assert "no command 'tset'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("test", "--al"),
        ("build", "--release"),
        ("setup", "--tests"),
        ("fuzz", "--all"),
        ("install",),
        ("wheel", "--fast"),
    ],
)
def test_a_wrong_argument_does_nothing_but_say_so(arguments):
    result = dev(*arguments)
    assert result.returncode != 0
    assert result.stderr.startswith("dev: ")
    assert any(hint in result.stderr for hint in ("--help", "./dev install PREFIX", "wheel takes no arguments"))


def test_an_unknown_purpose_of_setup_is_refused_with_those_there_are():
    result = dev("setup", "everything")
    assert result.returncode != 0
    assert "choose from build demo test lint bench" in result.stderr


def test_an_unknown_fuzzer_is_refused_with_those_there_are():
    result = dev("fuzz", "jsn_fuzz")
    assert result.returncode != 0
    assert "json_fuzz" in result.stderr
