"""A judge that stays: for each folder named on standard input, one a line, says in one line of JSON what the official
client makes of all runs of a flow there. `read_runs.py FLOW`."""

import json
import sys
import traceback
from pathlib import Path

from metaflow import Flow, metadata, namespace
from metaflow.exception import MetaflowNotFound


def read_task(task) -> dict:
    frames = task["_foreach_stack"].data if task.finished else []
    return {
        "task": task.pathspec,
        "place": [task.path_components[2], [frame.index for frame in frames]],
        "finished": task.finished,
        "successful": task.successful,
        "artifacts": {artifact.id: repr(artifact.data) for artifact in task},
        "said": [task.stdout, task.stderr, str(task.exception), sorted(task.metadata_dict)],
    }


def read_runs(folder: str, flow: str) -> list[dict]:
    if not Path(folder, ".metaflow").is_dir():
        return []
    metadata("local@" + folder)
    try:
        runs = list(Flow(flow))
    except MetaflowNotFound:
        return []
    return [
        {
            "run": run.id,
            "finished": run.finished,
            "successful": run.successful,
            "tasks": [read_task(task) for step in run for task in step],
        }
        for run in runs
    ]


def main() -> None:
    namespace(None)
    for line in sys.stdin:
        try:
            answer = {"runs": read_runs(line.rstrip("\n"), sys.argv[1])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


main()
