"""A switch, a step that repeats itself, a gang, a retry and a caught failure."""

import os

from metaflow import FlowSpec, catch, current, parallel, retry, step


class Turns(FlowSpec):
    @step
    def start(self):
        self.mode = "slow"
        self.count = 0
        self.next({"fast": self.fast, "slow": self.loop}, condition="mode")

    @step
    def fast(self):
        self.next(self.meet)

    @step
    def loop(self):
        self.count += 1
        self.again = "yes" if self.count < 3 else "no"
        self.next({"yes": self.loop, "no": self.meet}, condition="again")

    @step
    def meet(self):
        self.next(self.gang, num_parallel=2)

    @parallel
    @step
    def gang(self):
        self.node = current.parallel.node_index
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.nodes = [i.node for i in inputs]
        self.next(self.flaky)

    @retry(times=2, minutes_between_retries=0)
    @step
    def flaky(self):
        print("attempt", current.retry_count)
        self.tries = current.retry_count
        if current.retry_count == 0:
            raise ValueError("not yet")
        if current.retry_count == 1:
            os._exit(3)
        self.next(self.caught)

    @catch(var="failure")
    @step
    def caught(self):
        self.before = "kept"
        raise ValueError("boom")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Turns()
