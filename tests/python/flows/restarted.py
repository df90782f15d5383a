"""A switch, rounds and a foreach, to be failed and resumed: FAIL names a task, such as `loop:3` or `work:1`, that raises."""

import os

from metaflow import FlowSpec, current, step


class Restarted(FlowSpec):
    def misbehave(self, number):
        self.resumes = current.origin_run_id is not None
        print(current.step_name, number)
        if os.environ.get("FAIL") == f"{current.step_name}:{number}":
            raise ValueError("as asked")

    @step
    def start(self):
        self.mode = "rounds"
        self.count = 0
        self.next({"rounds": self.loop, "straight": self.spread}, condition="mode")

    @step
    def loop(self):
        self.count += 1
        self.again = self.count < 3
        self.misbehave(self.count)
        self.next({True: self.loop, False: self.spread}, condition="again")

    @step
    def spread(self):
        self.items = ["a", "b"]
        self.misbehave(0)
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.item = self.input
        self.misbehave(self.index)
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.all = [branch.item for branch in inputs]
        self.misbehave(0)
        self.next(self.end)

    @step
    def end(self):
        self.misbehave(0)


if __name__ == "__main__":
    Restarted()
