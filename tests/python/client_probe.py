"""All that the client tells about the runs recorded below a folder, as JSON: run under both packages, which are to agree.
`python client_probe.py FOLDER read`, or `change`, which changes tags."""

import json
import pickle
import sys

from metaflow import (
    DataArtifact,
    Flow,
    Metaflow,
    Run,
    Step,
    Task,
    default_metadata,
    default_namespace,
    get_metadata,
    get_namespace,
    metadata,
    namespace,
)


def attempt(action):
    """What it gives, or the name of its exception."""
    try:
        return action()
    except Exception as error:
        return f"! {type(error).__name__}"


def text(action):
    return attempt(lambda: repr(action()))


def shown(value):
    """Values of the packages' own classes by what they say."""
    if type(value).__name__ == "MetaflowExceptionWrapper":
        return [value.type, value.exception, str(value) == value.stacktrace]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return repr(value)


def names(objects):
    return sorted(repr(each) for each in objects)


def in_order(objects):
    """Newest first. Those of one millisecond, which official lists as the disk has them, by name."""
    listed = list(objects)
    times = [each.created_at for each in listed]
    assert times == sorted(times, reverse=True)
    return [repr(each) for each in sorted(sorted(listed, key=repr), key=lambda each: each.created_at, reverse=True)]


def members(thing, *more):
    """What all kinds have, and some that only this one has."""
    found = {
        "repr": repr(thing),
        "str": str(thing),
        "id": thing.id,
        "pathspec": thing.pathspec,
        "path_components": thing.path_components,
        "parent": repr(thing.parent),
        "created_at": repr(thing.created_at),
        "tags": sorted(thing.tags),
        "user_tags": sorted(thing.user_tags),
        "system_tags": sorted(thing.system_tags),
        "is_in_namespace": thing.is_in_namespace(),
        "pickled": repr(pickle.loads(pickle.dumps(thing))),
        "absent": text(lambda: thing["nope"]),
    }
    found.update((name, text(lambda name=name: getattr(thing, name))) for name in more)
    return found


def tell_origin(thing):
    """Official says 'Flow/None' of what was never resumed."""
    origin = thing.origin_pathspec
    return None if origin is None or "/None" in origin else origin


def tell_artifact(artifact):
    is_stored_here = not artifact.id.startswith("_")
    return {
        **members(artifact, "sha"),
        "size": artifact.size if is_stored_here else None,
        "data": attempt(lambda: shown(artifact.data)),
        "finished_at": repr(artifact.finished_at),
    }


def tell_lines(task, stream):
    return [[repr(time), line] for time, line in task.loglines(stream)]


def tell_task(task):
    private = [name for name in ("_success", "_task_ok", "_transition", "_foreach_stack") if name in task]
    found = {
        **members(task, "index", "runtime_name", "current_attempt", "code", "environment_info"),
        "flags": [task.successful, task.finished, repr(task.finished_at)],
        "origin": tell_origin(task),
        "exception": shown(task.exception),
        "artifacts": {artifact.id: tell_artifact(artifact) for artifact in task},
        "private": {name: shown(task[name].data) for name in private},
        "named": {name: repr(value) for name, value in sorted(task.artifacts._asdict().items())},
        "data": {name: shown(getattr(task.data, name)) for name in sorted(task.data._artifacts)},
        "data contains": ["nope" in task.data, text(lambda: task.data.nope)],
        "metadata names": sorted({each.name for each in task.metadata}),
        "metadata_dict": {name: str(value) for name, value in sorted(task.metadata_dict.items())},
        "parents": attempt(lambda: [names(task.parent_tasks), sorted(task.parent_task_pathspecs)]),
        "children": attempt(lambda: [names(task.child_tasks), sorted(task.child_task_pathspecs)]),
    }
    attempts = [Task(task.pathspec, attempt=number) for number in range(task.current_attempt + 1)]
    found["attempts"] = [
        [repr(each), each.successful, each.finished, names(each), each.current_attempt] for each in attempts
    ]
    if found["origin"] is None:  # of clones official shows no output, and not all of the metadata
        found.update(tell_output(task), metadata=sorted(map(repr, task.metadata)))
        found["attempts' output"] = [each.stdout for each in attempts]
    return found


def tell_output(task):
    return {
        "stdout": task.stdout,
        "stderr": task.stderr,
        "sizes": [task.stdout_size, task.stderr_size],
        "lines": [tell_lines(task, stream) for stream in ("stdout", "stderr", "other")],
        "bytes": [repr(line) for _, line in task.loglines("stdout", as_unicode=False)],
    }


def tell_step(step):
    tasks = list(step)
    return {
        **members(step, "finished_at", "control_task", "environment_info"),
        "task": names(task for task in tasks if task.created_at == step.task.created_at),
        "origin": tell_origin(step),
        "listed": names(step.tasks()),
        "without": names(step.tasks("nope")),
        "control": names(step.control_tasks()),
        "parents": attempt(lambda: names(step.parent_steps)),
        "children": attempt(lambda: names(step.child_steps)),
        "contains": ["nope" in step, "nope" in tasks[0]],
        "found": all(task.id in step and repr(step[task.id]) == repr(task) for task in tasks),
        "tasks": {task.id: tell_task(task) for task in tasks},
    }


def tell_run(run):
    parameters = run["_parameters"]
    return {
        **members(run, "successful", "finished", "finished_at", "end_task", "code", "trigger"),
        "origin": attempt(lambda: tell_origin(run)),
        "data": attempt(lambda: run.data and sorted(run.data._artifacts)),
        "steps": in_order(run),
        "with tag": [names(run.steps(*sorted(run.user_tags)[:1])), names(run.steps("nope"))],
        "contains": ["_parameters" in run, "nope" in run],
        "parameters": {artifact.id: shown(artifact.data) for artifact in parameters.task},
        "parameters hidden": repr(parameters) not in [repr(step) for step in run],
        "each": {step.id: tell_step(step) for step in run},
    }


def tell_flow(flow):
    runs = list(flow)
    tags = sorted({tag for run in runs for tag in run.user_tags})
    return {
        **members(flow, "latest_run", "latest_successful_run"),
        "runs": in_order(runs),
        "by tag": {tag: in_order(flow.runs(tag)) for tag in tags},
        "by all tags": in_order(flow.runs(*tags)),
        "by no tag": [repr(run) for run in flow.runs("nope")],
        "each": {run.id: tell_run(run) for run in runs},
    }


def tell_mistakes(run, task, artifact):
    """Exceptions, by the words that raise them."""
    actions = {
        "absent flow": lambda: Flow("Nope"),
        "absent run": lambda: Run(f"{run.parent.id}/99"),
        "absent task": lambda: Task(f"{task.parent.pathspec}/99"),
        "absent artifact": lambda: DataArtifact(f"{task.pathspec}/nope"),
        "flow with too much": lambda: Flow(run.pathspec),
        "run with too little": lambda: Run(run.parent.id),
        "step with too much": lambda: Step(task.pathspec),
        "run with attempt": lambda: Run(run.pathspec, attempt=0),
        "step with attempt": lambda: Step(task.parent.pathspec, attempt=0),
        "attempt too large": lambda: Task(task.pathspec, attempt=6),
        "attempt": lambda: DataArtifact(artifact.pathspec, attempt=0),
        "later attempt": lambda: Task(task.pathspec, attempt=5),
        "later attempt's end": lambda: Task(task.pathspec, attempt=5).successful,
        "step of run": lambda: run["nope"],
        "task of step": lambda: task.parent["99"],
        "below artifact": lambda: artifact["x"],
        "flow of Metaflow": lambda: Metaflow()["Nope"],
        "metadata": lambda: metadata("local@/no/such/folder"),
        "metadata path": lambda: metadata("/no/such/folder"),
        "remove system tag": lambda: run.remove_tag(sorted(run.system_tags)[0]),
        "empty tag": lambda: run.add_tag(""),
        "long tag": lambda: run.add_tag("x" * 501),
        "many tags": lambda: run.add_tags([str(number) for number in range(60)]),
        "number as tag": lambda: run.add_tag(5),
        "no tags": lambda: run.replace_tags([], []),
    }
    return {name: text(action) for name, action in actions.items()}


def tell_tags(run):
    """After each change, seen by this object and by another one."""
    seen = []

    def change(method, *arguments):
        getattr(run, method)(*arguments)
        seen.append([method, sorted(run.user_tags), sorted(Run(run.pathspec).user_tags)])

    before = sorted(run.user_tags)
    change("add_tag", "new")
    change("add_tag", "new")
    change("add_tag", ["listed"])
    change("add_tag", sorted(run.system_tags)[0])
    change("add_tags", ["a", "b"])
    change("remove_tag", "a")
    change("remove_tags", ["b", "absent"])
    change("replace_tag", "new", "newer")
    change("replace_tags", ["newer", "listed"], ["x", "y"])
    change("remove_tags", ["x", "y"])
    seen.append(before == sorted(run.user_tags))
    return seen


def tell_settings(run, flow):
    """Namespaces, and what they hide."""
    seen = {
        "namespaces": [get_namespace(), default_namespace(), namespace("user:nobody"), get_namespace()],
        "hidden": [text(lambda: Run(run.pathspec)), text(lambda: Flow(flow.id)), len(list(Metaflow()))],
        "unchecked": text(lambda: Run(run.pathspec, _namespace_check=False)),
        "not in namespace": run.is_in_namespace(),
        "all": [namespace(None), get_namespace(), len(list(Metaflow())) > 0, text(lambda: Run(run.pathspec))],
        "metadata": [get_metadata(), metadata(get_metadata()), metadata(sys.argv[1]), default_metadata()],
    }
    namespace(None)
    return seen


def main():
    metadata(f"local@{sys.argv[1]}")
    namespace(None)
    run = next(run for flow in sorted(Metaflow(), key=repr) for run in flow if run.finished)
    if sys.argv[2] == "change":
        told = {"tags": tell_tags(run)}
    else:
        task = next(iter(next(iter(run))))
        told = {
            "flows": {flow.id: tell_flow(flow) for flow in Metaflow()},
            "listed": names(Metaflow().flows),
            "mistakes": tell_mistakes(run, task, min(task, key=repr)),
        }
        default_namespace()
        told["settings"] = tell_settings(run, run.parent)
    print("PROBE " + json.dumps(told))


if __name__ == "__main__":
    main()
