"""The twin of tests/flows/options.cpp."""

import os

from metaflow import FlowSpec, Parameter, current, get_namespace, step


class Options(FlowSpec):
    word = Parameter("word", default="none")

    @step
    def start(self):
        if current.retry_count == 0 and "FLAKY" in os.environ:
            raise ValueError("not yet")
        tags = "".join(f"{tag}," for tag in sorted(current.tags))
        print(f"word={self.word} namespace={get_namespace()} tags={tags}")
        self.items = [0, 1]
        self.next(self.body, foreach="items")

    @step
    def body(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Options()
