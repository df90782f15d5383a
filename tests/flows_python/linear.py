from decimal import Decimal

import numpy
from metaflow import FlowSpec, IncludeFile, Parameter, step


class Linear(FlowSpec):
    number = Parameter("number", default=5)
    notes = IncludeFile("notes", default=None)

    @step
    def start(self):
        self.nothing = None
        self.yes = True
        self.big = 2**70
        self.negative = -1
        self.ratio = 0.25
        self.text = "grüße"
        self.raw = b"\x00\xff"
        self.thousand = list(range(1001))
        self.table = {"a": 1, "b": [2.5, None]}
        self.pair = ("x", 3)
        self.letters = {"a", "b"}
        self.matrix = numpy.arange(6, dtype=numpy.float64).reshape(2, 3)
        self.opaque = Decimal("1.10")
        self._private = "hidden"
        print("first line")
        print("last line", end="")
        self.next(self.end)

    @step
    def end(self):
        self.negative = -2


if __name__ == "__main__":
    Linear()
