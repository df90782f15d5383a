"""Flows whose steps run on AWS Batch: a real container on an AWS of this machine, artifacts and logs in its S3."""

import json
import re
import signal

import pytest
from aws_machine import BUCKET, IMAGE, JOB_ROLE, QUEUE, aws  # noqa: F401
from conftest import Project

ROOT = f"s3://{BUCKET}/root"


@pytest.fixture
def cloud_project(project, aws) -> Project:  # noqa: F811
    project.variables |= aws.variables() | {
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": ROOT,
        "METAFLOW_BATCH_JOB_QUEUE": QUEUE,
        "METAFLOW_BATCH_CONTAINER_IMAGE": IMAGE,
        "METAFLOW_ECS_S3_ACCESS_IAM_ROLE": JOB_ROLE,
    }
    return project


def lines_of(stdout: str, step: str) -> list[str]:
    """What the log of a run says of a step, without times, ids of jobs and pids."""
    found = re.findall(rf"^\S+ \S+ \[\d+/{step}/\d+ \((?:pid \d+|AWS Batch)\)\] (.*)$", stdout, re.MULTILINE)
    return [re.sub(r"^\[[0-9a-f-]{36}\]", "[job]", line) for line in found]


def test_a_step_runs_in_a_container_and_its_artifacts_come_back(cloud_project, aws):  # noqa: F811
    done = cloud_project.run_flow("on_batch", "run").succeeded()
    lines = lines_of(done.stdout, "work")
    assert lines[:2] == ["Task is starting.", "[job] Task is starting (status SUBMITTED)..."]
    assert lines[-2:] == ["[job] Task finished with exit code 0.", "Task finished successfully."]
    run = cloud_project.latest_run("OnBatch")
    assert f"[job] attempt 0 of OnBatch/{run}/work/2" in lines
    assert "[job] done on standard error" in lines
    (said,) = [line for line in lines_of(done.stdout, "end") if line.startswith("42 from ")]
    (job,) = aws.client("batch").describe_jobs(jobs=[said.removeprefix("42 from ")])["jobs"]
    assert job["jobName"] == f"demo-OnBatch-{run}-work-2-0"
    assert job["parameters"]["metaflow.step_name"] == "work"
    assert (job["container"]["vcpus"], job["status"]) == (1, "SUCCEEDED")


def test_the_official_client_reads_what_the_job_left(cloud_project):
    cloud_project.run_flow("on_batch", "run").succeeded()
    run = cloud_project.latest_run("OnBatch")
    found = cloud_project.official(
        """
        namespace(None)
        task = Task(f"OnBatch/{run}/work/2")
        result = {"number": task["number"].data, "done": task.successful, "out": task.stdout}
        """,
        run=run,
    )
    assert found == {"number": 42, "done": True, "out": f"attempt 0 of OnBatch/{run}/work/2\n"}


def test_a_step_that_throws_says_so(cloud_project):
    failed = cloud_project.run_flow("on_batch", "run", "--mode", "throw").failed()
    assert "no luck" in failed.stdout
    assert re.search(r"\d+/work/2: std::runtime_error: no luck", failed.stderr)


def test_a_container_that_dies_is_explained(cloud_project):
    failed = cloud_project.run_flow("on_batch", "run", "--mode", "abort").failed()
    assert "The process of this task was ended by signal 6 (Aborted)." in failed.stdout
    assert "Task failed." in lines_of(failed.stdout, "work")


def test_ctrl_c_terminates_the_job(cloud_project, aws):  # noqa: F811
    process = cloud_project.start_flow("on_batch", "run", "--mode", "wait")
    said = ""
    while "attempt 0 of" not in said:
        line = process.stdout.readline().decode()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    ended = cloud_project.finish(process)
    assert ended.exit == 1 and "Job terminated." in ended.stdout, str(ended)
    job = re.search(r"\[([0-9a-f-]{36})\] Job terminated", ended.stdout)[1]
    (found,) = aws.client("batch").describe_jobs(jobs=[job])["jobs"]
    assert found["statusReason"] == "Metaflow initiated job termination."


def test_a_queue_that_is_not_there_fails_the_step_at_once(cloud_project):
    failed = cloud_project.run_flow("on_batch", "run", METAFLOW_BATCH_JOB_QUEUE="other").failed()
    assert "AWS Batch has no job queue 'other' in this region" in failed.stdout
    assert "This failed task will not be retried." in failed.stdout


def test_without_a_datastore_that_jobs_reach_nothing_starts(cloud_project):
    failed = cloud_project.run_flow("on_batch", "run", METAFLOW_DEFAULT_DATASTORE="local").failed()
    assert "The @batch decorator requires --datastore=s3" in failed.stderr
    assert failed.stdout == ""


def test_the_request_of_a_job_is_short(cloud_project, aws):  # noqa: F811
    cloud_project.run_flow("on_batch", "run").succeeded()
    overrides = [
        len(json.dumps([job["container"]["command"], job["container"]["environment"]]))
        for job in aws.client("batch").describe_jobs(jobs=[])["jobs"]
    ]
    assert overrides and max(overrides) < 8192
