"""A split in which one branch switches, and a last step whose failure is caught."""

from metaflow import FlowSpec, Parameter, catch, step


class CaughtEnd(FlowSpec):
    kind = Parameter("kind", default="one")

    @step
    def start(self):
        self.next(self.a, self.b)

    @step
    def a(self):
        self.next({"one": self.a1, "two": self.a2}, condition="kind")

    @step
    def a1(self):
        self.way = 1
        self.next(self.a_end)

    @step
    def a2(self):
        self.way = 2
        self.next(self.a_end)

    @step
    def a_end(self):
        self.next(self.join)

    @step
    def b(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.count = len(list(inputs))
        self.names = hasattr(inputs, "a_end"), hasattr(inputs, "b"), hasattr(inputs, "a2")
        self.way = inputs.a_end.way
        self.next(self.end)

    @catch(var="failure")
    @step
    def end(self):
        raise ValueError("at last")


if __name__ == "__main__":
    CaughtEnd()
