"""Something of all that the client shows: foreach, retries, output, a failure, tags."""

import sys

from metaflow import FlowSpec, Parameter, catch, current, retry, step


class LookedAt(FlowSpec):
    fails = Parameter("fails", default=False)
    constant = [1, "two"]

    @step
    def start(self):
        print("one line")
        print("an ä, and a line\nmore", file=sys.stderr)
        self.items = ["a", "b"]
        self.nothing = None
        self.mapping = {"k": (1, 2.5), b"bytes": {1}}
        self.next(self.body, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @step
    def body(self):
        self.item = self.input
        self.attempt = current.retry_count
        print("attempt", self.attempt)
        if self.item == "a" and current.retry_count == 0:
            raise ValueError("first attempt")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all_items = [each.item for each in inputs]
        self.next(self.caught)

    @catch(var="problem", print_exception=False)
    @step
    def caught(self):
        self.before = 1
        if self.before:
            raise KeyError("caught")
        self.next(self.end)

    @step
    def end(self):
        if self.fails:
            raise ValueError("it is to fail")


if __name__ == "__main__":
    LookedAt()
