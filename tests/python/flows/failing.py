"""Steps that fail in the ways that decorators handle."""

import os
import subprocess
import sys
import time

from metaflow import FlowSpec, catch, current, environment, retry, step, timeout


class Failing(FlowSpec):
    @environment(vars={"GIVEN": "by decorator", "NUMBER": 3})
    @step
    def start(self):
        self.given = os.environ["GIVEN"], os.environ["NUMBER"]
        shown = subprocess.run(["sh", "-c", "echo $GIVEN"], stdout=subprocess.PIPE, check=True)
        self.shown = shown.stdout.decode()
        self.next(self.slow)

    @catch(var="late")
    @retry(times=1, minutes_between_retries=0)
    @timeout(seconds=1)
    @step
    def slow(self):
        self.before = current.retry_count
        if current.retry_count == 0:
            raise ValueError("first")
        time.sleep(60)  # until the time limit of the step interrupts it
        self.next(self.dies)

    @catch(var="dead", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def dies(self):
        self.late_type = self.late.type
        os._exit(7)
        self.next(self.fine)

    @catch(var="nothing")
    @step
    def fine(self):
        self.dead_type = self.dead.type
        self.next(self.flaky)

    @retry(times=2, minutes_between_retries=0)
    @step
    def flaky(self):
        print("attempt", current.retry_count, file=sys.stderr)
        if current.retry_count == 0:
            sys.exit(3)
        if current.retry_count == 1:
            raise KeyError("again")
        self.tries = current.retry_count
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Failing()
