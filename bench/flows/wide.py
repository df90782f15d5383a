from metaflow import FlowSpec, Parameter, step


class Wide(FlowSpec):
    width = Parameter("width", default=10)

    @step
    def start(self):
        self.numbers = list(range(self.width))
        self.next(self.body, foreach="numbers")

    @step
    def body(self):
        self.number = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(branch.number for branch in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)


if __name__ == "__main__":
    Wide()
