"""What the official client says about a run, without what differs from run to run. Run under the official package:
`python story.py FLOW_FILE FLOW_NAME RUN_ID...`."""

import gzip
import importlib.util
import json
import pickle
import re
import sys
from pathlib import Path

from metaflow import Run, Task, metadata, namespace

#: What is recorded of a task beside its artifacts, as far as the client itself rests on it.
METADATA = (
    *("attempt", "attempt-done", "ds-type", "foreach-stack", "foreach-execution-path"),
    *("internal_task_type", "parallel-world-size"),
)


#: Lines of logs that one of the packages adds.
NOISE = re.compile(
    r"(> *)?(Internal error|The process of this task |Stack when |[\s~^]*$)|> *>|\S* ?\S* ?Step \w+ timed out "
)


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


def is_exception(value):
    return type(value).__name__ == "MetaflowExceptionWrapper"


def shown(value):
    if is_exception(value):
        return tell_exception(value)
    return repr(sorted(value, key=repr)) if isinstance(value, (set, frozenset)) else repr(value)


def origin(task):
    """Of a clone, the place of the task it was cloned from."""
    pathspec = task.origin_pathspec
    return None if pathspec in (None, f"{task.path_components[0]}/None") else place(Task(pathspec))


def users_part(log):
    """A log without what names the packages, or is worded by them: of tracebacks the frames of the flow's file, of reports the fact."""
    lines = []
    is_own = True
    for line in log.splitlines():
        text = line.lstrip("> ")
        if text.startswith('File "'):
            is_own = sys.argv[1] in text
        elif not text.startswith(("^", "~")) and not re.match(r">?    ", line):
            is_own = True
        if is_own and not NOISE.match(line):
            line = re.sub("^@catch .*(?=<flow )", "@catch ", line)
            lines.append(re.sub(r"(metaflow\.[\w.]+): .*", r"\1", line).rstrip(":"))
    return lines


def key_and_size(artifact):
    """Equal for equal bytes. Tracebacks name the packages."""
    return None if is_exception(artifact.data) else [artifact.sha, artifact.size]


def tell_logs(task):
    attempts = [Task(task.pathspec, attempt=number) for number in range(task.current_attempt + 1)]
    return [{"stdout": users_part(attempt.stdout), "stderr": users_part(attempt.stderr)} for attempt in attempts]


def tell_task(task):
    private = [name for name in ("_private", "_Base__mangled", "_success", "_task_ok") if name in keys(task)]
    return {
        "place": place(task),
        "id": task.id,
        "origin": origin(task),
        "artifacts": {artifact.id: shown(artifact.data) for artifact in task},
        "types": {artifact.id: type(artifact.data).__qualname__ for artifact in task},
        "keys": {artifact.id: key_and_size(artifact) for artifact in task},
        "logs": tell_logs(task),
        "metadata": {name: value for name, value in task.metadata_dict.items() if name in METADATA},
        "tags": sorted(task.user_tags),
        "times": [
            task.parent.parent.created_at <= task.created_at,
            task.finished_at and task.created_at <= task.finished_at,
        ],
        "others": repr([task.runtime_name, task.code, task.environment_info]),
        "private": {name: repr(internal(task, name)) for name in private},
        "successful": task.successful,
        "finished": task.finished,
        "exception": task.exception and tell_exception(task.exception),
        "index": task.index,
        "transition": repr(transition(task)),
        **{name: repr(internal(task, name)) for name in ("_foreach_var", "_foreach_num_splits")},
        "attempt": task.current_attempt,
        "parents": sorted(place(parent) for parent in task.parent_tasks),
        "children": sorted(place(child) for child in task.child_tasks),
    }


def names(ask):
    """Of what is asked for, or the name of the exception: official knows no way past the steps that a switch has left out."""
    try:
        return sorted(each.id for each in ask())
    except Exception as error:
        return type(error).__name__


def tell_step(step):
    return {
        "finished": step.finished_at is not None,
        "control_tasks": sorted(place(task) for task in step.control_tasks()),
        "parents": names(lambda: step.parent_steps),
        "children": names(lambda: step.child_steps),
        "environment_info": step.environment_info,
    }


def tell_run(run):
    steps = {step.id: sorted((tell_task(task) for task in step), key=lambda task: task["place"]) for step in run}
    parameters = run["_parameters"].task
    graph = parameters["_graph_info"].data
    return {
        "steps": steps,
        "around": {step.id: tell_step(step) for step in run},
        "end": run.end_task and place(run.end_task),
        "data": run.data and sorted(run.data._artifacts),
        "ended": run.finished_at is not None,
        "others": repr([run.code, run.trigger]),
        "parameters": {artifact.id: shown(artifact.data) for artifact in parameters},
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
    flow_file, flow_name, *run_ids = sys.argv[1:]
    namespace(None)
    metadata("local@.")
    load_classes(flow_file)
    print("STORIES " + json.dumps([tell_run(Run(f"{flow_name}/{run_id}")) for run_id in run_ids]))
