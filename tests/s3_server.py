"""S3 on this machine: a moto server of its own, and how official's tools find it."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from botocore.config import Config
from conftest import DEADLINE

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": REGION}

# Says where it is, and ends with its input: so also when the tests are killed.
SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.basicConfig(level=logging.INFO)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


class S3Server:
    def __init__(self):
        self.log = tempfile.NamedTemporaryFile("r")  # appended to by the server, by another descriptor
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=Path(self.log.name).open("a"),
            text=True,
        )
        self.url = self.process.stdout.readline().strip()
        assert self.url, "moto does not start; is it installed (tests/requirements.txt)?"

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(DEADLINE)

    def take_requests(self) -> list[str]:
        """`PUT /bucket/key` for each request since the last call."""
        colour = r"(?:\x1b\[[0-9;]*m)*"
        return re.findall(rf'"{colour}([A-Z]+ \S+) HTTP', self.log.read())

    def keys(self, bucket: str, prefix: str) -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def variables(self) -> dict[str, str]:
        """What a program needs to find this server."""
        return KEYS | {"AWS_ENDPOINT_URL": self.url, "METAFLOW_S3_ENDPOINT_URL": self.url}

    def client(self):
        """Botocore's, with as little as possible between it and the wire."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )
