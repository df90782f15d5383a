from metaflow import FlowSpec, step


class Loops(FlowSpec):
    @step
    def start(self):
        self.outer = ["a", "b", "c"]
        self.next(self.body, foreach="outer")

    @step
    def body(self):
        self.letter = self.input
        self.inner = [1, 2]
        self.next(self.leaf, foreach="inner")

    @step
    def leaf(self):
        self.name_of_leaf = f"{self.letter}{self.input}"
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.leaves = [i.name_of_leaf for i in inputs]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [name for i in inputs for name in i.leaves]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Loops()
