"""The twin of tests/flows/squads.cpp, without its failures."""

import os

from metaflow import FlowSpec, catch, parallel, step


class Squads(FlowSpec):
    @step
    def start(self):
        self.names = ["red", "blue"]
        self.next(self.plan, foreach="names")

    @step
    def plan(self):
        self.colour = self.input
        self.next(self.work, num_parallel=2)

    @catch(var="trouble")
    @parallel
    @step
    def work(self):
        self.report = f"{self.colour} " + ",".join(str(frame[0]) for frame in self.foreach_stack())
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.reports = [i.report for i in inputs]
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.all = [line for i in inputs for line in i.reports]
        if "FAIL_MEET" in os.environ:
            raise RuntimeError("as asked")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Squads()
