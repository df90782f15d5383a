"""A hundred artifacts of a kilobyte each are saved by one step and loaded by the next. The times that the steps print are those of arrays.py."""

import random
import time

from metaflow import FlowSpec, step

NAMES = [f"value_{i}" for i in range(100)]


class Many(FlowSpec):
    @step
    def start(self):
        generator = random.Random(1)
        for name in NAMES:
            setattr(self, name, generator.randbytes(1000))
        print("set", time.time(), flush=True)
        self.next(self.end)

    @step
    def end(self):
        print("loading", time.time(), flush=True)
        size = sum(len(getattr(self, name)) for name in NAMES)
        print("loaded", time.time(), flush=True)
        print("size", size)


if __name__ == "__main__":
    Many()
