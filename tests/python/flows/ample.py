"""A wide foreach, some tasks of which misbehave once; before and after it the scheduler is looked at."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from metaflow import FlowSpec, Parameter, current, retry, step

LEFT_OPEN = []


def leak():
    LEFT_OPEN.extend(Path(__file__).open() for _ in range(200))
    LEFT_OPEN.append(bytearray(50_000_000))
    sys.exit(3)


def leave_others_behind():
    LEFT_OPEN.append(subprocess.Popen(["sleep", "600"], start_new_session=True))
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    os._exit(4)


def crash():
    ctypes.string_at(0)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def crash_while_storing():
    current.tempdir  # noqa: B018  # makes the folder of this attempt
    os.abort()


MISBEHAVE = [leak, leave_others_behind, crash, kill, crash_while_storing]


def status_of(process):
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return dict(line.partition(":\t")[::2] for line in lines)


def scheduler():
    """The ancestor that was started as this script is: the oldest one."""
    command, process = Path("/proc/self/cmdline").read_bytes(), os.getpid()
    while Path(f"/proc/{parent_of(process)}/cmdline").read_bytes() == command:
        process = parent_of(process)
    return process


def parent_of(process):
    return int(status_of(process)["PPid"])


def look():
    """Memory of the scheduler in kB, its descriptors, dead processes below it that nobody has waited for, and temporary files."""
    process = scheduler()
    dead = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = status_of(folder.name)
            except OSError:  # it has ended meanwhile
                continue
            dead += status["State"].startswith("Z") and status["Name"].startswith("python")
    return {
        "memory": int(status_of(process)["VmRSS"].split()[0]),
        "descriptors": len(os.listdir(f"/proc/{process}/fd")),
        "dead": dead,
        "files": sorted(os.listdir(tempfile.gettempdir())),
    }


class Ample(FlowSpec):
    count = Parameter("count", default=2000)

    @step
    def start(self):
        self.before = look()
        self.numbers = list(range(self.count))
        self.next(self.body, foreach="numbers")

    @retry(times=1)
    @step
    def body(self):
        if self.index < 2 * len(MISBEHAVE) and current.retry_count == 0:
            MISBEHAVE[self.index % len(MISBEHAVE)]()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.merge_artifacts(inputs, include=["before"])
        self.next(self.end)

    @step
    def end(self):
        self.after = look()


if __name__ == "__main__":
    Ample()
