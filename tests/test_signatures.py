"""Signatures of AWS requests, judged by botocore: the same requests, keys and moments must give the same signatures."""

import datetime
import itertools
import json
import subprocess
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.compat import quote
from botocore.credentials import Credentials
from conftest import BUILD

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MOMENT = datetime.datetime(2026, 11, 24, 15, 4, 5, tzinfo=datetime.UTC)
UNSIGNED = "UNSIGNED-PAYLOAD"
KEYS = [
    "",
    "a",
    "a//b",
    "/a",
    "./a",
    "a/../b",
    "a+b",
    "a%20b",
    "a b",
    "grüße/ключ/キー",
    "a?b#c",
    "a=b&c",
    "~-._",
    "a:b@c",
    "a\tb",
    "*'()",
]
QUERIES = [[], [["list-type", "2"], ["prefix", "a b/ü+%"]], [["b", ""], ["a", "2"], ["a", "1"], ["A", "x=y&z"]]]


def probe(question: str, inputs: list) -> list:
    """What the probe answers to each of the inputs."""
    lines = "".join(json.dumps(one) + "\n" for one in inputs)
    said = subprocess.run(
        [BUILD / "tests/programs/aws_probe", question], input=lines, capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


@pytest.fixture(autouse=True)
def clock_of_botocore(monkeypatch):
    monkeypatch.setattr(auth, "get_current_datetime", lambda: MOMENT.replace(tzinfo=None))


def given(service="batch", path="/", query=(), headers=(), token="", valid=0, digest="", method="GET") -> dict:
    return {
        "method": method,
        "path": path,
        "query": list(query),
        "headers": [["host", "example.amazonaws.com"], *headers],
        "payload_digest": digest or "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "service": service,
        "region": "eu-central-1",
        "key_id": KEY_ID,
        "secret": SECRET,
        "token": token,
        "time": int(MOMENT.timestamp()),
        "valid": valid,
    }


def by_botocore(one: dict) -> dict:
    """The same request, signed by botocore."""
    kinds = {
        (True, True): auth.S3SigV4QueryAuth,
        (True, False): auth.S3SigV4Auth,
        (False, True): auth.SigV4QueryAuth,
        (False, False): auth.SigV4Auth,
    }
    kind = kinds[one["service"] == "s3", one["valid"] > 0]
    more = {"expires": one["valid"]} if one["valid"] else {}
    signer = kind(Credentials(KEY_ID, SECRET, one["token"] or None), one["service"], one["region"], **more)
    seen = {}
    canonical, to_sign = signer.canonical_request, signer.string_to_sign
    signer.canonical_request = lambda request: seen.setdefault("canonical_request", canonical(request))
    signer.string_to_sign = lambda *parts: seen.setdefault("string_to_sign", to_sign(*parts))
    # A presigned URL of S3 never signs its body.
    if one["service"] == "s3" and not one["valid"]:
        signer.payload = lambda request: one["payload_digest"]
    query = "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in one["query"])
    url = f"https://example.amazonaws.com{one['path']}{'?' + query if query else ''}"
    request = AWSRequest(
        method=one["method"], url=url, headers={name: value for name, value in one["headers"][1:]}, data=b""
    )
    signer.add_auth(request)
    if one["valid"]:
        seen["signature"] = dict(parse_qsl(urlsplit(request.url).query))["X-Amz-Signature"]
    else:
        seen["authorization"] = request.headers["Authorization"]
    return seen


def check(cases: list[dict]) -> None:
    for one, ours in zip(cases, probe("sign", cases), strict=True):
        theirs = by_botocore(one)
        for part in ("canonical_request", "string_to_sign", "signature"):
            if part in theirs:
                assert ours[part] == theirs[part], one
        if "authorization" in theirs:
            assert dict(ours["headers"])["authorization"] == theirs["authorization"], one
        else:
            assert ours["query"].endswith(f"&X-Amz-Signature={theirs['signature']}")


def test_any_key_of_s3_is_signed_as_it_is_sent():
    paths = probe("encode_path", [f"/bucket/{key}" for key in KEYS])
    check(
        [
            given("s3", path, query, token=token)
            for path, query, token in itertools.product(paths, QUERIES, ["", "to/ken+=="])
        ]
    )


def test_urls_for_s3_are_signed_in_the_query():
    paths = probe("encode_path", [f"/bucket/{key}" for key in KEYS])
    check(
        [
            given("s3", path, query, token=token, valid=900, digest=UNSIGNED)
            for path, query, token in itertools.product(paths, QUERIES[:2], ["", "to/ken+=="])
        ]
    )


def test_paths_of_other_services_are_normalised_and_encoded_twice():
    paths = probe("encode_path", [f"/{key}" for key in KEYS] + ["//a//b/", "/a/./b/../c/", "/.."])
    check([given("batch", path, query) for path, query in itertools.product(paths, QUERIES)])


def test_values_of_headers_are_signed_without_extra_blanks():
    headers = [["X-Amz-Meta-B", "  two   words  "], ["Content-Type", "application/json"], ["x-amz-meta-a", ""]]
    check([given("s3", headers=headers, method="PUT", digest=UNSIGNED), given("sts", headers=headers, method="POST")])
