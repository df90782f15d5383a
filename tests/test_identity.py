"""Where AWS keys are found, judged by botocore: from the same files, environment and services both must find the same keys."""

import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
import textwrap

import pytest
from conftest import BUILD, DEADLINE, JUDGE_FOLDER
from fake_aws import FakeAws, as_json, moment

STATIC = "aws_access_key_id = {0}\naws_secret_access_key = s{0}\n"


def static(key_id: str) -> str:
    return STATIC.format(key_id)


class Machine:
    """A home with AWS' files, an environment, and the services around."""

    def __init__(self, home, fake, judge):
        self.home, self.fake, self.judge = home, fake, judge
        self.environment = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": fake.url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": fake.url,
        }

    def write(self, name: str, text: str):
        """A file in the home, where `HOME` and `FAKE` stand for what they are here."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.filled(text))
        return path

    def filled(self, text: str) -> str:
        return textwrap.dedent(text).replace("HOME", str(self.home)).replace("FAKE", self.fake.url)

    def config(self, text: str):
        self.write(".aws/config", text)

    def credentials(self, text: str):
        self.write(".aws/credentials", text)

    def sign_in(self, name: str, token: str, expires: str):
        digest = hashlib.sha1(name.encode()).hexdigest()
        self.write(f".aws/sso/cache/{digest}.json", json.dumps({"accessToken": token, "expiresAt": expires}))

    def ours(self, **more) -> dict:
        given = json.dumps({"environment": self.environment, "home": str(self.home), **more})
        said = subprocess.run(
            [BUILD / "tests/programs/aws_probe", "find_keys"],
            input=given + "\n",
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    def botocore(self) -> dict | None:
        self.judge.stdin.write(json.dumps(self.environment) + "\n")
        self.judge.stdin.flush()
        ready, _, _ = select.select([self.judge.stdout], [], [], DEADLINE)
        assert ready
        return json.loads(self.judge.stdout.readline())

    def agreed(self) -> str:
        """The key id that both find."""
        ours, theirs = self.ours(), self.botocore()
        assert theirs == {name: ours.get(name) for name in ("key_id", "secret", "token")}, ours
        return ours["key_id"]

    def refused(self) -> str:
        """What ours says where neither finds keys."""
        theirs = self.botocore()
        assert theirs is None or "error" in theirs
        return self.ours()["error"]


@pytest.fixture
def fake():
    with FakeAws() as fake:
        fake.keys |= {name: (f"s{name}", "") for name in ("ONE", "TWO", "ENV")}
        yield fake


@pytest.fixture(scope="module")
def botocore_judge():
    """botocore at work, started once."""
    command = [sys.executable, JUDGE_FOLDER / "find_keys.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()
        process.wait(timeout=DEADLINE)


@pytest.fixture
def machine(tmp_path, fake, botocore_judge) -> Machine:
    return Machine(tmp_path, fake, botocore_judge)


# Each: environment, files, key id.
CASES = {
    "environment": ({"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"}, {}, "ENV"),
    "environment before a profile": (
        {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "one"},
        {"config": "[profile one]\n" + static("ONE")},
        "ENV",
    ),
    "an older token": (
        {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SECURITY_TOKEN": "older"},
        {},
        "ENV",
    ),
    "a secret alone": ({"AWS_SECRET_ACCESS_KEY": "s"}, {"credentials": "[default]\n" + static("ONE")}, "ONE"),
    "credentials file": (
        {},
        {"credentials": "[default]\n" + static("ONE"), "config": "[default]\n" + static("TWO")},
        "ONE",
    ),
    "config file": ({}, {"config": "[default]\n" + static("TWO")}, "TWO"),
    "a profile": (
        {"AWS_PROFILE": "two words"},
        {"config": '[profile "two words"]\n' + static("TWO") + "[default]\n" + static("ONE")},
        "TWO",
    ),
    "a file of another name": (
        {"AWS_SHARED_CREDENTIALS_FILE": "HOME/mine"},
        {"../mine": "[default]\n" + static("ONE") + "aws_session_token = t\n"},
        "ONE",
    ),
    "role": (
        {},
        {
            "config": """
                [default]
                role_arn = arn:aws:iam::123456789012:role/reader
                source_profile = one
                external_id = a b&c
                role_session_name = me
                duration_seconds = 1800
                """,
            "credentials": "[one]\n" + static("ONE"),
        },
        "ONE>reader",
    ),
    "role of a role": (
        {"AWS_PROFILE": "top"},
        {
            "config": """
                [profile top]
                role_arn = arn:aws:iam::123456789012:role/writer
                source_profile = middle
                [profile middle]
                role_arn = arn:aws:iam::123456789012:role/reader
                source_profile = one
                """,
            "credentials": "[one]\n" + static("ONE"),
        },
        "ONE>reader>writer",
    ),
    "role by own keys": (
        {},
        {
            "credentials": "[default]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = default\n"
            + static("ONE")
        },
        "ONE>reader",
    ),
    "keys of a source before its role": (
        {"AWS_PROFILE": "top"},
        {
            "config": "[profile top]\nrole_arn = arn:aws:iam::123456789012:role/writer\nsource_profile = one\n"
            "[profile one]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = two\n"
            + static("ONE")
            + "[profile two]\n"
            + static("TWO")
        },
        "ONE>writer",
    ),
    "role by the container": (
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "FAKE/container"},
        {"config": "[default]\nrole_arn = arn:aws:iam::1:role/reader\ncredential_source = EcsContainer\n"},
        "CONTAINER>reader",
    ),
    "role by the machine": (
        {},
        {"config": "[default]\nrole_arn = arn:aws:iam::1:role/reader\ncredential_source = Ec2InstanceMetadata\n"},
        "MACHINE>reader",
    ),
    "role by a program": (
        {},
        {
            "config": "[default]\nrole_arn = arn:aws:iam::1:role/reader\nsource_profile = one\n"
            "[profile one]\ncredential_process = cat HOME/answer\n",
            "../answer": json.dumps({"Version": 1, "AccessKeyId": "ONE", "SecretAccessKey": "sONE"}),
        },
        "ONE>reader",
    ),
    "web identity": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader"},
        {"../token": "web-token"},
        "WEB>reader",
    ),
    "web identity of a profile": (
        {"AWS_ROLE_SESSION_NAME": "me"},
        {
            "config": "[default]\nweb_identity_token_file = HOME/token\nrole_arn = arn:aws:iam::123456789012:role/reader\n"
            + static("ONE"),
            "../token": "web-token",
        },
        "WEB>reader",
    ),
    "web identity of a source alone": (
        {"AWS_PROFILE": "top"},
        {
            "config": "[profile top]\nrole_arn = arn:aws:iam::1:role/writer\nsource_profile = web\n"
            "[profile web]\nweb_identity_token_file = HOME/token\nrole_arn = arn:aws:iam::1:role/reader\n",
            "../token": "web-token",
        },
        "WEB>reader>writer",
    ),
    "program": (
        {},
        {
            "config": r"""
                [default]
                credential_process = "HOME/a program" 'two words' a\ b "say \"so\""
                aws_access_key_id = TWO
                aws_secret_access_key = s
                """,
            "../a program": """\
                #!/bin/sh
                [ "$1|$2|$3" = 'two words|a b|say "so"' ] || exit 1
                echo '{"Version": 1, "AccessKeyId": "PROGRAM", "SecretAccessKey": "s", "SessionToken": "t",
                       "Expiration": "2999-01-01T00:00:00+00:00"}'
                """,
        },
        "PROGRAM",
    ),
    "credentials file before a program": (
        {},
        {"config": "[default]\ncredential_process = false\n", "credentials": "[default]\n" + static("ONE")},
        "ONE",
    ),
    "container": (
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "FAKE/container/x?y=z",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic open",
        },
        {},
        "CONTAINER",
    ),
    "container with a token in a file": (
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "FAKE/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "HOME/token",
        },
        {"../token": "Basic open"},
        "CONTAINER",
    ),
    "machine": ({}, {"config": "[default]\nregion = eu-west-1\n"}, "MACHINE"),
}


@pytest.mark.parametrize("name", CASES)
def test_both_find_the_same_keys(machine, name):
    environment, files, key_id = CASES[name]
    machine.environment |= {variable: machine.filled(text) for variable, text in environment.items()}
    for file, text in files.items():
        machine.write(f".aws/{file}", text).chmod(0o700)
    if "AUTHORIZATION" in str(environment):
        machine.fake.container_token = "Basic open"
    assert machine.agreed() == key_id


SSO_SESSION = """
    [default]
    sso_session = work
    sso_account_id = 210987654321
    sso_role_name = Reader
    [sso-session work]
    sso_start_url = https://example.awsapps.com/start
    sso_region = eu-west-1
    """
SSO_ALONE = """
    [profile old]
    sso_start_url = https://example.awsapps.com/start
    sso_region = eu-west-1
    sso_account_id = 210987654321
    sso_role_name = Reader
    """


def test_both_use_a_sign_in_by_session(machine):
    machine.config(SSO_SESSION)
    machine.sign_in("work", "sso-token", moment(7200))
    assert machine.agreed() == "SSO>210987654321>Reader"


def test_both_use_a_sign_in_without_session_also_for_a_role(machine):
    machine.config(
        SSO_ALONE + "[default]\n    role_arn = arn:aws:iam::123456789012:role/reader\n    source_profile = old"
    )
    machine.sign_in("https://example.awsapps.com/start", "sso-token", moment(7200))
    assert machine.agreed() == "SSO>210987654321>Reader>reader"


def test_a_sign_in_that_is_over_names_the_command(machine):
    machine.config(SSO_SESSION)
    assert "nobody has signed in yet" in machine.refused()
    machine.sign_in("work", "sso-token", moment(-60))
    said = machine.refused()
    assert "has ended at" in said
    assert "run 'aws sso login --sso-session work'" in said
    machine.sign_in("work", "another", moment(7200))
    assert "no longer accepted; run 'aws sso login --sso-session work'" in machine.refused()


def test_a_sign_in_without_session_names_the_profile(machine):
    machine.config(SSO_ALONE)
    machine.environment["AWS_PROFILE"] = "old"
    machine.sign_in("https://example.awsapps.com/start", "sso-token", moment(-60))
    assert "run 'aws sso login --profile old'" in machine.refused()


def test_a_role_is_asked_for_in_the_same_words(machine):
    environment, files, _ = CASES["role"]
    machine.environment |= environment
    for file, text in files.items():
        machine.write(f".aws/{file}", text)
    machine.agreed()
    ours, theirs = (asked.form for asked in machine.fake.asked)
    assert ours == theirs
    assert ours["ExternalId"] == "a b&c"


def test_a_device_is_asked_for_its_code(machine):
    machine.config(
        "[default]\nrole_arn = arn:aws:iam::1:role/reader\nsource_profile = one\nmfa_serial = arn:aws:iam::1:mfa/ada\n"
        "[profile one]\n" + static("ONE")
    )
    assert machine.ours(code="123456")["key_id"] == "ONE>reader"
    assert machine.fake.asked[-1].form["TokenCode"] == "123456 of arn:aws:iam::1:mfa/ada"
    assert machine.fake.asked[-1].form["SerialNumber"] == "arn:aws:iam::1:mfa/ada"
    said = machine.ours()["error"]
    assert "config' line 4" in said
    assert "there is no terminal to ask for it" in said


ROLE = "[default]\nrole_arn = arn:aws:iam::1:role/reader\n"
REFUSED = {
    "circle": (
        "[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = c\nsource_profile = default\n",
        "config' line 6 closes a circle of profiles ('default' -> 'b' -> 'default')",
    ),
    "own role without keys": (ROLE + "source_profile = default\n", "closes a circle of profiles"),
    "no source": (ROLE, "config' line 2 names a role for profile 'default', but not with whose keys"),
    "two sources": (ROLE + "source_profile = b\ncredential_source = Environment\n", "has both source_profile"),
    "unknown source": (ROLE + "credential_source = Nowhere\n", "it has to be Environment, EcsContainer or"),
    "source that is missing": (ROLE + "source_profile = b\n", "line 3 names the profile 'b', which does not exist"),
    "source without keys": (
        ROLE + "source_profile = b\n[profile b]\nregion = x\n",
        "line 3 says that profile 'b' has keys, and it has none",
    ),
    "role that refuses": (
        ROLE + "source_profile = b\n[profile b]\n" + static("STRANGER"),
        "config' line 2 names, cannot be taken on: AWS STS at ",
    ),
    "half a key": ("[default]\naws_access_key_id = ONE\n", "config' line 2 begins the keys of profile 'default'"),
    "half an SSO": ("[default]\nsso_account_id = 1\nsso_role_name = x\n", "sso_start_url is missing"),
    "program that fails": (
        "[default]\ncredential_process = sh -c 'echo so it is >&2; exit 3'\n",
        "config' line 2 names for keys, 'sh', failed and said: so it is",
    ),
    "program of another form": (
        """[default]\ncredential_process = echo '{"Version": 2}'\n""",
        """'echo', does not say "Version": 1""",
    ),
    "program that says nothing": ("[default]\ncredential_process = true\n", "did not answer with a JSON object"),
    "program that is missing": ("[default]\ncredential_process = /nowhere/x\n", "gave none: cannot start '/nowhere/x'"),
    "program with half a key": (
        """[default]\ncredential_process = echo '{"Version": 1, "AccessKeyId": "A"}'\n""",
        "SecretAccessKey",
    ),
    "token that is missing": (
        ROLE + "web_identity_token_file = HOME/none\n",
        "/none', which '",
    ),
    "token of a stranger": (ROLE + "web_identity_token_file = HOME/stranger\n", "InvalidIdentityToken (400)"),
    "aws login": ("[default]\nlogin_session = arn:aws:iam::1:user/a\n", "aws configure export-credentials"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_work_is_an_error_to_both(machine, name):
    config, sentence = REFUSED[name]
    machine.write("stranger", "someone")
    machine.config(config)
    assert sentence in machine.refused()


@pytest.mark.parametrize(
    ("url", "is_asked"),
    [
        ("http://localhost:1/x", True),
        ("http://127.9.9.9:1/x", True),
        ("http://[::1]:1/x", True),
        ("https://localhost:1/x", True),
        ("http://example.com/x", False),
        ("http://127.0.0.1.example.com/x", False),
        ("http://127.0.0.1@example.com/x", False),
        ("http://example.com\\@127.0.0.1/x", False),
        ("ftp://127.0.0.1/x", False),
        ("http://169.254.169.254/x", False),
        ("127.0.0.1/x", False),
    ],
)
def test_a_container_asks_nobody_but_its_host(machine, url, is_asked):
    machine.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
    said = machine.ours()["error"]
    assert ("No keys from the container's service at " in said) == is_asked
    assert ("keys are only asked for by https" in said) == (not is_asked)


def test_a_path_on_another_host_is_refused(machine):
    machine.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = ".example.com/x"
    assert "it has to begin with '/'" in machine.ours()["error"]


def test_a_token_of_two_lines_is_refused(machine):
    machine.environment |= {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": machine.fake.url + "/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nx-evil: b",
    }
    assert "has more than one line" in machine.refused()
    assert machine.fake.asked == []


def test_a_container_that_fails_is_asked_three_times(machine):
    machine.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = machine.fake.url + "/container"
    machine.fake.script("/container", as_json({}, 500), as_json({}, 500))
    assert machine.ours()["key_id"] == "CONTAINER"
    machine.fake.script("/container", *[as_json({}, 500)] * 3)
    assert "status 500; check the role of the container" in machine.ours()["error"]
    assert len(machine.fake.asked) == 6


def test_a_machine_without_a_role_has_no_keys_and_all_places_are_named(machine):
    machine.fake.machine_role = ""
    said = machine.refused()
    for place in (
        "AWS_ACCESS_KEY_ID in the environment",
        "role_arn of profile 'default'",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "sso_account_id of profile 'default'",
        f"keys of profile 'default' in '{machine.home}/.aws/credentials'",
        "credential_process of profile 'default'",
        f"keys of profile 'default' in '{machine.home}/.aws/config'",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI",
        f"a role of this machine at {machine.fake.url} (it has none: status 404)",
    ):
        assert place in said
    machine.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    assert "not asked, as AWS_EC2_METADATA_DISABLED is set" in machine.refused()


def test_keys_of_a_machine_whose_service_is_disturbed_stay_in_use(machine):
    machine.fake.lifetime = -3600
    assert machine.agreed() == "MACHINE"


def test_sts_is_asked_again_after_what_passes(machine):
    machine.config(ROLE + "source_profile = one\n[profile one]\n" + static("ONE"))
    machine.fake.script("AssumeRole", (503, {}, b""), (400, {}, b"<E><Error><Code>Throttling</Code></Error></E>"))
    assert machine.ours()["key_id"] == "ONE>reader"
    assert machine.fake.actions() == ["AssumeRole"] * 3


def test_a_clock_that_is_off_is_corrected_once(machine):
    machine.config(ROLE + "source_profile = one\n[profile one]\n" + static("ONE"))
    machine.fake.clock_ahead = 7200
    machine.fake.lifetime = 10800
    assert machine.ours()["key_id"] == "ONE>reader"
    assert machine.fake.actions() == ["AssumeRole"] * 2


# metaflow status


@pytest.fixture
def status(project, fake):
    """Runs `metaflow status` where S3 is configured, with nothing but what is given."""

    def run(**variables):
        settings = {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/root", "AWS_EC2_METADATA_DISABLED": "true"}
        return project.run(BUILD / "bin/metaflow", "status", **settings | variables).stdout

    return run


KNOWN = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "sENV", "AWS_REGION": "eu-west-1"}


def test_status_says_whose_keys_these_are(status, fake):
    said = status(AWS_ENDPOINT_URL=fake.url, **KNOWN)
    assert "METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/root   (in the environment)\n" in said
    assert "region    eu-west-1, from AWS_REGION\n" in said
    assert "keys      ENV, keys from the environment\n" in said
    assert "identity  arn:aws:iam::123456789012:user/ENV, of account 123456789012\n" in said
    assert fake.actions() == ["GetCallerIdentity"]


def test_status_says_when_keys_end(status, fake):
    fake.keys["ENV"] = ("sENV", "t")
    known = KNOWN | {"AWS_ENDPOINT_URL": fake.url, "AWS_SESSION_TOKEN": "t"}
    assert "ENV, temporary keys from the environment, expiry unknown\n" in status(**known)
    said = status(**known, AWS_CREDENTIAL_EXPIRATION="2999-01-01T00:00:00Z")
    assert "temporary keys from the environment, good until 2999-01-01 00:00:00 UTC\n" in said


def test_status_says_why_aws_does_not_take_keys(status, fake):
    fake.expired.add("ENV")
    said = status(AWS_ENDPOINT_URL=fake.url, **KNOWN)
    assert f"identity  AWS STS at {fake.url} refuses GetCallerIdentity: ExpiredToken (403): " in said
    said = status(AWS_ENDPOINT_URL="http://127.0.0.1:1", **KNOWN | {"AWS_SECRET_ACCESS_KEY": ""})
    assert "keys      AWS_ACCESS_KEY_ID is set in the environment and AWS_SECRET_ACCESS_KEY is not" in said
    assert "identity  There are no keys to ask with\n" in said


def test_status_tells_an_error_of_the_module_in_words(status, project):
    """It comes from beyond the boundary, as the module reads that file."""
    path = project.folder / "config"
    path.write_text("[default]\nnonsense\n")
    said = status(AWS_CONFIG_FILE=path, **KNOWN)
    assert (
        f"AWS:\n\n'{path}' cannot be used: line 2 is neither a section nor 'name = value'; correct that line\n" in said
    )


def test_the_code_of_a_device_is_asked_for_on_a_terminal(project, fake):
    (project.folder / "config").write_text(
        "[default]\nrole_arn = arn:aws:iam::1:role/reader\nsource_profile = one\nmfa_serial = ada\n[profile one]\n"
        + static("ONE")
    )
    variables = {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/root", "AWS_CONFIG_FILE": "config"}
    terminal, end = os.openpty()
    process = subprocess.Popen(
        [BUILD / "bin/metaflow", "status"],
        cwd=project.folder,
        env=project.variables | variables | {"AWS_ENDPOINT_URL": fake.url},
        stdin=end,
        stdout=subprocess.PIPE,
        stderr=end,
    )
    os.close(end)
    written = b""
    while b"Code that the device ada shows: " not in written:
        ready, _, _ = select.select([terminal], [], [], DEADLINE)
        assert ready, written
        written += os.read(terminal, 1000)
    os.write(terminal, b"123456\n")
    said, _ = process.communicate(timeout=DEADLINE)
    os.close(terminal)
    assert b"ONE>reader, temporary keys from the role arn:aws:iam::1:role/reader of 'config' line 2" in said
    assert fake.asked[0].form["TokenCode"] == "123456"


def test_without_aws_nothing_is_asked_and_nothing_loaded(project, fake):
    said = project.run(BUILD / "bin/metaflow", "status", AWS_ENDPOINT_URL=fake.url, LD_DEBUG="files", **KNOWN)
    assert "libc.so.6" in said.stderr
    for name in ("libmetaflow_cloud.so", "libcurl.so", "libpugixml.so"):
        assert name not in said.stderr
    assert "AWS:" not in said.stdout
    assert fake.asked == []


def test_the_module_of_another_build_is_refused(status, project):
    """The program with an old module beside it, as an update may leave it."""
    folder = project.folder.parent / "old"
    (folder / "bin").mkdir(parents=True)
    shutil.copy(BUILD / "bin/metaflow", folder / "bin")
    shutil.copy(BUILD / "tests/programs/libold_module.so", folder / "libmetaflow_cloud.so")
    settings = {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/root"}
    said = project.run(folder / "bin/metaflow", "status", **settings).stdout
    assert f"'{folder}/libmetaflow_cloud.so' belongs to Metaflow 2.0.0+cpp.0.0.1, and this is 2." in said
    (folder / "libmetaflow_cloud.so").unlink()
    said = project.run(folder / "bin/metaflow", "status", **settings).stdout
    assert f"there is no file '{folder}/bin/libmetaflow_cloud.so', '{folder}/libmetaflow_cloud.so'" in said
