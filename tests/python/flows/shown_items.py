"""A foreach whose display texts are looked at."""

from metaflow import FlowSpec, step


class ShownItems(FlowSpec):
    @step
    def start(self):
        self.items = ["a text that is longer", [1, 2, 3, 4, 5, 6, 7, 8]]
        self.next(self.body, foreach="items")

    @step
    def body(self):
        self.text = str(self)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.texts = [branch.text for branch in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ShownItems()
