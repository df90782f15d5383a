"""The calls of AWS Batch: botocore judges what is asked, moto answers, and podman runs what is submitted."""

import json
import subprocess
import time

import pytest
from aws_machine import IMAGE, JOB_ROLE, QUEUE, aws  # noqa: F401
from botocore.session import Session
from botocore.validate import ParamValidator
from conftest import BUILD, DEADLINE

BATCH = {"image": IMAGE, "queue": QUEUE, "iam_role": JOB_ROLE}
JOB = {"user": "a.b@c", "environment": {}, "arguments": [], "batch": BATCH, "definition": "metaflow_x:1"}


class Probe:
    """The engine's client, one question after another."""

    def __init__(self, url: str):
        self.process = subprocess.Popen(
            [BUILD / "tests/programs/batch_probe", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, call: str, **given):
        self.process.stdin.write(json.dumps({"call": call, **given}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0


@pytest.fixture
def offline():
    probe = Probe("http://127.0.0.1:1")
    yield probe
    probe.close()


@pytest.fixture
def probe(aws):  # noqa: F811
    probe = Probe(aws.url)
    yield probe
    probe.close()


def mistakes(action: str, request: dict) -> str:
    shape = Session().get_service_model("batch").operation_model(action).input_shape
    return ParamValidator().validate(request, shape).generate_report()


ALL_ON_EC2 = BATCH | {
    "cpu": 0.25,
    "gpu": 1,
    "memory": 512,
    "shared_memory": 64,
    "max_swap": 100,
    "swappiness": 5,
    "inferentia": 2,
    "efa": 1,
    "host_volumes": ["/data", "/a:/b"],
    "efs_volumes": "fs-1:/x",
    "use_tmpfs": True,
    "aws_batch_tags": {"team": "films"},
    "log_driver": "awslogs",
    "log_options": ["awslogs-group:x"],
    "privileged": True,
}
ON_FARGATE = BATCH | {"execution_role": JOB_ROLE, "ephemeral_storage": 30}


@pytest.mark.parametrize(("batch", "fargate"), [(BATCH, False), (ALL_ON_EC2, False), (ON_FARGATE, True)])
def test_botocore_finds_no_mistake_in_what_is_asked(offline, batch, fargate):
    definition = offline.ask("definition", batch=batch, fargate=fargate)
    assert mistakes("RegisterJobDefinition", definition) == ""
    job = offline.ask("submission", **JOB | {"batch": batch, "script": "true", "environment": {"A": "1"}})
    assert mistakes("SubmitJob", job) == ""


def test_queues_and_their_machines_are_found(probe):
    (queue,) = probe.ask("queues", names=[QUEUE])
    (machines,) = probe.ask("environments", names=queue["environments"])
    assert machines == {"name": "machines", "type": "EC2", "status": "VALID"}
    assert probe.ask("queues", names=["other"]) == []


def test_a_definition_is_found_again_by_its_name(probe):
    name = probe.ask("definition", batch=BATCH)["jobDefinitionName"]
    assert probe.ask("find", name=name + "x") == ""
    arn = probe.ask("register", batch=BATCH)
    assert probe.ask("find", name=name) == arn


def ended(probe: Probe, job: str) -> dict:
    """The job once it has ended."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        (found,) = probe.ask("describe", names=[job])
        if found["status"] in ("SUCCEEDED", "FAILED"):
            return found
        time.sleep(0.1)  # Batch tells nobody of a change: it can only be asked again
    pytest.fail(f"the job did not end: {found}")


def submit(probe: Probe, script: str, **more) -> str:
    return probe.ask("submit", **JOB | {"definition": probe.ask("register", batch=BATCH), "script": script, **more})


def test_a_job_runs_in_a_container(probe, aws):  # noqa: F811
    script = 'echo "$1 $GREETED"; test -d /etc && test ! -e /root'
    job = submit(probe, script, arguments=["hello"], environment={"GREETED": "world"})
    assert ended(probe, job) == {
        "id": job,
        "name": "a_b_c-Hello-1-work-2-0",
        "status": "SUCCEEDED",
        "reason": "",
        "line": "Task finished with exit code 0.",
    }
    (stream,) = aws.client("logs").describe_log_streams(logGroupName="/aws/batch/job")["logStreams"]
    events = aws.client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream["logStreamName"])
    assert [event["message"] for event in events["events"]] == ["hello world"]


def test_a_job_that_fails_is_known_to_have_failed(probe):
    assert ended(probe, submit(probe, "exit 3"))["status"] == "FAILED"


def test_a_job_is_terminated(probe):
    job = submit(probe, "while :; do read -t 1 x </dev/zero; done")
    assert probe.ask("terminate", id=job, reason="Metaflow initiated job termination.") == []
    found = ended(probe, job)
    assert (found["status"], found["sentence"]) == ("FAILED", "The job was terminated by Metaflow.")


def test_a_job_on_a_queue_that_is_not_there_is_refused_in_words(probe):
    answer = probe.ask("submit", **JOB | {"batch": BATCH | {"queue": "other"}, "script": "true"})
    assert answer["error"].startswith("AWS Batch refused SubmitJob: ClientException")
