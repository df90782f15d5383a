"""Flows in Python: our wheel beside the official Metaflow, measured in one run with the same interpreter.

Started by `./dev bench python`. Prints a table and adds it to bench/RESULTS.md.
"""

import statistics
from pathlib import Path

from _harness import HERE, JUDGE, UNLIMITED, Bench, Done, Row, main, run

WHEELS = HERE.parent / "dist"


class Python(Bench):
    def __init__(self, repeats: int, official: bool):
        super().__init__(repeats, official)
        self.interpreter = str(self.install())

    def install(self) -> Path:
        """A virtual environment as users have it, with the wheel and numpy."""
        (wheel,) = WHEELS.glob("metaflow_cpp-*.whl")
        environment = self.folder / "environment"
        interpreter = environment / "bin" / "python"
        run([JUDGE, "-m", "venv", "--without-pip", str(environment)], self.folder)
        run([JUDGE, "-m", "pip", "--python", str(interpreter), "install", "--no-deps", str(wheel)], self.folder)
        ours, theirs = (
            Path(
                run(
                    [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], self.folder
                ).output.strip()
            )
            for python in (str(interpreter), JUDGE)
        )
        # The same arrays for both, and nothing to download.
        for part in ("numpy", "numpy.libs"):
            (ours / part).symlink_to(theirs / part)
        return interpreter

    def ours(self, flow: str, *arguments: str) -> list[str]:
        return [self.interpreter, str(HERE / "flows" / f"{flow}.py"), *arguments]

    def hello(self) -> None:
        self.add_milliseconds("hello in Python, 3 tasks", 100, "hello", "run")

    def help(self) -> None:
        self.add_milliseconds("`flow.py --help`", 80, "hello", "--help")

    def imports(self) -> None:
        """On top of the interpreter itself, which is measured in between."""

        def milliseconds(interpreter: str, statement: str, repeats: int) -> float:
            return 1000 * statistics.median(
                run([interpreter, "-c", statement], self.folder).seconds
                - run([interpreter, "-c", "pass"], self.folder).seconds
                for _ in range(repeats)
            )

        for statement in ("import metaflow", "from metaflow import FlowSpec, step"):
            ours = milliseconds(self.interpreter, statement, 8 * self.repeats)
            theirs = milliseconds(JUDGE, statement, self.repeats) if self.official else None
            self.add(Row(f"`{statement}`", ours, "ms", 30, theirs))

    def foreach(self) -> None:
        def wide(command: list[str], width: int) -> Done:
            return run([*command, "run", "--width", str(width), *UNLIMITED], self.fresh())

        def cpu_milliseconds(narrow: Done, broad: Done, tasks: int) -> float:
            return 1000 * (broad.cpu_seconds - narrow.cpu_seconds) / tasks

        ours = {width: [wide(self.ours("wide"), width) for _ in range(self.repeats)] for width in (100, 1_000)}
        theirs = {width: wide(self.theirs("wide"), width) for width in (10, 100)} if self.official else {}
        for width, budget in ((100, None), (1_000, 3)):
            seconds = statistics.median(done.seconds for done in ours[width])
            reference = theirs[width].seconds if width in theirs else None
            self.add(Row(f"foreach over {width:,} in Python", seconds, "s", budget, reference))
        cpu = statistics.median(
            cpu_milliseconds(narrow, broad, 900) for narrow, broad in zip(ours[100], ours[1_000], strict=True)
        )
        reference = cpu_milliseconds(theirs[10], theirs[100], 90) if theirs else None
        self.add(Row("CPU time of an empty task in Python", cpu, "ms", None, reference))

    def arrays(self) -> None:
        self.add_saving_and_loading("arrays", "two numpy arrays of 256 MiB", (1.5, 0.9))

    def many(self) -> None:
        self.add_saving_and_loading("many", "100 artifacts of 1 kB", (None, None))

    def queries(self) -> None:
        store = self.fresh()
        run(self.ours("wide", "run", "--width", "1000", *UNLIMITED), store)
        self.add_queries(self.ours("queries"), store, 1_000, None)

    def memory(self) -> None:
        def megabytes(command: list[str], width: int) -> float:
            _, peak = self.peak([*command, "run", "--width", str(width), *UNLIMITED], self.fresh())
            return peak / 1024

        theirs = megabytes(self.theirs("wide"), 100) if self.official else None
        self.add(Row("scheduler memory at 100 splits, Python", megabytes(self.ours("wide"), 100), "MB", None, theirs))
        self.add(Row("scheduler memory at 1,000 splits, Python", megabytes(self.ours("wide"), 1_000), "MB"))


if __name__ == "__main__":
    main("python", Python, ["hello", "help", "imports", "foreach", "arrays", "many", "queries", "memory"])
