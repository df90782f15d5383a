"""What one machine does: this engine beside the official Metaflow and ninja, measured in one run.

Started by `./dev bench local`. Prints a table and adds it to bench/RESULTS.md. Every time is the median of several runs on fresh stores.
"""

import hashlib
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

from _harness import BUILD, HERE, UNLIMITED, Bench, Row, main, run


class Local(Bench):
    def ours(self, flow: str, *arguments: str) -> list[str]:
        return [str(BUILD / "bench" / flow), *arguments]

    def hello(self) -> None:
        self.add_milliseconds("hello, 3 tasks", 25, "hello", "run")

    def help(self) -> None:
        self.add_milliseconds("`flow --help`", 5, "hello", "--help")

    def foreach(self) -> None:
        for width in (100, 1_000, 10_000):
            self.foreach_over(width)

    def foreach_over(self, width: int) -> None:
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
            return run(["ninja", "-j2", "--quiet"], folder).seconds

        return statistics.median(once() for _ in range(repeats))

    def resume(self) -> None:
        for width in (1_000, 10_000):
            self.resume_of(width)

    def resume_of(self, width: int) -> None:
        """Takes over a successful run whole: what a task costs that has run already."""
        wide = self.ours("wide", "run", "--width", str(width), *UNLIMITED)

        def median(resume: list[str], repeats: int) -> float:
            times = []
            for _ in range(repeats):
                folder = self.fresh()
                run(wide, folder)
                times.append(run(resume, folder).seconds)
            return statistics.median(times)

        repeats = self.repeats if width <= 1000 else max(1, self.repeats // 2)
        ours = median(self.ours("wide", "resume"), repeats)
        with_official = self.official and width <= 1000
        theirs = median(self.theirs("wide", "resume", *UNLIMITED), 1) if with_official else None
        self.add(Row(f"resume of {width:,} clones", ours, "s", 10 if width == 10_000 else None, theirs))

    def queries(self) -> None:
        store = self.fresh()
        run(self.ours("wide", "run", "--width", "10000", *UNLIMITED), store)
        self.add_queries(self.ours("queries"), store, 10_000, 2)

    def arrays(self) -> None:
        self.add_saving_and_loading("arrays", "two arrays of 256 MiB", (1.0, 0.6))

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

    def memory(self) -> None:
        for width in (10_000, 100_000):
            _, peak = self.peak(self.ours("wide", "run", "--width", str(width), *UNLIMITED), self.fresh())
            self.add(Row(f"scheduler memory at {width:,} splits", peak / 1024, "MB", 150))

    def gc(self) -> None:
        """Reads and halves a store in which each task has ten values of its own and one that all share."""
        runs, tasks = 10, 1_000
        folder = self.fresh()
        blobs = make_store(folder / ".metaflow" / "Wide", runs, tasks, 10)
        about = f"over {blobs:,} blobs of {runs * tasks:,} tasks"
        looked, memory = self.peak([str(metaflow_program()), "gc", "Wide"], folder)
        self.add(Row(f"`metaflow gc` {about}", looked, "s"))
        self.add(Row(f"memory of `metaflow gc` {about}", memory / 1024, "MB"))
        halve = [str(metaflow_program()), "gc", "Wide", "--keep-last", str(runs // 2), "--delete"]
        self.add(Row(f"moving half of them away {about}", run(halve, folder).seconds, "s"))
        self.add(Row(f"removing it {about}", run([*halve[:3], "--purge"], folder).seconds, "s"))

    def prototype(self) -> None:
        """Edit to run: `metaflow hello.cpp run`, with an empty cache and again with a full one."""
        program = metaflow_program()
        folder = self.fresh()
        shutil.copy(HERE / "flows" / "hello.cpp", folder)
        cold = []
        for _ in range(self.repeats):
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
            cold.append(
                run([str(program), "hello.cpp", "run"], folder, XDG_CACHE_HOME=str(self.folder / "cache")).seconds
            )
        cached = [
            run([str(program), "hello.cpp", "run"], folder, XDG_CACHE_HOME=str(self.folder / "cache")).seconds
            for _ in range(4 * self.repeats)
        ]
        self.add(Row("`metaflow hello.cpp run`, cold", statistics.median(cold), "s", 3))
        self.add(Row("`metaflow hello.cpp run`, cached", 1000 * statistics.median(cached), "ms"))


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


if __name__ == "__main__":
    main(
        "local",
        Local,
        ["hello", "help", "foreach", "resume", "queries", "arrays", "files", "memory", "gc", "prototype"],
    )
