"""A judge that stays: for each environment on standard input, one a line as JSON, says in one line of JSON what keys botocore finds there.

Each is looked at in a fork, which starts with botocore and its data loaded.
"""

import functools
import json
import os
import sys

from botocore.credentials import SSOProvider
from botocore.loaders import JSONFileLoader
from botocore.session import Session
from botocore.tokens import SSOTokenProvider

read_from_disk = JSONFileLoader().load_file


@functools.cache
def read_once(path: str) -> dict:
    return read_from_disk(path)


JSONFileLoader.load_file = lambda _, path: read_once(path)


def keys_of(environment: dict) -> dict | None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(environment["HOME"])
    # Both were made of the home when botocore was imported.
    SSOProvider._SSO_TOKEN_CACHE_DIR = SSOTokenProvider._SSO_TOKEN_CACHE_DIR = environment["HOME"] + "/.aws/sso/cache"
    try:
        keys = Session().get_credentials()
        frozen = keys and keys.get_frozen_credentials()
        return frozen and {"key_id": frozen.access_key, "secret": frozen.secret_key, "token": frozen.token or ""}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    for service in ("sts", "sso"):
        Session().create_client(service, "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    for line in sys.stdin:
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        print(json.dumps(keys_of(json.loads(line))), flush=True)
        os._exit(0)
