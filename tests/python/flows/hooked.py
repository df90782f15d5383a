"""A flow with functions that are called when it has ended."""

import os

from metaflow import FlowSpec, exit_hook, step


def went_well(run):
    print("went well:", run.successful, run.data.x)


def without_run():
    print("without a run")


def broken():
    return 1 / 0


def went_wrong(run):
    print("went wrong:", run.successful)


@exit_hook(on_success=[went_well, broken, "without_run"], on_error=[went_wrong])
class Hooked(FlowSpec):
    @step
    def start(self):
        self.x = 7
        if "WAY" in os.environ:
            raise ValueError("as asked")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Hooked()
