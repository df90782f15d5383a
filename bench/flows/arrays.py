import time

import numpy
from metaflow import FlowSpec, Parameter, step


class Arrays(FlowSpec):
    megabytes = Parameter("megabytes", default=256)

    @step
    def start(self):
        length = self.megabytes * 1024 * 1024 // 8
        generator = numpy.random.default_rng(1)
        self.noise = generator.random(length)
        self.counts = generator.integers(0, 100, length)
        print("set", time.time(), flush=True)
        self.next(self.end)

    @step
    def end(self):
        print("loading", time.time(), flush=True)
        last = self.noise[-1] + self.counts[-1]
        print("loaded", time.time(), flush=True)
        print("last", last)


if __name__ == "__main__":
    Arrays()
