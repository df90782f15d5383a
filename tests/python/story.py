"""What the official client says about a run, without what differs from run to run. Run under the official package:
`python story.py FLOW_FILE FLOW_NAME RUN_ID`."""

import gzip
import importlib.util
import json
import pickle
import sys
from pathlib import Path

from metaflow import Run, metadata, namespace


def load_classes(flow_file):
    """Pickled objects of classes of the flow's file look for them in __main__."""
    specification = importlib.util.spec_from_file_location("the_flow", flow_file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for name, value in vars(module).items():
        if isinstance(value, type):
            setattr(sys.modules["__main__"], name, value)


def keys(task):
    """All artifacts that the task left, with their keys."""
    flow, run, step, number = task.path_components
    table = Path(".metaflow") / flow / run / step / number / f"{task.current_attempt}.data.json"
    return json.loads(table.read_text())["objects"]


def internal(task, name):
    """An artifact that the client need not know of, from the datastore."""
    flow, key = task.path_components[0], keys(task)[name]
    blob = (Path(".metaflow") / flow / "data" / key[:2] / key).read_bytes()
    return pickle.loads(gzip.decompress(blob))


def transition(task):
    """Where it went on to; a caught last step has an empty list officially."""
    found = internal(task, "_transition")
    return found if found and found[0] else None


def place(task):
    """A task without its number: its step, and where it stands in the foreaches and rounds around it."""
    indices = [tuple(frame)[3] for frame in internal(task, "_foreach_stack")]
    return f"{task.parent.id}{indices}{internal(task, '_iteration_stack')}"


def tell_exception(exception):
    """Metaflow's own have words of their own in each implementation."""
    return [exception.type, None if exception.type.startswith("metaflow.") else exception.exception]


def shown(artifact):
    value = artifact.data
    if type(value).__name__ == "MetaflowExceptionWrapper":
        return tell_exception(value)
    return repr(sorted(value, key=repr)) if isinstance(value, (set, frozenset)) else repr(value)


def tell_task(task):
    private = [name for name in ("_private", "_Base__mangled", "_success", "_task_ok") if name in keys(task)]
    return {
        "place": place(task),
        "artifacts": {artifact.id: shown(artifact) for artifact in task},
        "private": {name: repr(internal(task, name)) for name in private},
        "successful": task.successful,
        "finished": task.finished,
        "exception": task.exception and tell_exception(task.exception),
        "index": task.index,
        "stdout": task.stdout,
        "transition": repr(transition(task)),
        **{name: repr(internal(task, name)) for name in ("_foreach_var", "_foreach_num_splits")},
        "attempt": task.current_attempt,
        "parents": sorted(place(parent) for parent in task.parent_tasks),
        "children": sorted(place(child) for child in task.child_tasks),
    }


def tell_run(run):
    steps = {step.id: sorted((tell_task(task) for task in step), key=lambda task: task["place"]) for step in run}
    parameters = run["_parameters"].task
    graph = parameters["_graph_info"].data
    return {
        "steps": steps,
        "parameters": {artifact.id: shown(artifact) for artifact in parameters},
        "user_tags": sorted(run.user_tags),
        "system_tags": sorted(tag for tag in run.system_tags if not tag.startswith(("metaflow_version:", "date:"))),
        "successful": run.successful,
        "finished": run.finished,
        "graph": {
            name: {
                key: step.get(key) for key in ("name", "type", "line", "doc", "next", "condition", "foreach_artifact")
            }
            for name, step in graph["steps"].items()
        },
        "graph_structure": graph["graph_structure"],
    }


if __name__ == "__main__":
    flow_file, flow_name, run_id = sys.argv[1:]
    namespace(None)
    metadata("local@.")
    load_classes(flow_file)
    print("STORY " + json.dumps(tell_run(Run(f"{flow_name}/{run_id}"))))
