"""A step that looks at its own run, and keeps it."""

from metaflow import FlowSpec, current, get_namespace, step


class LooksBack(FlowSpec):
    @step
    def start(self):
        self.run = current.run
        self.tags = sorted(current.run.user_tags)
        self.own = [current.task.id, current.task.finished, current.task.parent.id, get_namespace()]
        self.next(self.end)

    @step
    def end(self):
        self.earlier = self.run["start"].task.data.own


if __name__ == "__main__":
    LooksBack()
