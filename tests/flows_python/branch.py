from metaflow import FlowSpec, step


class Branch(FlowSpec):
    constant = [1, 2]

    @step
    def start(self):
        self.same = "inherited"
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = "left"
        self.next(self.join)

    @step
    def right(self):
        self.side = "right"
        self.next(self.join)

    @step
    def join(self, inputs):
        self.sides = [inputs.left.side, inputs.right.side]
        self.merge_artifacts(inputs, exclude=["side"])
        self.next(self.end)

    @step
    def end(self):
        print("ended with", self.sides)


if __name__ == "__main__":
    Branch()
