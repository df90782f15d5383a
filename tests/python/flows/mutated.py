"""A flow that its mutators change before it starts."""

import os

from metaflow import Config, FlowMutator, FlowSpec, Parameter, StepMutator, environment, step


class Variables(StepMutator):
    def init(self, *args, **kwargs):
        self.variables = kwargs

    def pre_mutate(self, mutable_step):
        mutable_step.add_decorator(environment, deco_kwargs={"vars": self.variables})

    def mutate(self, mutable_step):
        mutable_step.add_decorator("retry:times=2", duplicates=mutable_step.OVERRIDE)


class Arranging(FlowMutator):
    def init(self, *args, **kwargs):
        self.names = args

    def pre_mutate(self, mutable_flow):
        for name in self.names:
            mutable_flow.add_parameter(name, Parameter(name, default=mutable_flow.settings.number))
        mutable_flow.remove_parameter("unwanted")
        mutable_flow.add_parameter("replaced", Parameter("replaced", default="new"), overwrite=True)
        mutable_flow.end.add_decorator(Variables, deco_kwargs={"VIA_FLOW": "1"})

    def mutate(self, mutable_flow):
        for _, each in mutable_flow.steps:
            each.remove_decorator("timeout")


@Arranging("added")
class Mutated(FlowSpec):
    settings = Config("settings", default_value={"number": 5, "text": "t"})
    unwanted = Parameter("unwanted", default=1)
    replaced = Parameter("replaced", default="old")

    @Variables(OF_STEP=settings.text)
    @step
    def start(self):
        self.seen = [self.added, self.replaced, hasattr(self, "unwanted"), os.environ["OF_STEP"]]
        self.next(self.end)

    @step
    def end(self):
        self.seen = [os.environ["VIA_FLOW"]]


if __name__ == "__main__":
    Mutated()
