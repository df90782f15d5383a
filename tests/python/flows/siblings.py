"""Two branches: one fails once the other is at work, which ends when something is written to the pipe `go_on`."""

import os
from pathlib import Path

from metaflow import FlowSpec, step


class Siblings(FlowSpec):
    @step
    def start(self):
        self.next(self.failing, self.busy)

    @step
    def failing(self):
        if "FAIL" in os.environ:
            Path("at_work").read_text()
            raise ValueError("as asked")
        self.next(self.join)

    @step
    def busy(self):
        print("at work", flush=True)
        if "FAIL" in os.environ:
            Path("at_work").write_text("x")
            Path("go_on").read_text()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Siblings()
