"""What the official client says about a run, without what differs from run to run. Run under the official package:
`python story.py FLOW_FILE FLOW_NAME RUN_ID`."""

import importlib.util
import json
import sys

from metaflow import Run, metadata, namespace


def load_classes(flow_file):
    """Pickled objects of classes of the flow's file look for them in __main__."""
    specification = importlib.util.spec_from_file_location("the_flow", flow_file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for name, value in vars(module).items():
        if isinstance(value, type):
            setattr(sys.modules["__main__"], name, value)


def place(task):
    """A task without its number: its step, and where it stands in the foreaches and rounds around it."""
    indices = [tuple(frame)[3] for frame in task["_foreach_stack"].data]
    return f"{task.parent.id}{indices}{task['_iteration_stack'].data}"


def tell_exception(exception):
    """Metaflow's own have words of their own in each implementation."""
    return [exception.type, None if exception.type.startswith("metaflow.") else exception.exception]


def shown(artifact):
    value = artifact.data
    if type(value).__name__ == "MetaflowExceptionWrapper":
        return tell_exception(value)
    return repr(sorted(value, key=repr)) if isinstance(value, (set, frozenset)) else repr(value)


def tell_task(task):
    types = task.artifacts
    names = sorted(artifact.id for artifact in task)
    private = [name for name in ("_private", "_Base__mangled", "_success", "_task_ok") if name in task]
    return {
        "place": place(task),
        "artifacts": {name: shown(task[name]) for name in names + private},
        "count": len(list(types)),
        "successful": task.successful,
        "finished": task.finished,
        "exception": task.exception and tell_exception(task.exception),
        "index": task.index,
        "stdout": task.stdout,
        "transition": repr(task["_transition"].data),
        "foreach_var": repr(task["_foreach_var"].data),
        "foreach_num_splits": repr(task["_foreach_num_splits"].data),
        "iteration_stack": repr(task["_iteration_stack"].data),
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
