"""Our client reads what official Python flows wrote: the program `reader` prints one run as JSON."""

import ast
import gzip
import json

import pytest

# What the official client finds, in the shape in which `reader` prints it.
OFFICIAL_VIEW = """
    steps = {}
    for step in Run(pathspec):
        for task in step:
            steps.setdefault(step.id, {})[task.id] = {
                'finished': task.finished, 'successful': task.successful, 'attempt': task.current_attempt,
                'index': task.index, 'artifacts': {a.id: repr(a.data) for a in task},
                'stack': [[f.step, f.var or '', f.index, f.value or ''] for f in task['_foreach_stack'].data],
                'stored': {a.id: [a.sha, a.size] for a in task},
                'created_at': round(task.created_at.timestamp() * 1000),
                'finished_at': round(task.finished_at.timestamp() * 1000) if task.finished_at else None,
                'metadata': {k: v if isinstance(v, str) else json.dumps(v) for k, v in task.metadata_dict.items()},
                'parents': sorted(task.parent_task_pathspecs), 'children': sorted(task.child_task_pathspecs),
                'stdout_size': task.stdout_size, 'stdout': task.stdout, 'exception': task.exception.exception if task.exception else None,
            }
    run = Run(pathspec)
    result = {'id': run.id, 'finished': run.finished, 'successful': run.successful, 'tags': sorted(run.user_tags),
              'created_at': int(run.created_at.timestamp() * 1000), 'steps': steps}
"""


# Compared as they are.
PLAIN = ("finished", "successful", "attempt", "index", "stack", "stored", "created_at", "finished_at", "metadata")
PLAIN += ("stdout_size",)

# Steps that repeat themselves: the official client takes each turn for a parent of each other, ours knows their order.
RECURSIVE = ("loop",)


@pytest.fixture(scope="module")
def official_runs(shared_project):
    """Runs each Python flow once, when first asked for; gives the run's pathspec."""
    (shared_project.folder / "notes.txt").write_text("naïve notes\n", encoding="utf-8")
    made = {}

    def run(name: str, *arguments: str) -> str:
        if name not in made:
            shared_project.official_flow(name, "run", *arguments).succeeded()
            flow = name.capitalize()
            made[name] = f"{flow}/{shared_project.latest_run(flow)}"
        return made[name]

    return run


def read(project, pathspec: str) -> dict:
    return json.loads(project.run_flow("reader", pathspec).succeeded().stdout)


def same_value(ours: str, theirs: str) -> bool:
    """Both are Python's repr; the items of sets come in any order."""
    if ours == theirs:
        return True
    try:
        return ast.literal_eval(ours) == ast.literal_eval(theirs)
    except (ValueError, SyntaxError):
        return False


@pytest.mark.parametrize("name", ["linear", "branch", "loops", "turns"])
def test_our_client_finds_what_the_official_client_finds(shared_project, official_runs, name):
    arguments = ["--tag", "t1", "--notes", "notes.txt"] if name == "linear" else []
    pathspec = official_runs(name, *arguments)
    ours, theirs = read(shared_project, pathspec), shared_project.official(OFFICIAL_VIEW, pathspec=pathspec)
    for key in ("id", "finished", "successful", "tags", "created_at"):
        assert ours[key] == theirs[key]
    assert {step: set(tasks) for step, tasks in ours["steps"].items()} == {
        step: set(tasks) for step, tasks in theirs["steps"].items()
    }
    for step, tasks in theirs["steps"].items():
        for task_id, expected in tasks.items():
            found = ours["steps"][step][task_id]
            for key in PLAIN:
                assert found[key] == expected[key], (step, task_id, key)
            for key in ("parents", "children"):
                if step not in RECURSIVE and not any(f"/{name}/" in path for name in RECURSIVE for path in found[key]):
                    assert sorted(found[key]) == expected[key], (step, task_id, key)
            assert found["stdout"].rstrip("\n") == expected["stdout"].rstrip("\n")
            assert found.get("exception", {}).get("message") == expected["exception"]
            assert set(found["artifacts"]) == set(expected["artifacts"])
            different = [
                (artifact, found["artifacts"][artifact], value)
                for artifact, value in expected["artifacts"].items()
                if artifact not in ("opaque", "matrix", "failure")
                and not same_value(found["artifacts"][artifact], value)
            ]
            assert different == []


def test_an_object_of_an_unknown_class_passes_through_a_cpp_flow(shared_project, official_runs):
    source = f"{official_runs('linear')}/end"
    task = shared_project.official("result = Step(step).task.pathspec", step=source)
    for name, expression in [("opaque", "Decimal('1.10')"), ("big", "2**70"), ("notes", "'naïve notes\\n'")]:
        if name == "notes" and not shared_project.official("result = Step(s).task.data.notes", s=source):
            continue
        shared_project.run_flow("reuse", "run", "--task", task, "--name", name).succeeded()
        assert shared_project.official(
            f"""
            from decimal import Decimal
            run = Flow('Reuse').latest_run
            result = [run.data.taken == {expression}, run['start'].task['taken'].sha == run['end'].task['taken'].sha]
            """
        ) == [True, True]


def test_a_numpy_array_passes_through_a_cpp_flow(shared_project, official_runs):
    task = shared_project.official("result = Step(step).task.pathspec", step=f"{official_runs('linear')}/end")
    shared_project.run_flow("reuse", "run", "--task", task, "--name", "matrix").succeeded()
    assert shared_project.official("result = Flow('Reuse').latest_run.data.taken.tolist()") == [[0, 1, 2], [3, 4, 5]]


# Blobs as older or other writers leave them


@pytest.fixture
def stored(project):
    """A run of a Python flow, and the paths of the blob and the pointer of `text` in its start step."""
    project.official_flow("linear", "run").succeeded()
    run = project.latest_run("Linear")
    key = project.official("result = Run('Linear/' + run)['start'].task['text'].sha", run=run)
    blob = project.root() / "Linear/data" / key[:2] / key
    pointer = project.root() / "Linear" / run / "start/1/_meta/0_artifact_text.json"
    return f"Linear/{run}", blob, pointer


def text_of_start(project, pathspec: str) -> str:
    return read(project, pathspec)["steps"]["start"]["1"]["artifacts"]["text"]


def side_file(blob):
    return blob.with_name(blob.name + "_meta")


def test_a_blob_without_its_side_file_is_read(project, stored):
    pathspec, blob, _ = stored
    side_file(blob).unlink()
    assert text_of_start(project, pathspec) == "'grüße'"


def test_a_blob_stored_raw_is_read(project, stored):
    pathspec, blob, _ = stored
    blob.write_bytes(gzip.decompress(blob.read_bytes()))
    side_file(blob).write_text('{"cas_raw": true, "cas_version": 1}')
    assert text_of_start(project, pathspec) == "'grüße'"


def test_a_blob_of_several_gzip_members_is_read(project, stored):
    pathspec, blob, _ = stored
    content = gzip.decompress(blob.read_bytes())
    blob.write_bytes(gzip.compress(content[:3]) + gzip.compress(content[3:]))
    assert text_of_start(project, pathspec) == "'grüße'"


@pytest.mark.parametrize("encoding", ["pickle-v2", "gzip+pickle-v2", "gzip+pickle-v4"])
def test_every_name_of_the_pickle_encoding_is_read(project, stored, encoding):
    pathspec, _, pointer = stored
    record = json.loads(pointer.read_text())
    pointer.write_text(json.dumps(record | {"content_type": encoding}))
    assert text_of_start(project, pathspec) == "'grüße'"


def test_an_unknown_encoding_is_refused_with_the_artifacts_name(project, stored):
    pathspec, _, pointer = stored
    record = json.loads(pointer.read_text())
    pointer.write_text(json.dumps(record | {"content_type": "arrow"}))
    error = project.run_flow("reader", pathspec).failed().stderr
    assert "'text'" in error and "arrow" in error


def test_a_damaged_blob_is_reported_with_artifact_and_task(project, stored):
    pathspec, blob, _ = stored
    blob.write_bytes(gzip.compress(b"\x80\x04K\x01."))
    error = project.run_flow("reader", pathspec).failed().stderr
    assert f"'text' of {pathspec}/" in error


def test_a_missing_blob_is_reported_with_artifact_and_task(project, stored):
    pathspec, blob, _ = stored
    blob.unlink()
    error = project.run_flow("reader", pathspec).failed().stderr
    assert f"'text' of {pathspec}/" in error


# Gangs and unbounded foreaches


@pytest.mark.parametrize(
    ("name", "step", "indices", "control"),
    [
        ("turns", "gang", {"6": 0, "6_node_1": 1}, ["6"]),
        ("unbounded", "body", {"2": None, "2-0": 0, "2-1": 1}, ["2"]),
    ],
)
def test_control_tasks_and_those_that_they_lead_are_found(shared_project, official_runs, name, step, indices, control):
    pathspec = official_runs(name)
    ours = read(shared_project, pathspec)
    tasks = ours["steps"][step]
    assert {task: found["index"] for task, found in tasks.items()} == indices
    assert ours["controls"][step] == control
    code = "result = {t.id: sorted(t.child_task_pathspecs) for t in Step(pathspec)}"
    theirs = shared_project.official(code, pathspec=f"{pathspec}/{step}")
    assert {task: sorted(found["children"]) for task, found in tasks.items()} == theirs


# Names


@pytest.mark.parametrize(
    ("pathspec", "words"),
    [("Linear", "Flow/run"), ("Linear/1/start", "Flow/run"), ("Linear/1", "Linear/1"), ("Other/1", "Other/1")],
)
def test_wrong_names_are_refused_with_the_form_expected(project, pathspec, words):
    error = project.run_flow("reader", pathspec).failed().stderr
    assert words in error


def test_a_run_of_somebody_else_is_refused(project):
    project.run_flow("single", "run", USER="somebody").succeeded()
    error = project.run_flow("reader", f"Single/{project.latest_run('Single')}").failed().stderr
    assert "namespace" in error and "user:demo" in error
