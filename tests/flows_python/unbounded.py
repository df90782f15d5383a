"""A foreach whose width only its control task knows; official Metaflow has a class for it in its own tests."""

from metaflow import FlowSpec, step, unbounded_test_foreach_internal
from metaflow.plugins.test_unbounded_foreach_decorator import InternalTestUnboundedForeachInput


class Unbounded(FlowSpec):
    @step
    def start(self):
        self.items = InternalTestUnboundedForeachInput(["a", "b"])
        self.next(self.body, foreach="items")

    @unbounded_test_foreach_internal
    @step
    def body(self):
        self.item = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [i.item for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Unbounded()
