"""Functions applied to many items at once, each in a forked process: it sees all that this process has in memory."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Callable, Dict, Iterable, Iterator, List, NoReturn, Optional, Tuple, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class MulticoreException(Exception):
    """A function failed in a process of its own; its traceback went to stderr."""


def parallel_map(
    func: Callable[[Item], Answer],
    iterable: Iterable[Item],
    max_parallel: Optional[int] = None,
    dir: Optional[str] = None,
) -> List[Answer]:
    """`[func(x) for x in iterable]`, with up to `max_parallel` items at a time, by default as many as there are processors.

    MulticoreException when one of them fails. `dir` is accepted for compatibility: answers come back through pipes.
    """
    answers = dict(_answers(func, iterable, max_parallel))
    return [answers[i] for i in range(len(answers))]


def parallel_imap_unordered(
    func: Callable[[Item], Answer],
    iterable: Iterable[Item],
    max_parallel: Optional[int] = None,
    dir: Optional[str] = None,
) -> Iterator[Answer]:
    """As parallel_map, but each answer comes as soon as it is there."""
    return (answer for _, answer in _answers(func, iterable, max_parallel))


class _Worker:
    def __init__(self, number: int, process: int, pipe: int) -> None:
        self.number = number
        self.process = process
        self.pipe = pipe
        self.received: List[bytes] = []

    def end(self) -> bytes:
        """What it wrote, once it has ended. MulticoreException when it failed."""
        os.close(self.pipe)
        _, status = os.waitpid(self.process, 0)
        if status != 0:
            raise MulticoreException(
                f"Item number {self.number} of parallel_map failed: its process ended with status {status}."
            )
        return b"".join(self.received)

    def kill(self) -> None:
        os.close(self.pipe)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def _answers(
    func: Callable[[Item], Answer], iterable: Iterable[Item], max_parallel: Optional[int]
) -> Iterator[Tuple[int, Answer]]:
    """Numbers of items with answers, in the order in which they are there."""
    limit = max_parallel or len(os.sched_getaffinity(0))
    waiting = enumerate(iterable)
    workers: Dict[int, _Worker] = {}
    with DefaultSelector() as selector:
        try:
            while True:
                while len(workers) < limit and (task := _next(waiting)) is not None:
                    worker = _start(func, *task)
                    workers[worker.pipe] = worker
                    selector.register(worker.pipe, EVENT_READ)
                if not workers:
                    return
                for key, _ in selector.select():
                    worker = workers[key.fd]
                    part = os.read(worker.pipe, 1 << 20)
                    if part:
                        worker.received.append(part)
                        continue
                    selector.unregister(worker.pipe)
                    del workers[key.fd]
                    yield worker.number, pickle.loads(worker.end())
        finally:
            for worker in workers.values():
                worker.kill()


def _next(waiting: Iterator[Tuple[int, Item]]) -> Optional[Tuple[int, Item]]:
    return next(waiting, None)


def _start(func: Callable[[Item], Any], number: int, item: Item) -> _Worker:
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _work(func, item, writing)
    os.close(writing)
    return _Worker(number, process, reading)


def _work(func: Callable[[Item], Any], item: Item, pipe: int) -> NoReturn:
    code = 1
    try:
        with open(pipe, "wb") as answer:  # a descriptor is no path
            pickle.dump(func(item), answer, protocol=5)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
