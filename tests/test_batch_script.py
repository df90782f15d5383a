"""How a job gets to its program: by what the image has, in a container and with chosen tools on this machine."""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile

import pytest
from aws_machine import BUCKET, KEYS, aws  # noqa: F401
from conftest import DEADLINE, SYSTEM_PYTHON
from test_batch_calls import BATCH, JOB, ended, offline, probe  # noqa: F401

PROGRAM = '#!/bin/sh\necho "ran $*"\nls\n'
NEEDED = ("sh", "cat", "chmod", "gzip", "ls", "mkdir", "rm", "sed", "sha1sum", "tar")


def code_package() -> bytes:
    """A code package whose program says how it was called."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        entry = tarfile.TarInfo("bin/Hello")
        entry.size, entry.mode = len(PROGRAM), 0o755
        archive.addfile(entry, io.BytesIO(PROGRAM.encode()))
    return made.getvalue()


@pytest.fixture
def code(aws) -> dict[str, str]:  # noqa: F811
    """The variables that lead to a package in S3."""
    package = code_package()
    sha = hashlib.sha1(package).hexdigest()
    key = f"root/Hello/data/{sha[:2]}/{sha}"
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(package))
    return {"METAFLOW_CODE_HTTP": f"{aws.url}/{BUCKET}/{key}", "METAFLOW_CODE_SHA": sha}


@pytest.fixture
def run(tmp_path, offline, code):  # noqa: F811
    """Runs the script where there is nothing but what it needs and these tools."""

    def run_with(*tools: str, **variables: str) -> subprocess.CompletedProcess:
        folder = tmp_path / "bin"
        folder.mkdir()
        for tool in (*NEEDED, *tools):
            path = SYSTEM_PYTHON if tool == "python3" else shutil.which(tool)
            assert path, tool
            (folder / tool).symlink_to(path)
        return subprocess.run(
            [folder / "sh", "-c", offline.ask("script"), "sh", "bin/Hello", "--a", "b c"],
            env={**KEYS, "METAFLOW_TEMPDIR": str(tmp_path), **code, **variables, "PATH": str(folder)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    return run_with


SAID = """Setting up task environment.
Downloading code package...
Code package downloaded.
Task is starting.
ran --a b c
bin
"""


@pytest.mark.parametrize("tool", ["curl", "python3"])
@pytest.mark.parametrize("token", ["", "to/ken+=="])
def test_either_tool_fetches_the_package(run, tool, token):
    done = run(tool, AWS_SESSION_TOKEN=token)
    assert (done.returncode, done.stdout, done.stderr) == (0, SAID, "")


def test_without_any_tool_all_that_was_tried_is_said(run):
    failed = run()
    assert failed.returncode == 1
    assert "cannot be fetched:\ncurl: there is none\npython3: there is none\n" in failed.stderr


def test_why_a_package_cannot_be_fetched_is_said(run, code):
    failed = run("curl", METAFLOW_CODE_HTTP=code["METAFLOW_CODE_HTTP"] + "x")
    assert failed.returncode == 1
    assert "404" in failed.stderr


def test_a_package_of_another_digest_is_not_run(run):
    failed = run("curl", METAFLOW_CODE_SHA="0" * 40)
    assert failed.returncode == 1
    assert "The code package is damaged" in failed.stderr
    assert "ran" not in failed.stdout


@pytest.fixture
def strict_keys(aws) -> dict[str, str]:  # noqa: F811
    """Keys of a user who may read S3, on a server that checks signatures as long as these are in use."""
    iam = aws.client("iam")
    iam.create_user(UserName="reader")
    rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=json.dumps(rights))
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    aws.check_signatures(True)
    yield {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
    aws.check_signatures(False)
    iam.delete_access_key(UserName="reader", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="reader", PolicyName="read")
    iam.delete_user(UserName="reader")


@pytest.mark.parametrize("tool", ["curl", "python3"])
def test_a_strict_server_takes_the_signature_of_either_tool(run, strict_keys, tool):
    done = run(tool, **strict_keys)
    assert (done.returncode, done.stdout, done.stderr) == (0, SAID, "")


def test_a_strict_server_refuses_keys_that_are_wrong(run, strict_keys):
    failed = run("curl", **strict_keys | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert failed.returncode == 1 and "403" in failed.stderr


def test_the_script_runs_in_a_container(probe, aws, code):  # noqa: F811
    given = JOB | {"definition": probe.ask("register", batch=BATCH), "script": probe.ask("script")}
    job = probe.ask(
        "submit", **given | {"arguments": ["bin/Hello", "x"], "environment": code | {"AWS_DEFAULT_REGION": "us-east-1"}}
    )
    assert ended(probe, job)["status"] == "SUCCEEDED"
    (stream,) = aws.client("logs").describe_log_streams(logGroupName="/aws/batch/job")["logStreams"]
    events = aws.client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream["logStreamName"])
    assert "ran x" in [event["message"] for event in events["events"]]
