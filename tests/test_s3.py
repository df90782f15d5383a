"""S3 as others speak it: moto answers, botocore reads what we wrote and writes what we read."""

import json
import os
import subprocess

import pytest
from conftest import BUILD, DEADLINE
from s3_server import S3Server

ODD_KEYS = [
    "a/b",
    "a b",
    "a+b",
    "a%20b",
    "a%b",
    "grüße/ключ/キー",
    "a?b#c",
    "a=b&c",
    "~-._",
    "a:b@c;d,e",
    "*'()!",
    '"<&>"',
    "a\\b|c",
    "[x]{y}^`",
    " a",
    "a ",
]


@pytest.fixture(scope="module")
def server():
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(server, request):
    """Named after the test."""
    name = request.node.name.split("[")[0].replace("_", "-")[:50] + "-" + os.urandom(4).hex()
    server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def botocore(server):
    return server.client()


@pytest.fixture
def ours(server, bucket):
    """What our client says to each of the requests, all to one bucket."""

    def ask(*requests: dict) -> list:
        lines = "".join(json.dumps({"bucket": bucket} | request) + "\n" for request in requests)
        said = subprocess.run(
            [BUILD / "tests/programs/s3_probe"],
            input=lines,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={"METAFLOW_S3_ENDPOINT_URL": server.url},
        )
        assert said.returncode == 0, said.stderr
        return [json.loads(line) for line in said.stdout.splitlines()]

    return ask


def text_of(botocore, bucket: str, key: str) -> str:
    return botocore.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def test_the_store_keeps_the_contract_of_stores(server):
    server.client().create_bucket(Bucket="contract")
    done = subprocess.run(
        [BUILD / "tests/programs/s3_contract"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={"METAFLOW_S3_ENDPOINT_URL": server.url},
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "[  PASSED  ]" in done.stdout


def test_botocore_reads_under_odd_keys_what_we_wrote(ours, botocore, bucket):
    assert ours(*({"do": "put", "key": key, "text": f"of {key}"} for key in ODD_KEYS)) == [True] * len(ODD_KEYS)
    listed = [entry["Key"] for entry in botocore.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sorted(listed) == sorted(ODD_KEYS)
    assert [text_of(botocore, bucket, key) for key in ODD_KEYS] == [f"of {key}" for key in ODD_KEYS]


def test_we_read_under_odd_keys_what_botocore_wrote(ours, botocore, bucket):
    for key in ODD_KEYS:
        botocore.put_object(Bucket=bucket, Key=key, Body=f"of {key}".encode())
    read = ours({"do": "list"}, *({"do": "get", "key": key} for key in ODD_KEYS))
    assert sorted(read[0]["keys"]) == sorted(ODD_KEYS)
    assert [object["text"] for object in read[1:]] == [f"of {key}" for key in ODD_KEYS]


def test_odd_keys_are_removed(ours, botocore, bucket):
    for key in ODD_KEYS:
        botocore.put_object(Bucket=bucket, Key=key, Body=b"")
    ours(*({"do": "remove", "key": key} for key in ODD_KEYS))
    assert "Contents" not in botocore.list_objects_v2(Bucket=bucket)


def test_metadata_and_type_go_both_ways(ours, botocore, bucket):
    metadata = {"metaflow-user-attributes": '{"cas_raw": false, "cas_version": 1}'}
    ours({"do": "put", "key": "ours", "text": "x", "type": "text/x", "metadata": metadata})
    head = botocore.head_object(Bucket=bucket, Key="ours")
    assert (head["Metadata"], head["ContentType"]) == (metadata, "text/x")
    botocore.put_object(Bucket=bucket, Key="theirs", Body=b"12", Metadata=metadata, ContentType="text/y")
    head, got = ours({"do": "head", "key": "theirs"}, {"do": "get", "key": "theirs"})
    for info in (head, got):
        assert (info["metadata"], info["type"], info["size"]) == (metadata, "text/y", 2)
    assert head["modified"] == int(botocore.head_object(Bucket=bucket, Key="theirs")["LastModified"].timestamp())


def test_a_large_object_goes_in_parts_and_comes_in_ranges(ours, botocore, bucket):
    line, times = "0123456789abcdef" * 4096 + "\n", 300  # 19.7 MB
    assert ours({"do": "put", "key": "k", "text": line, "times": times, "metadata": {"a": "b"}}) == [True]
    head = botocore.head_object(Bucket=bucket, Key="k")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"a": "b"}
    assert text_of(botocore, bucket, "k") == line * times
    assert ours({"do": "get", "key": "k"})[0]["text"] == line * times
    assert "Uploads" not in botocore.list_multipart_uploads(Bucket=bucket)


def test_a_large_object_that_is_there_is_left(ours, botocore, bucket):
    botocore.put_object(Bucket=bucket, Key="k", Body=b"old")
    assert ours({"do": "put", "key": "k", "text": "x" * (1 << 20), "times": 17, "if_absent": True}) == [False]
    assert text_of(botocore, bucket, "k") == "old"
    assert "Uploads" not in botocore.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"offset": 0}, "0123456789"),
        ({"offset": 3}, "3456789"),
        ({"offset": 3, "length": 4}, "3456"),
        ({"offset": 9, "length": 100}, "9"),
        ({"offset": 4, "length": 0}, ""),
        ({"offset": 10}, ""),
        ({"offset": 100, "length": 1}, ""),
    ],
)
def test_ranges(ours, botocore, bucket, part, text):
    botocore.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    (got,) = ours({"do": "get", "key": "k"} | part)
    assert (got["text"], got["size"]) == (text, 10)


def test_an_empty_object_is_read(ours, botocore, bucket):
    botocore.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "b"})
    (got,) = ours({"do": "get", "key": "k"})
    assert (got["text"], got["size"], got["metadata"]) == ("", 0, {"a": "b"})


def test_conditional_puts(ours, botocore, bucket):
    put = {"do": "put", "key": "k", "if_absent": True}
    assert ours(put | {"text": "first"}, put | {"text": "second"}) == [True, False]
    assert text_of(botocore, bucket, "k") == "first"


def test_what_is_missing(ours):
    assert ours({"do": "get", "key": "k"}, {"do": "head", "key": "k"}, {"do": "remove", "key": "k"}) == [None] * 3
    elsewhere = {"bucket": "no-such-bucket", "key": "k", "text": ""}
    answers = ours(*(elsewhere | {"do": what} for what in ("get", "head", "put", "list")))
    for answer in answers:
        assert "There is no bucket 'no-such-bucket' for s3://no-such-bucket/" in answer["error"]


def test_lists_of_many_pages(ours, botocore, bucket):
    for i in range(3):
        botocore.put_object(Bucket=bucket, Key=f"f/{i}/x", Body=b"")
    ours(*({"do": "put", "key": f"k/{i:04}", "text": ""} for i in range(1100)))
    flat, folders = ours({"do": "list", "key": "k/"}, {"do": "list", "key": "f/", "delimiter": "/"})
    assert flat == {"keys": [f"k/{i:04}" for i in range(1100)], "folders": []}
    assert folders == {"keys": [], "folders": ["f/0/", "f/1/", "f/2/"]}
