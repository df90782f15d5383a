"""The twin of tests/flows/crash.cpp."""

from metaflow import FlowSpec, IncludeFile, current, retry, step


class Crash(FlowSpec):
    words = IncludeFile("words", default="words.txt")

    @step
    def start(self):
        self.items = self.words.splitlines()
        self.next(self.part, foreach="items")

    @retry(times=2)
    @step
    def part(self):
        if self.index == 1 and current.retry_count == 0:
            raise ValueError("the first attempt fails")
        self.upper = self.input + "!"
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.text = "".join(i.upper for i in inputs)
        self.next(self.measure)

    @step
    def measure(self):
        self.size = "large" if len(self.text) > 5 else "small"
        self.next({"large": self.large, "small": self.small}, condition="size")

    @step
    def large(self):
        self.result = "large " + self.text
        self.next(self.end)

    @step
    def small(self):
        self.result = "small " + self.text
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Crash()
