from metaflow import FlowSpec, step


class Lone(FlowSpec):
    @step
    def only(self):
        self.x = 1


if __name__ == "__main__":
    Lone()
