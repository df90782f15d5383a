"""Steps that use all that a process of one's own may use."""

import asyncio
import atexit
import logging
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from metaflow import FlowSpec, parallel_imap_unordered, parallel_map, profile, step

logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
atexit.register(lambda: print("at exit", os.environ.get("METAFLOW_RUN_ID", "none") != "none"))


def double(x):
    return 2 * x


def put(queue, x):
    queue.put(x)


async def wait():
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()


class Crowded(FlowSpec):
    @step
    def start(self):
        with ThreadPoolExecutor(4) as pool:
            self.threads = list(pool.map(double, range(5)))
        with ProcessPoolExecutor(2) as pool:
            self.processes = list(pool.map(double, range(5)))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            self.spawned = pool.map(double, range(3))
        queue = multiprocessing.Queue()
        child = multiprocessing.Process(target=put, args=(queue, 7))
        child.start()
        self.queued = queue.get()
        child.join()
        self.coroutine = asyncio.run(wait())
        self.mapped = parallel_map(double, range(10))
        self.unordered = sorted(parallel_imap_unordered(double, [1, 2, 3], max_parallel=2))
        self.shown = subprocess.run(["sh", "-c", "echo out; echo err >&2"], check=True).returncode
        self.handlers = [
            signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
            signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN,
        ]
        self.kept_alive = threading.current_thread() is threading.main_thread()
        times = {}
        with profile("part", stats_dict=times):
            pass
        self.profiled = list(times)
        logging.info("logged")
        threading.Timer(0.2, lambda: print("thread ended")).start()
        print("no newline", end="")
        self.many = range(4)
        self.next(self.draw, foreach="many")

    @step
    def draw(self):
        self.number = random.random()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all_differ = len({branch.number for branch in inputs}) == 4
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Crowded()
