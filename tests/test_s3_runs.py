"""Runs whose artifacts and logs lie in S3: ours and official's, each read and resumed by the other, on one moto server."""

import os

import pytest
from conftest import BUILD, Project
from s3_server import S3Server

BUCKET = "films"
SYSROOT = f"s3://{BUCKET}/mf/root"


@pytest.fixture(scope="module")
def server():
    server = S3Server()
    server.client().create_bucket(Bucket=BUCKET)
    yield server
    server.stop()


def on_s3(server: S3Server) -> dict[str, str]:
    return server.variables() | {"METAFLOW_DEFAULT_DATASTORE": "s3", "METAFLOW_DATASTORE_SYSROOT_S3": SYSROOT}


@pytest.fixture
def project(server, tmp_path) -> Project:
    project = Project(tmp_path / "project")
    project.variables |= on_s3(server)
    return project


@pytest.fixture(scope="module")
def shared(server, tmp_path_factory) -> Project:
    """With one run of `values`, started by options instead of settings."""
    project = Project(tmp_path_factory.mktemp("shared") / "project")
    project.variables |= server.variables()
    options = ["--datastore", "s3", "--datastore-root", SYSROOT + "/"]
    project.run_flow("values", *options, "run", "--number", "7").succeeded()
    project.variables |= on_s3(server)
    return project


def test_what_is_stored_is_in_s3_and_what_is_recorded_is_here(shared, server):
    run = shared.latest_run("Values")
    keys = server.keys(BUCKET, f"mf/root/Values/{run}/")
    assert {f"mf/root/Values/{run}/end/3/0.{name}" for name in ("attempt.json", "data.json", "DONE.lock")} <= set(keys)
    here = shared.task_files("Values", run, "end", "3")
    assert all(name.startswith("_meta/") for name in here)
    assert shared.official(
        """
        task = Run('Values/' + run)['end'].task
        artifact = task['number']._object
        result = [task.metadata_dict['ds-type'], task.metadata_dict['ds-root'], artifact['ds_type'],
                  artifact['location']]
    """,
        run=run,
    ) == ["s3", SYSROOT, "s3", ":root:" + SYSROOT]


def test_blobs_say_how_they_are_packed(shared, server):
    blobs = server.keys(BUCKET, "mf/root/Values/data/")
    assert blobs
    for key in blobs:
        head = server.client().head_object(Bucket=BUCKET, Key=key)
        assert head["Metadata"] == {"metaflow-user-attributes": '{"cas_raw": false, "cas_version": 1}'}


def test_official_reads_ours(shared):
    assert shared.official("""
        run = Flow('Values').latest_run
        result = [run.successful, run.data.number, run['end'].task.data.text, run['start'].task['number'].size > 0]
    """) == [True, 7, "čaj 茶 🍵", True]


def test_our_commands_read_ours(shared):
    run = shared.latest_run("Values")
    dumped = shared.run_flow("values", "dump", f"{run}/start", "--include", "number").succeeded()
    assert "number" in dumped.stdout and "7" in dumped.stdout


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_logs_are_read_by_both(project, isolation):
    for pipe in ("announce", "go"):  # what it waits for is there
        (project.folder / pipe).write_text(".")
    project.run_flow("talker", "run", "--isolation", isolation).succeeded()
    ours = project.run_flow("talker", "logs", f"{project.latest_run('Talker')}/talk", "--stdout").succeeded().stdout
    official = project.official("result = Flow('Talker').latest_run['talk'].task.stdout")
    assert official.splitlines() == ours.splitlines() == ["first", "second, without a newline"]


@pytest.mark.parametrize("failing", ["leaf:1,0", "end"])
def test_a_run_is_resumed(project, failing):
    project.run_flow("resumable", "run", FAIL=failing).failed()
    project.run_flow("resumable", "resume").succeeded()
    assert project.official("result = Flow('Resumable').latest_run.successful") is True


def test_official_resumes_ours_and_we_resume_official(project):
    narrow = ["--width", "1", "--depth", "1"]
    project.run_flow("resumable", "run", *narrow, FAIL="end").failed()
    project.official_flow("resumable", "resume").succeeded()
    assert project.official("result = Flow('Resumable').latest_run.successful") is True
    project.official_flow("resumable", "run", *narrow, FAIL="end").failed()
    project.run_flow("resumable", "resume").succeeded()
    assert project.official("result = Flow('Resumable').latest_run.successful") is True


def test_a_task_takes_ten_requests(project, server):
    """`middle` reads one artifact and sets one, `end` reads two and prints."""
    server.take_requests()
    project.run_flow("values", "run").succeeded()
    root = f"/{BUCKET}/mf/root/Values/{project.latest_run('Values')}"
    requests = server.take_requests()
    # The log of `start` is written meanwhile.
    after = requests[requests.index(f"PUT {root}/start/1/0.DONE.lock") + 1 :]
    of_two = [request for request in after if f"{root}/start/1/0.runtime" not in request]
    assert len(of_two) <= 20, "\n".join(of_two)
    assert not [request for request in requests if request.startswith("HEAD")]
    for step in ("start/1", "middle/2", "end/3"):
        table, done = (requests.index(f"PUT {root}/{step}/0.{name}") for name in ("data.json", "DONE.lock"))
        assert table == done - 1


def test_logs_are_followed_and_gc_stays_away(project):
    for pipe in ("announce", "go"):
        os.mkfifo(project.folder / pipe)
    running = project.start_flow("talker", "run", "--run-id-file", "run-id")
    (project.folder / "announce").read_text()  # returns once the task has written
    run = (project.folder / "run-id").read_text()
    following = project.start_flow("talker", "logs", "--follow", "--stdout", f"{run}/talk")
    assert following.stdout.readline() == b"first\n"
    removed = project.run(BUILD / "bin/metaflow", "gc", "Talker", "--older-than", "0m", "--delete")
    assert "is running" in removed.stdout + removed.stderr
    (project.folder / "go").write_text(".")
    assert following.stdout.readline() == b"second, without a newline\n"
    assert project.finish(following).succeeded().stdout == ""
    project.finish(running).succeeded()


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_step_is_spun_here_from_inputs_there(project, isolation):
    project.run_flow("values", "run", "--number", "7").succeeded()
    options = ["--persist", "--isolation", isolation, "--run-id-file", "spun"]
    project.run_flow("values", "spin", "middle", *options).succeeded()
    run = (project.folder / "spun").read_text()
    assert (project.folder / ".metaflow_spin/Values" / run / "middle").is_dir()
    dumped = project.run_flow("values", "--mode", "spin", "dump", f"{run}/middle", "--include", "number").succeeded()
    assert "7" in dumped.stdout


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"METAFLOW_DATASTORE_SYSROOT_S3": ""}, "Set METAFLOW_DATASTORE_SYSROOT_S3 to s3://bucket/prefix"),
        ({"METAFLOW_DATASTORE_SYSROOT_S3": "/folder"}, "'/folder' is no place in S3"),
        ({"METAFLOW_DATASTORE_SYSROOT_S3": "s3://no-such-bucket/x"}, "There is no bucket 'no-such-bucket'"),
        ({"METAFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "There is no S3 to be reached at http://127.0.0.1:1"),
        ({"AWS_ACCESS_KEY_ID": ""}, "AWS"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(project, settings, words):
    said = project.run_flow("values", "run", **settings)
    assert said.exit in (1, 2)
    assert words in said.stderr
