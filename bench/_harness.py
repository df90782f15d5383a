"""What the benchmarks share: running programs, medians, rows of a table, and bench/RESULTS.md.

`./dev bench NAME` builds the flows and sets METAFLOW_BUILD and METAFLOW_JUDGE_PYTHON. Each file bench/NAME.py derives a class from
Bench, and names its methods in the table that it gives to `main`.
"""

import argparse
import datetime
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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


class Done(NamedTuple):
    """What a program took and said."""

    seconds: float
    cpu_seconds: float  #: user and system, of all its processes
    output: str


def run(command: list[str], folder: Path, **more: str) -> Done:
    """A failure ends the benchmark with what the command said."""
    cpu_before = cpu_seconds_of_children()
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=3600)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return Done(seconds, cpu_seconds_of_children() - cpu_before, done.stdout)


def cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    def __init__(self, repeats: int, official: bool):
        self.repeats = repeats
        self.official = official and Path(JUDGE).exists()
        self.folder = Path(tempfile.mkdtemp(prefix="metaflow-bench-"))
        self.folders = 0
        self.rows: list[Row] = []

    def ours(self, flow: str, *arguments: str) -> list[str]:
        """The command line of a flow of bench/flows."""
        raise NotImplementedError

    def theirs(self, flow: str, *arguments: str) -> list[str]:
        return [JUDGE, str(HERE / "flows" / f"{flow}.py"), "--no-pylint", *arguments]

    def fresh(self) -> Path:
        """A new folder. Old ones stay to the end: for minutes after a removal ext4 makes files many times slower."""
        self.folders += 1
        folder = self.folder / str(self.folders)
        (folder / ".metaflow").mkdir(parents=True)
        return folder

    def median(self, command: list[str], repeats: int | None = None) -> float:
        return statistics.median(run(command, self.fresh()).seconds for _ in range(repeats or self.repeats))

    def reference(self, command: list[str], repeats: int | None = None) -> float | None:
        return self.median(command, repeats) if self.official else None

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print("  ".join(cell for cell in row.cells() if cell), flush=True)

    def add_milliseconds(self, work: str, budget: float, flow: str, *arguments: str) -> None:
        """A row of what takes a moment."""
        ours = self.median(self.ours(flow, *arguments), 4 * self.repeats)
        theirs = self.reference(self.theirs(flow, *arguments))
        self.add(Row(work, 1000 * ours, "ms", budget, scaled(theirs, 1000)))

    def add_queries(self, command: list[str], store: Path, width: int, budget: float | None) -> None:
        """A row of reading one number of each task of a foreach, by new processes; their caches are empty."""

        def once(command: list[str]) -> float:
            self.folders += 1
            done = run(command, store, METAFLOW_CLIENT_CACHE_PATH=str(self.folder / f"cache-{self.folders}"))
            assert done.output == f"{width} tasks, total {width * (width - 1) // 2}\n", done.output
            return done.seconds

        ours = statistics.median(once(command) for _ in range(self.repeats))
        theirs = once([JUDGE, str(HERE / "flows" / "queries.py")]) if self.official else None
        self.add(Row(f"client queries over {width:,} tasks", ours, "s", budget, theirs))

    def add_saving_and_loading(self, flow: str, what: str, budgets: tuple[float | None, float | None]) -> None:
        """Rows of a flow whose first step saves what its last one loads."""
        ours = [self.saving_and_loading(self.ours(flow, "run")) for _ in range(self.repeats)]
        theirs = [self.saving_and_loading(self.theirs(flow, "run"))] if self.official else []
        for index, (verb, budget) in enumerate(zip(("save", "load"), budgets, strict=True)):
            reference = statistics.median(times[index] for times in theirs) if theirs else None
            measured = statistics.median(times[index] for times in ours)
            self.add(Row(f"{verb} {what}", measured, "s", budget, reference))

    def saving_and_loading(self, command: list[str]) -> tuple[float, float]:
        """Seconds from the end of the saving body to the end of its task, and that reading took."""
        log = run(command, self.fresh()).output
        said = {
            word: float(value) for word, value in re.findall(r"\b(set|loading|loaded) ([0-9.]+)$", log, re.MULTILINE)
        }
        stamp = re.search(r"^(\S+ \S+) \[\d+/start/.*Task finished successfully\.$", log, re.MULTILINE)
        assert stamp, log
        saved = datetime.datetime.strptime(stamp[1], "%Y-%m-%d %H:%M:%S.%f").timestamp()
        return saved - said["set"], said["loaded"] - said["loading"]

    def peak(self, command: list[str], folder: Path) -> tuple[float, int]:
        """Seconds, and the most memory in KiB that the process itself had."""
        began = time.perf_counter()
        with subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            peak = PeakMemory(process.pid)
            _, complaint = process.communicate()
            if process.returncode:
                sys.exit(f"{' '.join(command)} failed:\n{complaint.decode()[-2000:]}")
        return time.perf_counter() - began, peak.stop()

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


def scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {model[1] if model else platform.machine()}, Linux {platform.release()}"


def table(rows: list[Row]) -> str:
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def store(bench: Bench, name: str, began: str) -> None:
    results = HERE / "RESULTS.md"
    heading = "# Results of ./dev bench\n"
    older = results.read_text().removeprefix(heading) if results.exists() else ""
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    about = f"## {name}, {now}\n\n{began}; medians of {bench.repeats} or more runs, of 1 where the official package takes seconds.\n"
    results.write_text(f"{heading}\n{about}\n{table(bench.rows)}\n{older}")


def main(name: str, kind: type[Bench], works: list[str]) -> None:
    """The command line of a benchmark; `works` names methods of `kind`."""
    parser = argparse.ArgumentParser(description=f"Measures what bench/{name}.py says.")
    parser.add_argument(
        "--only", choices=works, action="append", help="measure this alone (repeatable); nothing is stored"
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs behind each median [default: 5]")
    parser.add_argument("--no-official", action="store_true", help="leave the official Metaflow out")
    options = parser.parse_args()
    began = f"{machine()}, load {os.getloadavg()[0]:.2g} when it began"
    bench = kind(options.repeats, not options.no_official)
    try:
        for work in options.only or works:
            getattr(bench, work)()
    finally:
        bench.close()
    print(f"\n{table(bench.rows)}")
    if not options.only:
        store(bench, name, began)
