"""Values from outside, in decorators, defaults of parameters, and steps."""

import os

from metaflow import Config, FlowSpec, Parameter, config_expr, environment, retry, step

SUFFIX = "!"


def from_configs(context):
    return context.configs.section.number * 2


class Configured(FlowSpec):
    section = Config(
        "section",
        default_value={
            "number": 7,
            "names": ["a", "b"],
            "retry": {"times": 1},
            "deep": {"er": "x"},
            "parameter": {"default": 4, "help": "h"},
        },
    )
    plain_text = Config("plain_text", default_value="hello", plain=True)
    packages = Config("packages", default_value="numpy==1.2", parser="metaflow.requirements_txt_parser")
    absent = Config("absent")

    p = Parameter("p", default=section.number)
    q = Parameter("q", default=config_expr("plain_text.upper() + SUFFIX"))
    r = Parameter("r", type=int, default=from_configs)
    s = Parameter("s", **section.parameter)

    @environment(vars={"FROM_CONFIG": section.deep.er, "BY_EXPRESSION": config_expr("section.names[1] + SUFFIX")})
    @retry(**section.retry)
    @step
    def start(self):
        self.seen = [os.environ["FROM_CONFIG"], os.environ["BY_EXPRESSION"]]
        self.kind = type(self.section).__name__
        self.number = self.section.deep.er + self.section["names"][0]
        self.errors = []
        for action in (self.set_item, self.set_config, lambda: self.section.nope):
            try:
                action()
            except Exception as error:
                self.errors.append(type(error).__name__)
        self.next(self.end)

    def set_item(self):
        self.section["number"] = 8

    def set_config(self):
        self.section = 1

    @step
    def end(self):
        self.copy = self.section.to_dict()
        print(self.section, self.plain_text, self.packages.packages.numpy, self.absent)


if __name__ == "__main__":
    Configured()
