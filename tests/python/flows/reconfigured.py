"""A config that changes between a run and its resumption."""

import os
from pathlib import Path

from metaflow import Config, FlowSpec, config_expr, environment, step


class Reconfigured(FlowSpec):
    settings = Config("settings", default="settings.json")

    @step
    def start(self):
        self.next(self.end)

    @environment(vars={"FROM_CONFIG": config_expr("settings.text")})
    @step
    def end(self):
        print("has", os.environ["FROM_CONFIG"], self.settings.text)
        if Path("fail").exists():
            raise ValueError("it is to fail")


if __name__ == "__main__":
    Reconfigured()
