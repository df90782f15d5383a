"""What one machine does: this engine beside the official Metaflow and ninja, measured in one run.

Started by `./dev bench local`, which builds the flows and sets METAFLOW_BUILD and METAFLOW_JUDGE_PYTHON. Prints a table
and adds it to bench/RESULTS.md. Every time is the median of several runs on fresh stores.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("METAFLOW_BUILD", HERE.parent / "build" / "release"))
JUDGE = os.environ.get("METAFLOW_JUDGE_PYTHON", str(HERE.parent / "build" / "judge" / "bin" / "python"))
UNLIMITED = ["--max-num-splits", "1000000"]


@dataclass
class Row:
    work: str
    ours: float
    unit: str
    budget: float | None = None
    reference: float | None = None
    reference_name: str = "official"

    def cells(self) -> list[str]:
        def number(value: float | None) -> str:
            return "" if value is None else f"{value:,.0f} {self.unit}" if value >= 100 else f"{value:.3g} {self.unit}"

        reference = "" if self.reference is None else f"{number(self.reference)} ({self.reference_name})"
        ratio = "" if not self.reference else f"{self.reference / self.ours:.3g} x"
        met = "" if self.budget is None else "met" if self.ours <= self.budget else "**not met**"
        return [self.work, number(self.ours), reference, ratio, number(self.budget), met]


HEADINGS = ["work", "ours", "reference", "ratio", "budget", ""]


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("METAFLOW_")}
    return {**kept, "USER": "bench", "METAFLOW_USER": "bench", **more}


def run(command: list[str], folder: Path, **more: str) -> tuple[float, str]:
    """Seconds and standard output; a failure ends the benchmark with what the command said."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=3600)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return seconds, done.stdout


class Bench:
    def __init__(self, repeats: int, official: bool):
        self.repeats = repeats
        self.official = official and Path(JUDGE).exists()
        self.folder = Path(tempfile.mkdtemp(prefix="metaflow-bench-"))
        self.folders = 0
        self.rows: list[Row] = []

    def ours(self, flow: str, *arguments: str) -> list[str]:
        return [str(BUILD / "bench" / flow), *arguments]

    def theirs(self, flow: str, *arguments: str) -> list[str]:
        return [JUDGE, str(HERE / "flows" / f"{flow}.py"), "--no-pylint", *arguments]

    def fresh(self) -> Path:
        """A new folder. Old ones stay to the end: for minutes after a removal ext4 makes files many times slower."""
        self.folders += 1
        folder = self.folder / str(self.folders)
        (folder / ".metaflow").mkdir(parents=True)
        return folder

    def median(self, command: list[str], repeats: int | None = None) -> float:
        return statistics.median(run(command, self.fresh())[0] for _ in range(repeats or self.repeats))

    def reference(self, command: list[str], repeats: int | None = None) -> float | None:
        return self.median(command, repeats) if self.official else None

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print("  ".join(cell for cell in row.cells() if cell), flush=True)

    def hello(self) -> None:
        ours = self.median(self.ours("hello", "run"), 4 * self.repeats)
        self.add(
            Row("hello, 3 tasks", 1000 * ours, "ms", 25, scaled(self.reference(self.theirs("hello", "run")), 1000))
        )

    def help(self) -> None:
        ours = self.median(self.ours("hello", "--help"), 4 * self.repeats)
        theirs = self.reference(self.theirs("hello", "--help"))
        self.add(Row("`flow --help`", 1000 * ours, "ms", 5, scaled(theirs, 1000)))

    def foreach(self, width: int) -> None:
        repeats = self.repeats if width <= 1000 else max(1, self.repeats // 2)
        arguments = ["run", "--width", str(width), *UNLIMITED]
        ours = self.median(self.ours("wide", *arguments), repeats)
        ninja = self.ninja(width, repeats)
        self.add(Row(f"foreach over {width:,}", ours, "s", ninja, ninja, "ninja -j2 touch"))
        if width <= 100:
            self.add(
                Row(f"foreach over {width:,}", ours, "s", None, self.reference(self.theirs("wide", *arguments), 1))
            )

    def ninja(self, width: int, repeats: int) -> float:
        """Seconds that ninja takes to touch `width` files."""

        def once() -> float:
            folder = self.fresh()
            edges = "".join(f"build out/{i}: touch\n" for i in range(width))
            (folder / "build.ninja").write_text(f"rule touch\n  command = touch $out\n{edges}")
            return run(["ninja", "-j2", "--quiet"], folder)[0]

        return statistics.median(once() for _ in range(repeats))

    def resume(self, width: int) -> None:
        """Takes over a successful run whole: what a task costs that has run already."""
        wide = self.ours("wide", "run", "--width", str(width), *UNLIMITED)

        def median(resume: list[str], repeats: int) -> float:
            times = []
            for _ in range(repeats):
                folder = self.fresh()
                run(wide, folder)
                times.append(run(resume, folder)[0])
            return statistics.median(times)

        repeats = self.repeats if width <= 1000 else max(1, self.repeats // 2)
        ours = median(self.ours("wide", "resume"), repeats)
        with_official = self.official and width <= 1000
        theirs = median(self.theirs("wide", "resume", *UNLIMITED), 1) if with_official else None
        self.add(Row(f"resume of {width:,} clones", ours, "s", 10 if width == 10_000 else None, theirs))

    def arrays(self) -> None:
        ours = [self.array_times(self.ours("arrays", "run")) for _ in range(self.repeats)]
        theirs = [self.array_times(self.theirs("arrays", "run"))] if self.official else []
        for index, (what, budget) in enumerate([("save", 1.0), ("load", 0.6)]):
            reference = statistics.median(times[index] for times in theirs) if theirs else None
            measured = statistics.median(times[index] for times in ours)
            self.add(Row(f"{what} two arrays of 256 MiB", measured, "s", budget, reference))

    def array_times(self, command: list[str]) -> tuple[float, float]:
        """Seconds from the end of the saving body to the end of its task, and that reading them took."""
        _, log = run(command, self.fresh())
        said = {
            word: float(value) for word, value in re.findall(r"\b(set|loading|loaded) ([0-9.]+)$", log, re.MULTILINE)
        }
        stamp = re.search(r"^(\S+ \S+) \[\d+/start/.*Task finished successfully\.$", log, re.MULTILINE)
        assert stamp, log
        saved = datetime.datetime.strptime(stamp[1], "%Y-%m-%d %H:%M:%S.%f").timestamp()
        return saved - said["set"], said["loaded"] - said["loading"]

    def files(self) -> None:
        """Files that one more empty task adds to the store, its own artifact aside: pointer and blob."""

        def count(command: list[str]) -> int:
            folder = self.fresh()
            run(command, folder)
            return sum(len(names) for _, _, names in os.walk(folder / ".metaflow"))

        def per_task(command: list[str]) -> float:
            return (count([*command, "110"]) - count([*command, "10"])) / 100 - 2

        theirs = per_task(self.theirs("wide", "run", *UNLIMITED, "--width")) if self.official else None
        self.add(
            Row(
                "files of an empty task", per_task(self.ours("wide", "run", *UNLIMITED, "--width")), "files", 20, theirs
            )
        )

    def memory(self, width: int) -> None:
        command = self.ours("wide", "run", "--width", str(width), *UNLIMITED)
        with subprocess.Popen(
            command, cwd=self.fresh(), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as flow:
            peak = PeakMemory(flow.pid)
            _, complaint = flow.communicate()
            if flow.returncode:
                sys.exit(f"{' '.join(command)} failed:\n{complaint.decode()[-2000:]}")
        self.add(Row(f"scheduler memory at {width:,} splits", peak.stop() / 1024, "MB", 150))

    def gc(self, runs: int, tasks: int) -> None:
        """Reads and halves a store in which each task has ten values of its own and one that all share."""
        folder = self.fresh()
        blobs = make_store(folder / ".metaflow" / "Wide", runs, tasks, 10)
        about = f"over {blobs:,} blobs of {runs * tasks:,} tasks"
        looked, memory = self.peak([str(metaflow_program()), "gc", "Wide"], folder)
        self.add(Row(f"`metaflow gc` {about}", looked, "s"))
        self.add(Row(f"memory of `metaflow gc` {about}", memory / 1024, "MB"))
        halve = [str(metaflow_program()), "gc", "Wide", "--keep-last", str(runs // 2), "--delete"]
        self.add(Row(f"moving half of them away {about}", run(halve, folder)[0], "s"))
        self.add(Row(f"removing it {about}", run([*halve[:3], "--purge"], folder)[0], "s"))

    def peak(self, command: list[str], folder: Path) -> tuple[float, int]:
        """Seconds, and the most memory in KiB."""
        began = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL) as process:
            peak = PeakMemory(process.pid)
            if process.wait():
                sys.exit(f"{' '.join(command)} failed")
        return time.perf_counter() - began, peak.stop()

    def prototype(self) -> None:
        """Edit to run: `metaflow hello.cpp run`, with an empty cache and again with a full one."""
        program = metaflow_program()
        folder = self.fresh()
        shutil.copy(HERE / "flows" / "hello.cpp", folder)
        cold = []
        for _ in range(self.repeats):
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            cold.append(run([str(program), "hello.cpp", "run"], folder, XDG_CACHE_HOME=str(self.folder / "cache"))[0])
        cached = [
            run([str(program), "hello.cpp", "run"], folder, XDG_CACHE_HOME=str(self.folder / "cache"))[0]
            for _ in range(4 * self.repeats)
        ]
        self.add(Row("`metaflow hello.cpp run`, cold", statistics.median(cold), "s", 3))
        self.add(Row("`metaflow hello.cpp run`, cached", 1000 * statistics.median(cached), "ms"))

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class PeakMemory:
    """Reads the high-water mark of a process while it runs, in KiB."""

    def __init__(self, pid: int):
        self.status = Path(f"/proc/{pid}/status")
        self.peak = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        while not self.ended.wait(0.02):
            try:
                found = re.search(r"VmHWM:\s+(\d+)", self.status.read_text())
            except OSError:
                return
            if found:
                self.peak = int(found[1])

    def stop(self) -> int:
        self.ended.set()
        self.thread.join()
        return self.peak


def metaflow_program() -> Path:
    program = BUILD / "bin" / "metaflow"
    if not program.exists():
        sys.exit(f"no program metaflow in {BUILD}")
    return program


def make_store(flow: Path, runs: int, tasks: int, values: int) -> int:
    """Files of runs of one step, as `metaflow gc` reads them; returns the number of blobs."""

    def write(path: Path, text: str) -> None:
        path.write_text(text)

    def record(folder: Path, created_ms: int) -> None:
        (folder / "_meta").mkdir(parents=True)
        write(
            folder / "_meta/_self.json",
            json.dumps(
                {
                    "ts_epoch": created_ms,
                    "tags": [],
                    "system_tags": ["metaflow_version:2.19.38+cpp.0.1.0"],
                    "user_name": "bench",
                }
            ),
        )

    def blob(number: int) -> str:
        key = hashlib.sha1(str(number).encode()).hexdigest()
        write(flow / "data" / key[:2] / key, "x")
        return key

    record(flow, 1)
    for number in range(256):
        (flow / f"data/{number:02x}").mkdir(parents=True)
    shared = blob(-1)
    about = {"size": 5, "type": "<class 'int'>", "encoding": "pickle-v4", "serializer_info": {"source": "metaflow"}}
    for run_number in range(runs):
        run_folder = flow / str(1_700_000_000_000_000 + run_number)
        record(run_folder, 1_700_000_000_000 + run_number)
        for task in range(tasks):
            first = (run_number * tasks + task) * values
            objects = {f"value_{i}": blob(first + i) for i in range(values)} | {"shared": shared}
            folder = run_folder / "start" / str(task)
            record(folder, 1_700_000_000_000 + run_number)
            write(folder / "0.attempt.json", "{}")
            write(folder / "0.data.json", json.dumps({"objects": objects, "info": dict.fromkeys(objects, about)}))
            write(folder / "0.DONE.lock", "")
    return runs * tasks * values + 1


def scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {model[1] if model else platform.machine()}, Linux {platform.release()}"


def table(rows: list[Row]) -> str:
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def store(bench: Bench) -> None:
    results = HERE / "RESULTS.md"
    heading = "# Results of ./dev bench\n"
    older = results.read_text().removeprefix(heading) if results.exists() else ""
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    about = f"## local, {now}\n\n{machine()}; medians of {bench.repeats} or more runs, of 1 for the official foreach and resume.\n"
    results.write_text(f"{heading}\n{about}\n{table(bench.rows)}\n{older}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    works = ["hello", "help", "foreach", "resume", "arrays", "files", "memory", "gc", "prototype"]
    parser.add_argument(
        "--only", choices=works, action="append", help="measure this alone (repeatable); nothing is stored"
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs behind each median [default: 5]")
    parser.add_argument("--no-official", action="store_true", help="leave the official Metaflow out")
    options = parser.parse_args()
    bench = Bench(options.repeats, not options.no_official)
    try:
        for work in options.only or works:
            if work == "foreach":
                for width in (100, 1_000, 10_000):
                    bench.foreach(width)
            elif work == "resume":
                for width in (1_000, 10_000):
                    bench.resume(width)
            elif work == "memory":
                for width in (10_000, 100_000):
                    bench.memory(width)
            elif work == "gc":
                bench.gc(runs=10, tasks=1_000)
            else:
                getattr(bench, work)()
    finally:
        bench.close()
    print(f"\n{table(bench.rows)}")
    if not options.only:
        store(bench)


if __name__ == "__main__":
    main()
