"""AWS on one machine: moto answers the calls, and podman runs the containers of its Batch jobs."""

import contextlib
import io
import os
import select
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from conftest import DEADLINE, missing

REGION = "us-east-1"
IMAGE = "localhost/metaflow-test:1"
QUEUE = "jobs"
BUCKET = "films"
JOB_ROLE = "arn:aws:iam::123456789012:role/job"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": REGION}

# Raising limits, and the file system of cgroups, are often refused inside of a container.
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Machine:
    """A moto server and, once a container is asked for, podman; both end with it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="aws-"))  # short, as sockets have short names
        self.processes: list[subprocess.Popen] = []
        self.podman_variables = os.environ | {"CONTAINERS_CONF": str(self.folder / "containers.conf")}
        self.url = ""

    def start(self) -> None:
        (self.folder / "containers.conf").write_text(CONTAINERS_CONF)
        self._start_podman()
        self._start_moto()

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(DEADLINE)
        if shutil.which("podman"):
            self._podman("rm", "--all", "--force", "--time", "0")
        shutil.rmtree(self.folder, ignore_errors=True)

    def variables(self) -> dict[str, str]:
        """What a program needs to find this AWS."""
        return KEYS | {"AWS_ENDPOINT_URL": self.url, "METAFLOW_S3_ENDPOINT_URL": self.url}

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )

    def make_queue(self) -> None:
        """A queue whose machines are of EC2, and the roles and the bucket that jobs need."""
        self.client("s3").create_bucket(Bucket=BUCKET)
        iam, batch, ec2 = self.client("iam"), self.client("batch"), self.client("ec2")
        for role in ("job", "service", "instance"):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        profile = iam.create_instance_profile(InstanceProfileName="instance")["InstanceProfile"]["Arn"]
        iam.add_role_to_instance_profile(InstanceProfileName="instance", RoleName="instance")
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:1]]
        groups = [group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"][:1]]
        environment = batch.create_compute_environment(
            computeEnvironmentName="machines",
            type="MANAGED",
            state="ENABLED",
            serviceRole="arn:aws:iam::123456789012:role/service",
            computeResources={
                "type": "EC2",
                "minvCpus": 0,
                "maxvCpus": 16,
                "instanceTypes": ["optimal"],
                "subnets": subnets,
                "securityGroupIds": groups,
                "instanceRole": profile,
            },
        )["computeEnvironmentArn"]
        batch.create_job_queue(
            jobQueueName=QUEUE,
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
        )

    def check_signatures(self, on: bool) -> None:
        """Whether moto minds who signs a request, and what rights they have."""
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth",
            data=b"0" if on else b"inf",
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
        urllib.request.urlopen(request, timeout=DEADLINE).close()

    # podman

    def _podman(self, *words, **settings) -> subprocess.CompletedProcess:
        command = [
            "podman",
            "--root",
            self.folder / "root",
            "--runroot",
            self.folder / "run",
            "--storage-driver",
            "vfs",
        ]
        return subprocess.run([*command, *words], env=self.podman_variables, capture_output=True, **settings)

    def _start_podman(self) -> None:
        for tool in ("podman", "runc", "busybox", "curl"):
            if not shutil.which(tool):
                missing(f"{tool} is missing, so that no container of a job can be run; `./dev setup test` installs it")
        made = self._podman("import", *_changes(), "-", IMAGE, input=make_image())
        assert made.returncode == 0, made.stderr.decode()
        tried = self._podman("run", "--rm", "--network", "host", IMAGE, "true")
        if tried.returncode != 0:
            missing(f"podman cannot run containers here: {tried.stderr.decode().strip()}")
        # It inherits the socket, so that whoever connects early waits instead of failing.
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / "podman.sock"))
        listener.listen(16)
        service = (
            'exec 3<&"$1"; export LISTEN_PID=$$ LISTEN_FDS=1; shift; exec podman --root "$1/root" --runroot "$1/run"'
            " --storage-driver vfs system service --time=0"
        )
        with listener, (self.folder / "podman.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    ["bash", "-c", service, "podman", str(listener.fileno()), str(self.folder)],
                    env=self.podman_variables,
                    pass_fds=[listener.fileno()],
                    stdout=log,
                    stderr=log,
                )
            )

    def _start_moto(self) -> None:
        moto = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            env=os.environ | {"DOCKER_HOST": f"unix://{self.folder}/podman.sock", "MOTO_DOCKER_NETWORK_MODE": "host"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.processes.append(moto)
        said, end = b"", time.monotonic() + DEADLINE
        while b"Running on http" not in said or not said.endswith(b"\n"):
            ready, _, _ = select.select([moto.stderr], [], [], max(end - time.monotonic(), 0))
            more = os.read(moto.stderr.fileno(), 65536) if ready else b""
            assert more, f"moto did not start: {said.decode()}"
            said += more
        self.url = said.decode().split("Running on ")[1].split()[0]
        # What it says of each request has to go somewhere.
        self.processes.append(
            subprocess.Popen(["cat"], stdin=moto.stderr, stdout=(self.folder / "moto.log").open("wb"))
        )
        moto.stderr.close()


def _changes() -> list[str]:
    """The task in a container finds its keys in the environment, as moto has no others for it."""
    variables = {"PATH": "/bin", **{name: value for name, value in KEYS.items() if name != "AWS_DEFAULT_REGION"}}
    return [word for name, value in variables.items() for word in ("--change", f"ENV {name}={value}")]


def make_image() -> bytes:
    """A tar archive with busybox, and curl with its libraries, from this machine."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for folder in ("bin", "lib", "lib64", "tmp", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        _add_file(archive, shutil.which("busybox"), "bin/busybox")
        for applet in _output("busybox", "--list").split():
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
        curl = shutil.which("curl")
        _add_file(archive, curl, "bin/curl")
        for line in _output("ldd", curl).splitlines():
            path = next((word for word in line.split() if word.startswith("/")), None)
            if path:
                name = path if path.startswith("/lib64") else f"/lib/{Path(path).name}"
                _add_file(archive, path, name.lstrip("/"))
    return made.getvalue()


def _add_file(archive: tarfile.TarFile, path: str, name: str) -> None:
    content = Path(path).resolve().read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    archive.addfile(entry, io.BytesIO(content))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def aws_machine():
    machine = Machine()
    try:
        machine.start()
        machine.make_queue()
        yield machine
    finally:
        machine.stop()


@pytest.fixture(scope="module")
def aws():
    """An AWS of its own for the tests of one file."""
    with aws_machine() as machine:
        yield machine
