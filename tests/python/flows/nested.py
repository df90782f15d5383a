"""A foreach in a foreach, over several kinds of items; a wide one after it."""

from metaflow import FlowSpec, step


class Nested(FlowSpec):
    @step
    def start(self):
        self.outer = ["x", "a long text that is cut for display", 3]
        self.next(self.body, foreach="outer")

    @step
    def body(self):
        self.letter = self.input
        self.inner = ("k", 2)
        self.next(self.leaf, foreach="inner")

    @step
    def leaf(self):
        self.stack = self.foreach_stack()
        self.text = str(self)
        self.place = self.index, self.input
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.letter = inputs[0].letter
        self.own = self.index, self.input, self.foreach_stack()
        self.places = [branch.place for branch in inputs]
        self.stacks = [branch.foreach_stack() for branch in inputs]
        self.indices = [(branch.index, branch.input) for branch in inputs]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.own = self.index, self.input, self.foreach_stack()
        self.all = [(branch.letter, branch.places) for branch in inputs]
        self.last = inputs.inner_join.letter
        self.next(self.spread)

    @step
    def spread(self):
        self.wide = range(12)
        self.next(self.narrow, foreach="wide")

    @step
    def narrow(self):
        self.square = self.input**2
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.order = [branch.index for branch in inputs]
        self.squares = [branch.square for branch in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Nested()
