"""A step that ends as the environment says."""

import os
import sys
import threading
import time

from metaflow import FlowSpec, retry, step


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Held:
    def __init__(self):
        self.lock = threading.Lock()


class WaysOut(FlowSpec):
    limit = 5
    items = [1, 2, 3]

    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        way = os.environ.get("WAY", "")
        self.before = "kept"
        if way == "leave before next":
            sys.exit(0)
        if way == "refuse retries":
            sys.exit(202)
        if way == "leave with a message":
            sys.exit("no way on")
        if way == "sleep":
            print("sleeping")
            time.sleep(600)  # until the test interrupts it
        if way == "raise without words":
            raise Speechless
        if way == "raise a zero":
            raise ValueError("before\0after \ud800")
        if way == "raise":
            raise ValueError("as asked")
        if way == "lock":
            self.table = {"a": [1, Held()]}
        if way == "self":
            self.table = [self]
        if way == "constant":
            self.limit = 3
        if way == "no items":
            self.empty = []
            self.next(self.other, foreach="empty")
        if way == "twice":
            self.next(self.end)
        if way == "elsewhere":
            return self.next(self.end)
        if way == "forget":
            return None
        if way == "no step":
            self.next(self.helper)
        if way == "thread":
            threading.Timer(0.3, lambda: print("thread ended")).start()
        if way == "fork" and os.fork() == 0:
            print("child came back")
        if way == "key":
            self.next({"a": self.other}, condition="limit")
        self.next(self.other)

    def helper(self):
        pass

    @step
    def other(self):
        self.next(self.end)

    @step
    def end(self):
        print("reached the end")


if __name__ == "__main__":
    WaysOut()
