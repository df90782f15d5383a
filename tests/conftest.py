"""Fixtures of the end-to-end tests: the built programs, a project folder of its own for each test, and the official
Metaflow as outside judge.

METAFLOW_BUILD names the build folder (build/dev), METAFLOW_JUDGE_PYTHON the judge's interpreter (build/judge/bin/python).
"""

import gzip
import json
import os
import pickle
import re
import select
import signal
import subprocess
import textwrap
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("METAFLOW_BUILD", REPOSITORY / "build/dev")).resolve()
JUDGE = Path(os.environ.get("METAFLOW_JUDGE_PYTHON", REPOSITORY / "build/judge/bin/python")).absolute()
PYTHON_FLOWS = Path(__file__).resolve().parent / "flows_python"
JUDGE_FOLDER = Path(__file__).resolve().parent / "judge"
DEADLINE = 120  # seconds; generous, as sanitizers and shared machines are slow

KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "TZ")

# Their tests install what was built, or make the wheel of it, in folders that they share.
INSTALLING = {"test_install.py", "test_wheel.py", "test_python_examples.py", "test_python_tutorials.py"}

# Programs of the tests are to meet the signals of a terminal, also when a shell in the background has these ignored.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def pytest_itemcollected(item):
    """Flows in Python, and what reads their results there, load the library."""
    if item.path.name.startswith("test_python_"):
        item.add_marker(pytest.mark.loaded)


def pytest_collection_modifyitems(items):
    """What takes longest comes first."""
    items.sort(key=lambda item: item.path.name not in INSTALLING)


def pytest_xdist_make_scheduler(config, log):
    """Spread over several processes, the tests of one file stay in one, as do all that install."""
    from xdist.scheduler import LoadScopeScheduling

    class FilesTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "installing" if Path(file).name in INSTALLING else file

    return FilesTogether(config, log)


# What surrounds a snippet for the judge: `result` is what it hands back; errors become a value the test can look at.
JUDGE_FRAME = """
import json, os, sys
from metaflow import (DataArtifact, Flow, Metaflow, Run, Step, Task, default_namespace, get_namespace, metadata,
                      namespace)
from metaflow.exception import MetaflowException
arguments = json.loads(os.environ["JUDGE_ARGUMENTS"])
globals().update(arguments)
def error_of(action):
    try:
        action()
    except Exception as error:
        return type(error).__name__
exec(compile(os.environ["JUDGE_CODE"], "<judge>", "exec"))
with open(os.environ["JUDGE_RESULT"], "w") as answer:
    json.dump(result, answer)
"""


def missing(what: str):
    """Skips, loudly; fails where a complete machine is promised."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@dataclass(repr=False)
class Result:
    """How a program ended, and what it said."""

    exit: int
    stdout: str
    stderr: str

    def succeeded(self) -> "Result":
        assert self.exit == 0, str(self)
        return self

    def failed(self) -> "Result":
        assert self.exit == 1, str(self)
        return self

    def headline(self) -> str:
        """What kind of error was told: the class of exception of a traceback, the first line of an error block with file and
        line, or that the command line is wrong; empty if none."""
        if re.search(r'^(Traceback|  File ")', self.stderr, re.MULTILINE):
            return re.findall(r"^[\w.]*(?:Error|Exception|Attribute)\b", self.stderr, re.MULTILINE)[-1]
        block = re.search(r"^    (\S.*):$", self.stderr, re.MULTILINE)
        usage = re.search(r"^Error: ", self.stderr, re.MULTILINE)
        return block[1] if block else "usage" if usage else ""

    def __str__(self) -> str:
        return f"exit code {self.exit}\n--- stdout\n{self.stdout[-4000:]}\n--- stderr\n{self.stderr[-4000:]}"


def program(name: str) -> Path:
    """A test flow of tests/flows."""
    path = BUILD / "tests/flows" / name
    assert path.exists(), f"{path} is not built; `./dev build` builds it"
    return path


@dataclass(repr=False)
class Project:
    """A folder to run flows in, a home beside it, and an environment with nothing of the machine's own settings."""

    folder: Path
    variables: dict = field(default_factory=dict)

    def __post_init__(self):
        self.mark = f"project-{uuid.uuid4()}"
        home = self.folder.parent / "home"
        home.mkdir(parents=True)
        self.folder.mkdir(parents=True)
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        own = {
            "HOME": str(home),
            "USER": "demo",
            "LANG": "C.UTF-8",
            "METAFLOW_CLIENT_CACHE_PATH": str(self.folder.parent / "client_cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_EC2_METADATA_DISABLED": "true",  # a machine in the cloud has keys of its own
            "TEST_PROJECT": self.mark,
        }
        self.variables = kept | own | self.variables

    # Running

    def start(self, command, stdin=subprocess.DEVNULL, cwd=None, **variables) -> subprocess.Popen:
        """Starts a program in the folder, in a session of its own."""
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd or self.folder,
            env=self.variables | {name: str(value) for name, value in variables.items()},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen, deadline: float = DEADLINE) -> Result:
        """Waits for the end of a program that `start` started; kills it, and fails, at the deadline."""
        try:
            stdout, stderr = process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            said = f"{stdout.decode(errors='replace')}\n{stderr.decode(errors='replace')}"
            pytest.fail(f"{process.args} did not end within {deadline} s and said:\n{said}")
        said = [(stream or b"").decode(errors="replace") for stream in (stdout, stderr)]  # nothing of a closed one
        return Result(process.returncode, *said)

    def run(self, *command, deadline: float = DEADLINE, cwd=None, **variables) -> Result:
        return self.finish(self.start(command, cwd=cwd, **variables), deadline)

    def run_flow(self, name: str, *arguments, **settings) -> Result:
        """`run_flow("values", "run", "--tag", "x")`; a test flow of tests/flows by its file name."""
        return self.run(program(name), *arguments, **settings)

    def start_flow(self, name: str, *arguments, **variables) -> subprocess.Popen:
        return self.start([program(name), *arguments], **variables)

    def processes(self) -> list[int]:
        """Living processes that were started, at whatever distance, from this project."""
        mark = f"TEST_PROJECT={self.mark}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            try:
                alive = folder.name.isdigit() and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
                if alive and mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # it has ended meanwhile
                continue
        return found

    def wait_for_no_process(self, deadline: float = DEADLINE) -> None:
        """Until nothing that this project started is alive."""
        end = time.monotonic() + deadline
        while left := self.processes():
            for pid in left:
                wait_for_end(pid, end - time.monotonic())

    # Looking

    def root(self) -> Path:
        return self.folder / ".metaflow"

    def latest_run(self, flow: str) -> str:
        return (self.root() / flow / "latest_run").read_text()

    def task_files(self, flow: str, run: str, step: str, task: str) -> list[str]:
        folder = self.root() / flow / run / step / task
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def artifact_keys(self, flow: str, run: str, step: str, task: str) -> dict[str, str]:
        """Keys of all artifacts of a finished task, also of those that the official client has no pointer to."""
        return json.loads((self.root() / flow / run / step / task / "0.data.json").read_text())["objects"]

    def stored_value(self, flow: str, key: str):
        return pickle.loads(gzip.decompress((self.root() / flow / "data" / key[:2] / key).read_bytes()))

    def official(self, code: str, **arguments):
        """Runs a snippet under the official Metaflow and returns what it leaves in `result`, by way of JSON.
        `arguments` are its variables."""
        answer = self.folder.parent / f"answer-{uuid.uuid4()}.json"
        said = self.run(
            judge(),
            "-c",
            JUDGE_FRAME,
            JUDGE_CODE=textwrap.dedent(code),
            JUDGE_ARGUMENTS=json.dumps(arguments),
            JUDGE_RESULT=answer,
        ).succeeded()
        assert answer.exists(), said.stderr
        return json.loads(answer.read_text())

    def official_flow(self, name: str, *arguments, **settings) -> Result:
        """Runs a flow of tests/flows_python under the official Metaflow."""
        python = judge()
        path = f"{python.parent}:{self.variables['PATH']}"  # a gang's workers are started as plain `python`
        return self.run(python, PYTHON_FLOWS / f"{name}.py", *arguments, PATH=path, **settings)


def judge() -> Path:
    if not JUDGE.exists():
        missing(f"the official Metaflow is missing: {JUDGE} does not exist; `./dev setup test` installs it")
    return JUDGE


def wait_for_end(pid: int, deadline: float) -> None:
    """Until a process that need not be our child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], max(deadline, 0))
        assert ended, f"process {pid} did not end in time: {Path(f'/proc/{pid}/cmdline').read_bytes()}"
    finally:
        os.close(descriptor)


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory) -> Project:
    """For the tests of one file that look at the same runs."""
    return Project(tmp_path_factory.mktemp("shared") / "project")


# Flows in Python, by the package of bindings/python

PACKAGE_FOLDER = REPOSITORY / "bindings/python"
FLOWS_IN_PYTHON = Path(__file__).resolve().parent / "python/flows"
STORY = Path(__file__).resolve().parent / "python/story.py"
# A Python in whose environment the wheel is installed: flows are then run by that instead of the sources.
INSTALLED = os.environ.get("METAFLOW_TEST_INSTALLED")
SYSTEM_PYTHON = INSTALLED or os.environ.get("METAFLOW_TEST_PYTHON", "/usr/bin/python3")
# What lets any interpreter use the sources, and SYSTEM_PYTHON what is to be tested.
SOURCES = {"PYTHONPATH": PACKAGE_FOLDER, "METAFLOW_LIBRARY": BUILD / "libmetaflow.so"}
OUR_PACKAGE = {} if INSTALLED else SOURCES


@dataclass(repr=False)
class PythonProject(Project):
    """A folder to run flows in Python in, by our package or the official one: each has one of its own."""

    def ours(self, name: str, *arguments, **settings) -> Result:
        """Runs a flow of tests/python/flows by the package of this repository."""
        return self.finish(self.start_ours(name, *arguments, **settings))

    def start_ours(self, name: str, *arguments, interpreter=None, **variables) -> subprocess.Popen:
        own = SOURCES if interpreter else OUR_PACKAGE
        command = [interpreter or SYSTEM_PYTHON, flow_file(name), *arguments]
        return self.start(command, **{**own, **variables})

    def officially(self, name: str, *arguments, **settings) -> Result:
        """Runs the same file by the official package."""
        return self.finish(self.start_officially(name, *arguments, **settings))

    def start_officially(self, name: str, *arguments, **variables) -> subprocess.Popen:
        python = judge()
        path = f"{python.parent}:{self.variables['PATH']}"
        return self.start([python, flow_file(name), *arguments], **{"PATH": path, **variables})

    def story(self, name: str, flow: str, run: str = "") -> dict:
        """What the official client says about a run, the latest one without `run`; see tests/python/story.py."""
        (story,) = self.stories(name, flow, run or self.latest_run(flow))
        return story

    def stories(self, name: str, flow: str, *runs: str) -> list[dict]:
        said = self.run(judge(), STORY, flow_file(name), flow, *runs).succeeded()
        (line,) = (line for line in said.stdout.splitlines() if line.startswith("STORIES "))
        return json.loads(line[len("STORIES ") :])


def flow_file(name: str) -> Path:
    """A flow of tests/python/flows or tests/flows_python by its name; a path is one already."""
    if isinstance(name, Path):
        return name
    own = FLOWS_IN_PYTHON / f"{name}.py"
    return own if own.exists() else PYTHON_FLOWS / f"{name}.py"


@pytest.fixture
def python_project(tmp_path) -> PythonProject:
    return PythonProject(tmp_path / "project")


@pytest.fixture
def official_project(tmp_path) -> PythonProject:
    return PythonProject(tmp_path / "official" / "project")


# The Python wheel


@dataclass
class Environment:
    """A virtual environment with nothing in it but pip and the wheel."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    @property
    def program(self) -> Path:
        return self.folder / "bin/metaflow"


@pytest.fixture(scope="session")
def wheel_environment(tmp_path_factory) -> Environment:
    """The wheel, made anew, in an environment of its own."""
    wheel = REPOSITORY / run_here(REPOSITORY / "dev", "wheel", BUILD.name).strip()
    folder = tmp_path_factory.mktemp("environment") / "with a space"
    run_here(judge(), "-m", "venv", folder)
    environment = Environment(folder, wheel)
    # Without an index, a requirement would be found missing.
    run_here(environment.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", wheel)
    return environment


def run_here(*command) -> str:
    """What a command prints that must succeed; with the environment of the tests, unlike those of a project."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout
