"""An engine that holds one task in memory: what a step starts from is given, what it leaves is looked at."""

import hashlib
import json
import pickle
from dataclasses import dataclass, field

from metaflow import _engine
from metaflow._graph import node_of, steps_of
from metaflow._program import constants_of
from metaflow._task import Attempt
from metaflow.parameters import parameters_of


@dataclass
class Left:
    """What a finished task left, for the next one."""

    artifacts: dict = field(default_factory=dict)
    step: str = "start"
    frames: list = field(default_factory=list)

    def described(self) -> dict:
        pickles = {name: pickle.dumps(value, 4) for name, value in self.artifacts.items()}
        return {
            "pathspec": f"1/{self.step}/1",
            "step_name": self.step,
            "foreach_stack": self.frames,
            "artifacts": {
                name: {"key": hashlib.sha1(data).hexdigest(), "type": "", "size": len(data), "encoding": "pickle-v4"}
                for name, data in pickles.items()
            },
        }


class _Buffer:
    def __init__(self, data: bytes):
        self._data = data

    def view(self):
        return memoryview(self._data)

    def text(self):
        return self._data.decode()


class FakeTask:
    """Stands in for the engine while one step runs; afterwards holds what came of it."""

    def __init__(self, inherited: Left, inputs: list, current: dict, is_full: bool = False):
        self.sources = {_engine.INHERITED: inherited, **dict(enumerate(inputs))}
        self.count = len(inputs)
        self.current = current
        self.stored, self.types, self.passed, self.loads = {}, {}, {}, []
        self.is_full = is_full
        self.failure = self.chosen = self.foreach_values = self.num_parallel = None

    def ask_json(self, function, *arguments):
        if function == "metaflow_task_current":
            return self.current
        return self.sources[arguments[1]].described()

    def ask(self, function, _, source, name):
        assert function == "metaflow_task_load"
        self.loads.append(name.decode())
        return _Buffer(pickle.dumps(self.sources[source].artifacts[name.decode()], 4))

    def ask_if_any(self, function, _, source, name, index):
        assert function == "metaflow_task_load_item"
        items = self.sources[source].artifacts[name.decode()]
        return _Buffer(pickle.dumps(items[index], 4)) if isinstance(items, list) else None

    def perform(self, function, _, *arguments):
        if function == "metaflow_task_pass":
            name, source, source_name = arguments
            self.passed[name.decode()] = self.sources[source].artifacts[source_name.decode()]
        else:
            assert function == "metaflow_task_foreach"
            self.foreach_values = json.loads(arguments[0])

    def store_artifacts(self, _, artifacts):
        if self.is_full:
            raise _engine.EngineError(_engine.EXHAUSTED, "no space left")
        for artifact in artifacts:
            self.stored[artifact.name] = b"".join(bytes(piece) for piece in artifact.pieces)
            self.types[artifact.name] = artifact.type

    def values(self) -> dict:
        return {name: pickle.loads(data) for name, data in self.stored.items()}

    # The part of the library that is called directly

    def metaflow_task_input_count(self, _):
        return self.count

    def metaflow_task_choose(self, _, step):
        self.chosen = step.decode()

    def metaflow_task_parallel(self, _, number):
        self.num_parallel = number

    def metaflow_task_fail(self, _, *texts):
        self.failure = [text and text.decode() for text in texts]


def run_step(
    monkeypatch, flow_class, step, inherited=None, inputs=(), frames=(), timeout=None, is_full=False
) -> FakeTask:
    """Runs one step of a flow class. The class is changed by that: use a fresh one for each test."""
    current = {
        "flow_name": flow_class.__name__,
        "run_id": "1",
        "step_name": step,
        "task_id": "2",
        "retry_count": 0,
        "origin_run_id": None,
        "user_name": "demo",
        "namespace": "user:demo",
        "tags": ["t"],
        "foreach_stack": list(frames),
        "parallel": None,
    }
    task = FakeTask(Left(dict(inherited or {})), list(inputs), current, is_full)
    for name in ("ask_json", "ask", "ask_if_any", "perform", "store_artifacts"):
        monkeypatch.setattr(_engine, name, getattr(task, name))
    monkeypatch.setattr(_engine, "library", lambda: task)
    node = node_of(step, steps_of(flow_class)[step])
    read_only = {**parameters_of(flow_class), **constants_of(flow_class)}
    Attempt(flow_class(use_cli=False), node, 1, read_only=read_only, decorators=(), timeout=timeout).run()
    return task
