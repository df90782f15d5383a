"""Artifacts of many kinds, handed on, changed, deleted and left alone."""

import collections

from metaflow import FlowSpec, step


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __repr__(self):
        return f"Point({self.x}, {self.y})"


class Base(FlowSpec):
    inherited_constant = "from the base"

    @step
    def start(self):
        self.small = 1
        self.text = "grün"
        self.real = 0.5
        self.nothing = None
        self.truth = True
        self.raw = b"\x00\xff"
        self.pair = (1, "a")
        self.items = [1, 2]
        self.table = {"a": [1], "b": {"c": 2}}
        self.some = {1, 2}
        self.point = Point(1, 2)
        self.counter = collections.Counter("hello")
        self.big = "x" * 100_000
        self._private = "hidden"
        self.__mangled = "mangled"
        self.gone = "not stored"
        del self.gone
        self.function = lambda: 1
        self.next(self.middle)

    def helper(self):
        return self.small + 1


class Values(Base):
    """Values of many kinds."""

    limits = [1, 2]
    label = "constant"

    @step
    def middle(self):
        """Changes some of them."""
        assert not hasattr(self, "gone")
        assert not hasattr(self, "function")
        assert self._Base__mangled == "mangled"
        self.items.append(3)
        self.point.x = 10
        self.limits.append(3)
        assert self.text == "grün"
        assert self.helper() == 2
        for name in ("limits", "index", "input"):
            try:
                setattr(self, name, 1)
            except AttributeError:
                continue
            raise AssertionError(name)
        try:
            _ = self.nowhere
        except AttributeError as error:
            self.complaint = "nowhere" in str(error) and "Values" in str(error)
        print(self.text)
        del self.text
        self.as_text = str(self)
        self.next(self.end)

    @step
    def end(self):
        self.constants = (self.limits, self.label, self.inherited_constant)
        self.seen = (self.text, self.items, repr(self.point), self._private, self.raw)


if __name__ == "__main__":
    Values()
