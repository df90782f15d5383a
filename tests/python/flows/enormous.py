"""One artifact that is longer than 32 bits can say, if so asked, changed once on its way."""

from metaflow import FlowSpec, Parameter, step


class Enormous(FlowSpec):
    length = Parameter("length", type=int, default=1_000_000)

    @step
    def start(self):
        self.content = bytearray(self.length)
        self.content[-1] = 1
        self.next(self.change)

    @step
    def change(self):
        self.content[0] = 2
        self.next(self.end)

    @step
    def end(self):
        self.found = [len(self.content), self.content[0], self.content[-1], sum(self.content[:10])]


if __name__ == "__main__":
    Enormous()
