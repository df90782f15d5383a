"""Runs read back through the C interface, compared with what the official client says of them."""

import os
import pickle
import threading

import engine
import pytest
from conftest import BUILD
from engine import DENIED, INVALID, NOT_FOUND, EngineError, ask, call, fetch

pytestmark = pytest.mark.loaded

C_FLOW = BUILD / "tests/programs/c_flow"

OFFICIAL = """
    namespace(None)
    def moment(time):
        return None if time is None else round(time.timestamp() * 1000)
    def common(object):
        return {"id": object.id, "pathspec": object.pathspec, "created_at": moment(object.created_at),
                "user_tags": sorted(object.user_tags), "system_tags": sorted(object.system_tags)}
    def task_of(task):
        return common(task) | {
            "attempt": task.current_attempt, "finished": task.finished, "successful": task.successful,
            "finished_at": moment(task.finished_at), "index": task.index, "runtime_name": task.runtime_name,
            "stdout": task.stdout, "stderr": task.stderr, "metadata": {each.name: each.value for each in task.metadata},
            "origin_pathspec": task.origin_pathspec,
            "parents": sorted(task.parent_task_pathspecs), "children": sorted(task.child_task_pathspecs),
            "artifacts": {each.id: {"sha": each.sha, "size": each.size, "finished_at": moment(each.finished_at)}
                          for each in task}}
    run = Flow(flow).latest_run if run_id is None else Run(f"{flow}/{run_id}")
    result = common(run) | {
        "successful": run.successful, "finished": run.finished, "finished_at": moment(run.finished_at),
        "steps": [common(step) | {"tasks": [task_of(task) for task in step]} for step in run],
        "runs": [each.id for each in Flow(flow)], "flow_created_at": moment(Flow(flow).created_at)}
"""


@pytest.fixture(scope="module")
def runs(shared_project):
    """A run that failed, one that went on from it, and one with artifacts of all kinds."""
    shared_project.run(C_FLOW, "--break", "square", "--once", "run", "--tag", "mine").failed()
    failed = shared_project.latest_run("CFlow")
    shared_project.run(C_FLOW, "resume", "--tag", "again").succeeded()
    shared_project.run(C_FLOW, "--break", "square", "--once", "run", "--with", "retry").succeeded()
    return shared_project, failed


@pytest.fixture
def reader(runs):
    with engine.client({"folder": str(runs[0].folder), "namespace": None}) as handle:
        yield handle


def children(reader, pathspec, attempt=-1, tags=None):
    return ask("client_children", reader, pathspec, attempt, tags)


def look(reader, pathspec, attempt=-1):
    return ask("client_object", reader, pathspec, attempt)


def log(reader, pathspec, stream):
    return "".join(line["text"] + "\n" for line in ask("client_log", reader, pathspec, -1, stream))


def subset(found, members):
    return {name: sorted(found[name]) if name.endswith("_tags") else found[name] for name in members}


COMMON = ("id", "pathspec", "created_at", "user_tags", "system_tags")


@pytest.mark.parametrize("which", range(3))
def test_all_of_a_run_is_what_the_official_client_says(runs, reader, which):
    run_id = children(reader, "CFlow")[which]
    official = runs[0].official(OFFICIAL, flow="CFlow", run_id=run_id)
    run = look(reader, f"CFlow/{run_id}")
    names = (*COMMON, "successful", "finished", "finished_at")
    assert subset(run, names) == {name: official[name] for name in names}
    assert children(reader, "CFlow") == official["runs"]
    assert look(reader, "CFlow")["created_at"] == official["flow_created_at"]
    assert children(reader, f"CFlow/{run_id}") == [step["id"] for step in official["steps"]]
    for step in official["steps"]:
        assert subset(look(reader, step["pathspec"]), COMMON) == {name: step[name] for name in COMMON}
        assert children(reader, step["pathspec"]) == [task["id"] for task in step["tasks"]]
        for task in step["tasks"]:
            compare_task(reader, task)


def compare_task(reader, official):
    pathspec = official["pathspec"]
    task = look(reader, pathspec)
    names = (*COMMON, "attempt", "successful", "finished", "finished_at", "index", "runtime_name")
    assert subset(task, names) == {name: official[name] for name in names}
    assert (task["origin_pathspec"] or "") == (official["origin_pathspec"] or "")
    newest = {}
    for datum in task["metadata"]:
        newest.setdefault(datum["name"], datum["value"])
    assert newest.keys() == official["metadata"].keys()
    if not task["origin_pathspec"]:  # of those that `resume` took over, official shows nothing
        for stream in ("stdout", "stderr"):
            assert log(reader, pathspec, stream) == official[stream]
    for relation in ("parents", "children"):
        assert sorted(ask("client_related", reader, pathspec, relation)) == official[relation]
    public = [name for name in children(reader, pathspec) if not name.startswith("_")]
    assert public == sorted(official["artifacts"])
    for name, artifact in official["artifacts"].items():
        found = look(reader, f"{pathspec}/{name}")
        assert {member: found[member] for member in artifact} == artifact


def test_a_value_is_its_pickle(runs, reader):
    end = look(reader, f"CFlow/{children(reader, 'CFlow')[0]}")["end_task"]
    assert pickle.loads(fetch("client_artifact", reader, f"{end}/total", -1)) == 5
    assert look(reader, f"{end}/total")["type"] == "<class 'int'>"
    assert "_task_ok" in children(reader, end)


def test_an_attempt_is_looked_at_alone(runs, reader):
    run_id = children(reader, "CFlow")[0]
    task = f"CFlow/{run_id}/square/{children(reader, f'CFlow/{run_id}/square')[0]}"
    assert (look(reader, task)["attempt"], look(reader, task)["successful"]) == (1, True)
    assert (look(reader, task, 0)["attempt"], look(reader, task, 0)["successful"]) == (0, False)
    assert "squared" not in children(reader, task, 0)
    assert b"it was asked to" in fetch("client_artifact", reader, f"{task}/_exception", 0)


def test_runs_are_chosen_by_their_tags(runs, reader):
    assert children(reader, "CFlow", -1, ["mine"]) == [runs[1]]
    assert children(reader, "CFlow", -1, ["mine", "again"]) == []
    assert children(reader, "") == ["CFlow"]
    assert look(reader, "") == {}


def test_what_a_run_was_resumed_from_is_told(runs, reader):
    [resumed] = children(reader, "CFlow", -1, ["again"])
    assert look(reader, f"CFlow/{resumed}")["origin_pathspec"] == f"CFlow/{runs[1]}"
    assert look(reader, f"CFlow/{resumed}/start")["origin_pathspec"] == f"CFlow/{runs[1]}/start"
    assert look(reader, "CFlow")["latest_run"] == children(reader, "CFlow")[0]


def test_tags_are_changed(runs, reader):
    run = f"CFlow/{runs[1]}"
    call("client_change_tags", reader, run, ["mine"], ["good", "done"])
    assert look(reader, run)["user_tags"] == ["done", "good"]
    call("client_change_tags", reader, run, ["good", "done"], ["mine"])
    assert look(reader, run)["user_tags"] == ["mine"]
    with pytest.raises(EngineError, match="language:c") as refused:
        call("client_change_tags", reader, run, ["language:c"], None)
    assert refused.value.status == INVALID


@pytest.mark.parametrize(
    ("pathspec", "attempt", "status"),
    [
        ("Nothing", -1, NOT_FOUND),
        ("CFlow/1", -1, NOT_FOUND),
        ("CFlow/{run}/nowhere", -1, NOT_FOUND),
        ("CFlow/{run}/start/77", -1, NOT_FOUND),
        ("CFlow/{run}/start/1/nothing", -1, NOT_FOUND),
        ("CFlow//start", -1, INVALID),
        ("CFlow/../x", -1, INVALID),
        ("a/b/c/d/e/f", -1, INVALID),
        ("CFlow/{run}/start/1", 6, INVALID),
        ("CFlow/{run}/start/1", -2, INVALID),
        ("CFlow/{run}", 0, INVALID),
    ],
)
def test_what_is_not_there_is_told(runs, reader, pathspec, attempt, status):
    with pytest.raises(EngineError) as refused:
        look(reader, pathspec.format(run=runs[1]), attempt)
    assert refused.value.status == status


def test_another_namespace_shows_nothing(runs):
    with engine.client({"folder": str(runs[0].folder), "namespace": "user:nobody"}) as reader:
        for pathspec in ("CFlow", f"CFlow/{runs[1]}", f"CFlow/{runs[1]}/start/1"):
            with pytest.raises(EngineError) as refused:
                look(reader, pathspec)
            assert refused.value.status == DENIED
        assert children(reader, "") == []


def test_a_namespace_is_a_tag(runs):
    with engine.client({"root": str(runs[0].root()), "namespace": "mine"}) as reader:
        assert children(reader, "CFlow") == [runs[1]]


@pytest.mark.parametrize("options", [{"colour": 1}, {"namespace": 3}, {"root": "/x", "folder": "/y"}, []])
def test_bad_options_are_refused(options):
    with pytest.raises(EngineError) as refused:
        engine.client(options)
    assert refused.value.status == INVALID


def test_the_default_namespace_is_that_of_the_user(monkeypatch):
    monkeypatch.setenv("METAFLOW_USER", "ada")
    assert ask("client_default_namespace") == "user:ada"
    monkeypatch.setenv("METAFLOW_TASK_NAMESPACE", "")
    assert ask("client_default_namespace") is None


def test_several_threads_read_at_once(runs, reader):
    run_id, problems = children(reader, "CFlow")[0], []

    def read():
        try:
            for _ in range(20):
                for step in children(reader, f"CFlow/{run_id}"):
                    for task in children(reader, f"CFlow/{run_id}/{step}"):
                        assert look(reader, f"CFlow/{run_id}/{step}/{task}")["finished"]
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=read) for _ in range(os.cpu_count() + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
