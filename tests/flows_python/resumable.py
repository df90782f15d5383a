"""The twin of tests/flows/resumable.cpp: FAIL names a task, such as `leaf:1,0` or `loop:2`, that raises."""

import os

from metaflow import FlowSpec, Parameter, current, step


class Resumable(FlowSpec):
    width = Parameter("width", default=3)
    depth = Parameter("depth", default=2)
    mode = Parameter("mode", default="loop")

    def misbehave(self, count=None):
        indices = ",".join(str(frame[0]) for frame in self.foreach_stack())
        mark = ":".join([current.step_name] + ([indices] if indices else []) + ([str(count)] if count else []))
        if os.environ.get("FAIL") == mark:
            raise ValueError("as asked")

    @step
    def start(self):
        self.words = [f"w{i}" for i in range(self.width)]
        self.count = 0
        self.misbehave()
        self.next(self.left, self.right)

    @step
    def left(self):
        self.misbehave()
        self.next(self.item, foreach="words")

    @step
    def item(self):
        self.word = self.input
        self.numbers = list(range(self.depth))
        self.misbehave()
        self.next(self.leaf, foreach="numbers")

    @step
    def leaf(self):
        self.leaf_name = f"{self.word}/{self.input}"
        self.misbehave()
        self.next(self.gather_leaves)

    @step
    def gather_leaves(self, inputs):
        self.leaves = [i.leaf_name for i in inputs]
        self.misbehave()
        self.next(self.gather_items)

    @step
    def gather_items(self, inputs):
        self.all = [name for i in inputs for name in i.leaves]
        self.misbehave()
        self.next(self.meet)

    @step
    def right(self):
        self.misbehave()
        self.next({"loop": self.loop, "calm": self.calm}, condition="mode")

    @step
    def calm(self):
        self.settled = "calm"
        self.misbehave()
        self.next(self.settle)

    @step
    def loop(self):
        self.count += 1
        self.again = "yes" if self.count < 4 else "no"
        self.misbehave(self.count)
        self.next({"yes": self.loop, "no": self.settle}, condition="again")

    @step
    def settle(self):
        self.settled = f"after {self.count}"
        self.misbehave()
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.all = next(i.all for i in inputs if hasattr(i, "all"))
        self.settled = next(i.settled for i in inputs if hasattr(i, "settled"))
        self.origin = current.origin_run_id or "none"
        self.misbehave()
        self.next(self.end)

    @step
    def end(self):
        self.misbehave()


if __name__ == "__main__":
    Resumable()
