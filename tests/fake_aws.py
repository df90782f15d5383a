"""A small AWS on this machine for what no emulator shows: STS, the SSO portal, and the services that give keys to containers and machines.

Signatures are checked to the letter, by botocore's signer. Each answer can be replaced, by `script`.
"""

import datetime
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCOUNT = "123456789012"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
ROLES = "/latest/meta-data/iam/security-credentials/"


def moment(seconds_from_now: float = 3600) -> str:
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds_from_now)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict
    headers: dict  # names in lower case
    body: bytes

    @property
    def form(self) -> dict:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def key_id(self) -> str:
        """Of the keys that signed it; empty if none did."""
        _, _, after = self.headers.get("authorization", "").partition("Credential=")
        return after.partition("/")[0]


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str = ""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


Answer = tuple[int, dict, bytes]


def as_json(value, status: int = 200) -> Answer:
    return status, {"content-type": "application/json"}, json.dumps(value).encode()


def sts_answer(action: str, content: str) -> Answer:
    text = (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>{content}</{action}Result>'
        f"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )
    return 200, {"content-type": "text/xml"}, text.encode()


@dataclass
class FakeAws:
    """What the services know. A test may change all of it while they run."""

    keys: dict = field(default_factory=lambda: {"GOOD": ("secret", "")})  # secret and token by key id
    expired: set = field(default_factory=set)  # key ids
    web_token: str = "web-token"
    sso_token: str = "sso-token"
    container_token: str = ""
    machine_role: str = "machine-role"
    lifetime: float = 3600
    clock_ahead: float = 0  # seconds
    scripted: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def __enter__(self):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                size = int(self.headers.get("content-length", 0))
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self.rfile.read(size))
                status, extra, body = fake.answer(asked)
                self.send_response_only(status)
                for name, value in {"date": fake.date(), **extra, "content-length": len(body)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer  # named by the base class

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def script(self, name: str, *answers: Answer) -> None:
        """The next answers to an action of STS, or below a path, before those that would be given."""
        self.scripted.setdefault(name, []).extend(answers)

    def actions(self) -> list[str]:
        """What STS was asked, in order."""
        return [asked.form["Action"] for asked in self.asked if asked.method == "POST"]

    # Answering

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.clock_ahead)

    def date(self) -> str:
        return self.now().strftime("%a, %d %b %Y %H:%M:%S GMT")

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        name = asked.form.get("Action", "") if asked.method == "POST" else asked.path
        for scripted, answers in self.scripted.items():
            if answers and name.startswith(scripted):
                return answers.pop(0)
        try:
            return self.answer_to(asked)
        except Refused as refused:
            text = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{refused.code}</Code>"
                f"<Message>{refused.message}</Message></Error></ErrorResponse>"
            )
            return refused.status, {"content-type": "text/xml"}, text.encode()

    def answer_to(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            return self.sts(asked)
        if asked.path == "/federation/credentials":
            return self.sso(asked)
        if asked.path.startswith("/container"):
            return self.container(asked)
        return self.machine(asked)

    def sts(self, asked: Asked) -> Answer:
        if asked.path != "/" or asked.headers.get("content-type") != FORM:
            raise Refused(400, "MalformedInput", f"{asked.path} {asked.headers}")
        form = asked.form
        if form.get("Version") != "2011-06-15":
            raise Refused(400, "InvalidAction")
        action = form["Action"]
        if action == "AssumeRoleWithWebIdentity":
            if "authorization" in asked.headers or form["WebIdentityToken"] != self.web_token:
                raise Refused(400, "InvalidIdentityToken", "not the right token")
            return sts_answer(action, self.role_keys(form, "WEB"))
        self.check_signature(asked, "sts")
        if action == "AssumeRole":
            return sts_answer(action, self.role_keys(form, asked.key_id))
        if action == "GetCallerIdentity":
            arn = f"arn:aws:iam::{ACCOUNT}:user/{asked.key_id}"
            return sts_answer(action, f"<Arn>{arn}</Arn><UserId>U</UserId><Account>{ACCOUNT}</Account>")
        raise Refused(400, "InvalidAction", action)

    def role_keys(self, form: dict, by: str) -> str:
        """Keys whose id says who took on what: `GOOD>reader`."""
        role = form["RoleArn"].rpartition("/")[2]
        key_id = f"{by}>{role}"
        self.keys[key_id] = (f"secret of {key_id}", f"token of {key_id}")
        shown = key_id.replace(">", "&gt;")
        return (
            f"<AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{form['RoleSessionName']}</Arn>"
            f"<AssumedRoleId>A</AssumedRoleId></AssumedRoleUser>"
            f"<Credentials><AccessKeyId>{shown}</AccessKeyId><SecretAccessKey>secret of {shown}</SecretAccessKey>"
            f"<SessionToken>token of {shown}</SessionToken><Expiration>{moment(self.lifetime)}</Expiration></Credentials>"
        )

    def check_signature(self, asked: Asked, service: str) -> None:
        if not asked.key_id:
            raise Refused(403, "MissingAuthenticationToken", "unsigned")
        if asked.key_id not in self.keys:
            raise Refused(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if asked.key_id in self.expired:
            raise Refused(403, "ExpiredToken", "The security token included in the request is expired")
        secret, token = self.keys[asked.key_id]
        if asked.headers.get("x-amz-security-token", "") != token:
            raise Refused(403, "InvalidClientTokenId", "not the token of this key")
        date = asked.headers["x-amz-date"]
        signed = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        if abs((self.now() - signed).total_seconds()) > 900:
            raise Refused(403, "SignatureDoesNotMatch", f"Signature expired: {date} is now earlier than it may be")
        if asked.headers["authorization"] != self.expected_signature(asked, service, secret, token, date):
            raise Refused(403, "SignatureDoesNotMatch", "The signature does not match.")

    def expected_signature(self, asked: Asked, service: str, secret: str, token: str, date: str) -> str:
        """What botocore would have written; region and signed headers as the request has them."""
        given = asked.headers["authorization"]
        region = given.partition("Credential=")[2].split("/")[2]
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        required = {"host", "x-amz-date"} | {name for name in asked.headers if name.startswith("x-amz-")}
        if not required <= set(names):
            raise Refused(403, "SignatureDoesNotMatch", f"not signed: {required - set(names)}")
        signer = SigV4Auth(Credentials(asked.key_id, secret, token or None), service, region)
        headers = {name: asked.headers[name] for name in names}
        request = AWSRequest(asked.method, f"http://{asked.headers['host']}{asked.path}", headers, asked.body)
        request.context["timestamp"] = date
        to_sign = signer.string_to_sign(request, signer.canonical_request(request))
        scope = signer.scope(request)
        return (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(names)}, "
            f"Signature={signer.signature(to_sign, request)}"
        )

    def sso(self, asked: Asked) -> Answer:
        if asked.headers.get("x-amz-sso_bearer_token") != self.sso_token:
            return as_json({"__type": "UnauthorizedException", "message": "Session token not found or invalid"}, 401)
        if set(asked.query) != {"role_name", "account_id"}:
            return as_json({"__type": "InvalidRequestException"}, 400)
        expiration = int(datetime.datetime.now().timestamp() + self.lifetime) * 1000
        key_id = f"SSO>{asked.query['account_id']}>{asked.query['role_name']}"
        keys = {"accessKeyId": key_id, "secretAccessKey": "s", "sessionToken": "t", "expiration": expiration}
        self.keys[key_id] = ("s", "t")
        return as_json({"roleCredentials": keys})

    def local_keys(self, key_id: str) -> dict:
        self.keys[key_id] = ("s", "t")
        keys = {"AccessKeyId": key_id, "SecretAccessKey": "s", "Token": "t", "Expiration": moment(self.lifetime)}
        return {"Code": "Success", "LastUpdated": moment(0), "Type": "AWS-HMAC", **keys}

    def container(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization", "") != self.container_token:
            return as_json({"message": "not the right token"}, 401)
        return as_json(self.local_keys("CONTAINER"))

    def machine(self, asked: Asked) -> Answer:
        nothing = {}
        if asked.path == "/latest/api/token" and asked.method == "PUT":
            if "x-aws-ec2-metadata-token-ttl-seconds" not in asked.headers:
                return 400, nothing, b""
            return 200, nothing, b"machine-token"
        if asked.headers.get("x-aws-ec2-metadata-token") != "machine-token":
            return 401, nothing, b""
        if asked.path == ROLES and self.machine_role:
            return 200, nothing, self.machine_role.encode()
        if asked.path == ROLES + self.machine_role and self.machine_role:
            return as_json(self.local_keys("MACHINE"))
        return 404, nothing, b""
