"""Crashes at every point: processes of a run are killed at each call that changes anything outside of them. After each,
nothing that the official client lists is torn, no attempt counts as done that is not whole, and `resume` finishes with the
same result. By default a sample of the points is tried; METAFLOW_TEST_ALL, which `./dev test --all` sets, tries all."""

import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import BUILD, JUDGE_FOLDER, Project, judge

FLOW = "Crash"
ALL = bool(os.environ.get("METAFLOW_TEST_ALL"))
PRELOADED = BUILD / "tests/programs/libcrash_point.so"

# What `resume` says when the run crashed before it could be known, or before its parameters were stored.
NOTHING_TO_RESUME = ["Resume could not find", "No run of Crash is known here"]

pytestmark = pytest.mark.preloaded


class Judge:
    """The official client as one long-lived process."""

    def __init__(self, project: Project):
        self.process = subprocess.Popen(
            [judge(), JUDGE_FOLDER / "read_runs.py", FLOW],
            cwd=project.folder,
            env=project.variables | {"TEST_PROJECT": "none"},  # it outlives the runs
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def runs(self, folder: Path) -> list[dict]:
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["runs"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Attempt:
    """An attempt that is marked as done."""

    path: str
    place: tuple
    successful: bool
    objects: dict


class Frame(tuple):
    """Stands for the official ForeachFrame: step, variable, splits, index, value."""

    def __new__(cls, *fields):
        return super().__new__(cls, fields)


class FrameReader(pickle.Unpickler):
    def find_class(self, module, name):
        assert name == "ForeachFrame"
        return Frame


class Store:
    """What the files say: of attempts that are marked as done, and nothing else."""

    def __init__(self, root: Path):
        self.root = root
        self.blobs = {}

    def blob(self, key: str) -> bytes:
        """Has to be there, and to be what its key says."""
        if key not in self.blobs:
            content = gzip.decompress((self.root / FLOW / "data" / key[:2] / key).read_bytes())
            assert hashlib.sha1(content).hexdigest() == key
            self.blobs[key] = content
        return self.blobs[key]

    def done(self) -> list[Attempt]:
        attempts = []
        for lock in (self.root / FLOW).glob("*/*/*/*.DONE.lock"):
            objects = json.loads(lock.with_name(lock.name.replace("DONE.lock", "data.json")).read_text())["objects"]
            blobs = {name: self.blob(key) for name, key in objects.items()}
            frames = FrameReader(io.BytesIO(blobs["_foreach_stack"])).load()
            place = (lock.parts[-3], tuple(frame[3] for frame in frames))
            path = str(lock.relative_to(self.root))
            attempts.append(Attempt(path, place, pickle.loads(blobs["_task_ok"]), objects))
        return attempts


@dataclass
class Bench:
    """Where crashes happen: always in the same folder, as artifacts name it."""

    project: Project
    judge: Judge
    origin: Path | None = None  # a store to begin with
    expected: dict | None = None  # what an undisturbed run leaves in each task: keys, and values as Python shows them

    def reset(self) -> None:
        shutil.rmtree(self.project.root(), ignore_errors=True)
        if self.origin:
            shutil.copytree(self.origin, self.project.root())

    def crash(self, words: list[str], kills: str, at: int) -> tuple[int, int, str]:
        """Runs the flow with a crash at a point: exit code, points counted, and what the fatal call was."""
        counter, report = self.project.folder / "counter", self.project.folder / "report"
        counter.write_bytes(struct.pack("Q", 0))
        report.unlink(missing_ok=True)
        process = self.project.start_flow(
            "crash",
            *words,
            LD_PRELOAD=PRELOADED,
            CRASH_COUNTER=counter,
            CRASH_REPORT=report,
            CRASH_KILLS=kills,
            CRASH_AT=at,
        )
        ended = self.project.finish(process)
        self.project.wait_for_no_process()
        return ended, struct.unpack("Q", counter.read_bytes())[0], report.read_text() if report.exists() else "nothing"

    def look(self) -> list[dict]:
        """What is in the store must be whole, and right."""
        for attempt in Store(self.project.root()).done():
            if attempt.successful and self.expected and attempt.place[0] != "_parameters":
                assert attempt.objects == self.expected["keys"][attempt.place], attempt.path
        runs = self.judge.runs(self.project.folder)
        for run in runs:
            for task in run["tasks"]:
                if task["successful"] and self.expected:
                    assert task["artifacts"] == self.expected["values"][place_of(task)], task["task"]
        return runs

    def learn(self) -> None:
        """Takes what the store holds for what each task has to leave."""
        self.expected = {
            "keys": {
                attempt.place: attempt.objects for attempt in Store(self.project.root()).done() if attempt.successful
            },
            "values": {
                place_of(task): task["artifacts"] for run in self.look() for task in run["tasks"] if task["successful"]
            },
        }

    def finish(self) -> None:
        """`resume`, or a new run where nothing can be resumed, has to end well and as if nothing had happened."""
        done = self.project.run_flow("crash", "resume")
        if done.exit == 1 and any(words in done.stderr for words in NOTHING_TO_RESUME):
            done = self.project.run_flow("crash", "run")
        done.succeeded()

    def expect_whole_run(self) -> None:
        """The newest run is successful, and no task is missing."""
        newest = self.look()[0]
        assert newest["successful"]
        assert sorted(place_of(task) for task in newest["tasks"]) == sorted(
            place for place in self.expected["values"] if place[0] != "_parameters"
        )


def place_of(task: dict) -> tuple:
    step, indices = task["place"]
    return step, tuple(indices)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    project = Project(tmp_path_factory.mktemp("crash") / "project")
    (project.folder / "words.txt").write_text("one\ntwo\n")
    judge = Judge(project)
    made = Bench(project, judge)
    project.run_flow("crash", "run").succeeded()
    made.learn()
    yield made
    judge.close()


def points(count: int, sample: int) -> range:
    """Of `count` points all, or so many, evenly spread."""
    return range(1, count + 1, 1 if ALL else max(1, count // sample))


def try_points(bench: Bench, words: list[str], kills: str, sample: int, capsys) -> None:
    bench.reset()
    undisturbed, count, _ = bench.crash(words, kills, 0)
    undisturbed.succeeded()
    assert count > 20
    tried = points(count, sample)
    for at in tried:
        bench.reset()
        ended, _, fatal = bench.crash(words, kills, at)
        try:
            bench.look()
            if ended.exit != 0:
                bench.finish()
            bench.expect_whole_run()
        except Exception as problem:
            problem.add_note(f"after a crash at point {at} of {count} ({kills}): {fatal}\n{ended}")
            raise
    with capsys.disabled():
        print(f"\n{len(tried)} of {count} points tried: {' '.join(words)}, killing the {kills}")


RUN = ["run", "--max-workers", "1"]


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
@pytest.mark.parametrize("kills", ["process", "group", "half"])
def test_a_run_that_crashes_anywhere_is_not_torn_and_can_be_resumed(bench, kills, isolation, capsys):
    bench.origin = None
    try_points(bench, [*RUN, "--isolation", isolation], kills, 16 if isolation == "fork" else 6, capsys)


@pytest.mark.parametrize("kills", ["process", "group", "half"])
def test_a_resume_that_crashes_anywhere_is_not_torn_and_can_be_repeated(bench, tmp_path, kills, capsys):
    bench.origin = None
    bench.reset()
    bench.project.run_flow("crash", "run", FAIL="end").failed()
    bench.origin = Path(shutil.copytree(bench.project.root(), tmp_path / "origin"))
    try_points(bench, ["resume"], kills, 8, capsys)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7, 0.9] if ALL else [0.7])
def test_the_official_metaflow_goes_on_with_a_run_that_crashed(bench, part):
    bench.origin = None
    bench.reset()
    _, count, _ = bench.crash(RUN, "group", 0)
    bench.reset()
    ended, _, fatal = bench.crash(RUN, "group", int(part * count))
    assert ended.exit != 0, fatal
    done = bench.project.official_flow("crash", "--no-pylint", "resume")
    assert done.exit == 0, f"{fatal}\n{done}"
    newest = bench.judge.runs(bench.project.folder)[0]
    assert newest["successful"]
    values = bench.expected["values"]
    for task in newest["tasks"]:
        place = place_of(task)
        wanted = {name: text for name, text in values[place].items() if name in ("items", "upper", "text", "result")}
        assert {name: task["artifacts"][name] for name in wanted} == wanted
