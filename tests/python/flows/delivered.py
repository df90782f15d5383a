"""A foreach over a list of many kinds of items, some of which share parts, or refer to other items."""

import datetime
import pickle
from dataclasses import dataclass
from pathlib import PurePosixPath

from metaflow import FlowSpec, step

MADE = []


@dataclass
class Point:
    x: int
    label: object


class Counted:
    """Known to be made anew whenever it is unpickled."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return make, (self.number,)

    def __repr__(self):
        return f"Counted({self.number})"


def make(number):
    MADE.append(number)
    return Counted(number)


class Delivered(FlowSpec):
    @step
    def start(self):
        shared, day, first = {"shared": [1]}, datetime.date(2026, 1, 2), Point(0, None)
        self.items = [
            {"key": 1, "other": "text"},
            {"key": "text", "other": 2, "text": "key"},
            Point(1, shared),
            Point(2, [shared, shared, day]),
            (day, PurePosixPath("a/b"), {"key"}, b"\0" * 300),
            first,
            Point(3, [first, shared]),
            [[first], first],
            *(Counted(i) for i in range(8, 11)),
        ]
        self.items.append([self.items])
        self.next(self.body, foreach="items")

    @step
    def body(self):
        self.item = repr(self.input)
        self.made = len(MADE)
        self.same_bytes = pickle.dumps(self.input, 4) == pickle.dumps(self.items[self.index], 4)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.given = [branch.item for branch in inputs]
        self.same_bytes = [branch.same_bytes for branch in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Delivered()
