"""A static split whose branches agree and disagree, and a join that merges them."""

from metaflow import FlowSpec, Parameter, step
from metaflow.exception import (
    MetaflowException,
    MissingInMergeArtifactsException,
    UnhandledInMergeArtifactsException,
)


class Merging(FlowSpec):
    number = Parameter("number", default=5)
    constant = [1, 2]

    @step
    def start(self):
        self.inherited = "from start"
        try:
            self.merge_artifacts([])
        except MetaflowException as error:
            self.outside_of_a_join = type(error).__name__
        self.next(self.a, self.b)

    @step
    def a(self):
        self.differs = "a"
        self.equal = [1, {"x": "y"}]
        self.only_a = 1
        self._private = 3
        self.next(self.meet)

    @step
    def b(self):
        self.differs = "b"
        self.equal = [1, {"x": "y"}]
        self._private = 3
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.before = hasattr(self, "inherited"), self.number, self.constant
        self.by_name = inputs.a.differs + inputs.b.differs
        self.looped = sorted(branch.differs for branch in inputs) + sorted(branch.differs for branch in inputs)
        self.first = inputs[0].number
        self.missing = hasattr(inputs, "c"), hasattr(inputs.b, "only_a")
        self.errors = []
        for options in (
            {},
            {"include": ["differs"]},
            {"include": ["nowhere"]},
            {"include": ["inherited"], "exclude": ["differs"]},
        ):
            try:
                self.merge_artifacts(inputs, **options)
            except (UnhandledInMergeArtifactsException, MissingInMergeArtifactsException) as error:
                self.errors.append((type(error).__name__, sorted(set(error.artifact_names))))
            except MetaflowException as error:
                self.errors.append((type(error).__name__, None))
        self.untouched = hasattr(self, "inherited")
        self.differs = inputs.a.differs
        self.merge_artifacts(inputs, exclude=["outside_of_a_join"])
        self.after = self.inherited, self.equal, self.only_a, self.differs, self._private
        self.next(self.end)

    @step
    def end(self):
        self.seen = self.inherited, self.equal, self.only_a, self.differs, hasattr(self, "outside_of_a_join")


if __name__ == "__main__":
    Merging()
