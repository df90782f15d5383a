"""Flows in Python whose artifacts and logs lie in S3: ours and official's, each read and resumed by the other, on one moto server."""

import pytest
from conftest import PythonProject, judge
from s3_server import S3Server
from test_python_client import differences, own_store, told_by, told_by_ours

BUCKET = "songs"
SETTINGS = {"METAFLOW_DEFAULT_DATASTORE": "s3", "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{BUCKET}/mf"}


@pytest.fixture(scope="module")
def server():
    server = S3Server()
    server.client().create_bucket(Bucket=BUCKET)
    yield server
    server.stop()


@pytest.fixture
def project(server, tmp_path) -> PythonProject:
    project = PythonProject(tmp_path / "project")
    project.variables |= server.variables() | SETTINGS
    return project


def test_both_clients_tell_the_same(project):
    own_store(project)
    assert differences(told_by_ours(project, "read"), told_by(project, judge(), "read")) == []


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_what_is_stored_is_in_s3_and_what_is_recorded_is_here(project, server, isolation):
    project.ours("nested", "run", "--isolation", isolation).succeeded()
    run = project.latest_run("Nested")
    there = [key for key in server.keys(BUCKET, f"mf/Nested/{run}/") if key.endswith("/0.DONE.lock")]
    here = [path.relative_to(project.root()) for path in project.root().glob(f"Nested/{run}/*/*/_meta/")]
    assert sorted(f"mf/{folder.parent}/0.DONE.lock" for folder in here) == there
    files = [path for path in project.root().glob(f"Nested/{run}/*/*/**/*") if path.is_file()]
    assert {path.parent.name for path in files} == {"_meta"}


@pytest.mark.parametrize(("first", "second"), [("ours", "ours"), ("ours", "officially"), ("officially", "ours")])
def test_a_run_is_resumed(project, first, second):
    getattr(project, first)("restarted", "run", FAIL="loop:1").failed()
    getattr(project, second)("restarted", "resume").succeeded()
    assert project.official("result = Flow('Restarted').latest_run.successful") is True


def test_exceptions_and_retries_are_in_s3_too(project):
    project.ours("failing", "run").succeeded()
    told = project.official("""
        run = Flow('Failing').latest_run
        result = [run['slow'].task.data.late.type, run['dies'].task.exception is not None, run['flaky'].task.data.tries,
                  'attempt 2' in run['flaky'].task.stderr]
    """)
    assert told == ["metaflow.plugins.timeout_decorator.TimeoutException", False, 2, True]


def test_a_step_is_spun_here_from_inputs_there(project):
    project.ours("looked_at", "run").succeeded()
    project.ours("looked_at", "spin", "--persist", "end").succeeded()


def test_logs_are_shown(project):
    project.ours("restarted", "run").succeeded()
    run = project.latest_run("Restarted")
    ours, official = (
        run_flow("restarted", "logs", "--stdout", f"{run}/spread").succeeded().stdout
        for run_flow in (project.ours, project.officially)
    )
    assert ours == official == "spread 0\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"METAFLOW_DATASTORE_SYSROOT_S3": ""}, "Set METAFLOW_DATASTORE_SYSROOT_S3 to s3://bucket/prefix"),
        ({"METAFLOW_DATASTORE_SYSROOT_S3": "s3://no-such-bucket/x"}, "There is no bucket 'no-such-bucket'"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(project, settings, words):
    said = project.ours("nested", "run", **settings)
    assert said.exit in (1, 2)
    assert words in said.stderr
    assert not list(project.folder.glob(".metaflow/Nested/*/start"))
