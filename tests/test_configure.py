"""`metaflow configure` and `metaflow status`: beside the official program, at a pseudo terminal, and where files go wrong."""

import json
import os
import re
import select
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD, DEADLINE, REPOSITORY, judge, missing, program

METAFLOW = BUILD / "bin/metaflow"
ROLE = "arn:aws:iam::123456789012:role/jobs"


def configure(project, *arguments, answers: str | None = None, **variables):
    """Runs `metaflow configure …`, with these lines piped in."""
    process = project.start(
        [METAFLOW, "configure", *arguments],
        stdin=subprocess.DEVNULL if answers is None else subprocess.PIPE,
        **variables,
    )
    if answers is not None:
        process.stdin.write(answers.encode())
        process.stdin.close()
        process.stdin = None
    return project.finish(process)


def home(project) -> Path:
    return Path(project.variables["HOME"]) / ".metaflowconfig"


def config_file(project, profile: str = "") -> Path:
    return home(project) / (f"config_{profile}.json" if profile else "config.json")


def stored(project, profile: str = "") -> dict:
    return json.loads(config_file(project, profile).read_text())


def store(project, settings: dict | str, profile: str = "") -> None:
    home(project).mkdir(exist_ok=True)
    text = settings if isinstance(settings, str) else json.dumps(settings)
    config_file(project, profile).write_text(text)


class Terminal:
    """A program at a pseudo terminal: what it shows, and somebody who types."""

    def __init__(self, project, *command):
        self.screen, end = os.openpty()
        self.process = subprocess.Popen(
            [str(part) for part in command],
            cwd=project.folder,
            env=project.variables,
            stdin=end,
            stdout=end,
            stderr=end,
            preexec_fn=take_terminal,
        )
        os.close(end)
        self.shown = ""
        self.read = 0

    def wait_for(self, text: str) -> None:
        """Until this is shown, after what was waited for before."""
        while (found := self.shown.find(text, self.read)) < 0:
            assert self.more(), f"ended without {text!r}:\n{self.shown}"
        self.read = found + len(text)

    def more(self) -> bool:
        ready, _, _ = select.select([self.screen], [], [], DEADLINE)
        assert ready, f"nothing more came after:\n{self.shown}"
        try:
            chunk = os.read(self.screen, 65_536)
        except OSError:  # nobody holds the other end any more
            return False
        self.shown += chunk.decode().replace("\r\n", "\n")
        return bool(chunk)

    def type(self, keys: str) -> None:
        os.write(self.screen, keys.encode())

    def answer(self, prompt: str, line: str) -> None:
        self.wait_for(prompt)
        self.type(line + "\n")

    def end(self) -> int:
        while self.more():
            pass
        os.close(self.screen)
        return self.process.wait(timeout=DEADLINE)


def take_terminal() -> None:
    """In the child: Ctrl-C typed at this terminal is meant for it."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def wizard(project, *arguments) -> Terminal:
    return Terminal(project, METAFLOW, "configure", "aws", *arguments)


# Beside the official program

SETTINGS = {"METAFLOW_B": "2", "METAFLOW_A": "", "Z": 3, "METAFLOW_L": ["é\x7f"], "METAFLOW_D": {"b": {}, "a": 1.5e30}}


def both(project, official_project, *arguments, answers: str | None = None):
    """The same command by our program and by the official one: how each ended."""
    ours = configure(project, *arguments, answers=answers)
    command = [judge().parent / "metaflow", "configure", *arguments]
    process = official_project.start(command, stdin=subprocess.PIPE)
    process.stdin.write((answers or "").encode())
    process.stdin.close()
    process.stdin = None
    return ours, official_project.finish(process)


def test_import_show_export_and_reset_do_what_official_does(project, official_project):
    for each in (project, official_project):
        (each.folder / "in.json").write_text(json.dumps(SETTINGS))
        (each.folder / "strings.json").write_text(json.dumps({"METAFLOW_B": "2", "METAFLOW_A": "x y"}))

    def same(*arguments, answers=None):
        ours, theirs = both(project, official_project, *arguments, answers=answers)
        assert ours.exit == theirs.exit, f"{arguments}\n{ours}\n{theirs}"
        for name in ("config.json", "out.json"):
            files = [next(each.folder.parent.rglob(name), None) for each in (project, official_project)]
            files = [path and path.read_bytes() for path in files]
            assert files[0] == files[1], (arguments, name)
        return ours, theirs

    same("show")
    same("import", "missing.json")
    same("import", "in.json")
    same("export", "out.json")
    same("export", "out.json", answers="n\n")
    same("export", "out.json", answers="y\n")
    same("export", "out.json")  # the input ends
    same("export", "no/such/folder/out.json")
    same("import", "strings.json", answers="y\n")
    shown = [[line for line in result.stdout.splitlines() if re.match(r"\w+=", line)] for result in same("show")]
    assert shown[0] == shown[1] == ["METAFLOW_A=x y", "METAFLOW_B=2"]
    same("reset", answers="n\n")
    same("reset")
    same("reset", answers="y\n")
    assert not config_file(project).exists()
    same("reset")
    for command in (["show"], ["export", "o.json"], ["reset"]):
        same(*command, "--profile", "nope")
    same("import")


def test_official_reads_what_the_wizard_writes(project):
    configure(project, "aws", "--yes", "--set", "DATASTORE_SYSROOT_S3=s3://bucket/runs").succeeded()
    code = "from metaflow.metaflow_config import DEFAULT_DATASTORE as d, DATASTORE_SYSROOT_S3 as r; print(d, r)"
    assert project.run(judge(), "-c", code).succeeded().stdout == "s3 s3://bucket/runs\n"


def test_every_setting_of_official_is_known(project):
    names = project.official(
        """
        import pathlib, re, metaflow
        folder = pathlib.Path(metaflow.__file__).parent
        found = (re.findall(r'from_conf\\(\\s*"([A-Z0-9_]+)"', path.read_text()) for path in folder.rglob("*.py"))
        result = sorted({name for names in found for name in names})
        """
    )
    known = configure(project, "show", "--all").succeeded().stdout
    assert len(names) > 100
    assert [name for name in names if f"\nMETAFLOW_{name} " not in known] == []


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("S3_RETRY_COUNT", "many", True),
        ("S3_RETRY_COUNT", "", True),
        ("S3_RETRY_COUNT", "3", False),
        ("BATCH_DEFAULT_TAGS", "{", True),
        ("BATCH_DEFAULT_TAGS", '{"a": 1}', False),
        ("BATCH_EMIT_TAGS", "whatever", False),
    ],
)
def test_values_are_refused_at_the_start_of_a_run_as_official_does(project, name, value, refused):
    variable = {f"METAFLOW_{name}": value}
    official = project.run(judge(), "-c", "import metaflow", **variable)
    ours = project.run_flow("single", "run", **variable)
    assert [official.exit != 0, ours.exit != 0] == [refused, refused]
    if refused:
        assert f"METAFLOW_{name} (in the environment) should be " in ours.stderr


# The file


def test_an_import_is_refused_by_no_and_by_an_end_of_input(project):
    store(project, {"METAFLOW_USER": "ann"})
    (project.folder / "in.json").write_text("{}")
    assert "config.json stays as it is." in configure(project, "import", "in.json", answers="n\n").failed().stderr
    assert "The input ended" in configure(project, "import", "in.json").failed().stderr
    assert stored(project) == {"METAFLOW_USER": "ann"}
    configure(project, "import", "in.json", "--yes").succeeded()
    assert stored(project) == {}


def test_profiles_are_files_of_their_own(project):
    (project.folder / "in.json").write_text('{"METAFLOW_USER": "eve"}')
    configure(project, "import", "in.json", "-p", "work").succeeded()
    assert stored(project, "work") == {"METAFLOW_USER": "eve"}
    assert "METAFLOW_USER=eve" in configure(project, "show", METAFLOW_PROFILE="work").succeeded().stdout
    assert "METAFLOW_USER=eve" in configure(project, "show", "--profile=work").succeeded().stdout
    assert "Nothing is configured" in configure(project, "show").succeeded().stdout


@pytest.mark.parametrize("command", [["show"], ["aws"], ["reset"], ["import", "in.json"], ["export", "x.json"]])
def test_a_profile_with_a_slash_is_refused(project, command):
    (project.folder / "in.json").write_text("{}")
    said = configure(project, *command, "--profile", "../evil").failed()
    assert "'../evil' is no name for a profile" in said.stderr


def test_a_written_file_is_its_owners_alone(project):
    configure(project, "aws", "--yes", "--set", "DATASTORE_SYSROOT_S3=s3://bucket").succeeded()
    assert stat.S_IMODE(config_file(project).stat().st_mode) == 0o600
    assert [path.name for path in home(project).iterdir()] == ["config.json"]


def test_secrets_are_masked_unless_they_are_asked_for(project):
    store(project, {"METAFLOW_SERVICE_AUTH_KEY": "hush", "METAFLOW_USER": "ann"})
    for arguments in ([], ["--origin"], ["--all"]):
        shown = configure(project, "show", *arguments).succeeded().stdout
        assert "ann" in shown and "hush" not in shown
        assert "hush" in configure(project, "show", *arguments, "--secrets").succeeded().stdout


DAMAGED = '{\n  "METAFLOW_USER": "ann",\n  oops\n}'


@pytest.mark.parametrize("command", [["show"], ["aws", "--yes"], ["export", "x.json"], ["show", "--origin"]])
def test_a_damaged_file_is_named_by_line_and_column(project, command):
    store(project, DAMAGED)
    said = configure(project, *command).failed()
    assert (
        f"'{config_file(project)}' is damaged: it is no JSON at line 3, column 3; correct or remove it" in said.stderr
    )
    assert config_file(project).read_text() == DAMAGED


def test_a_damaged_file_can_be_reset(project):
    store(project, DAMAGED)
    configure(project, "reset", "--yes").succeeded()
    assert not config_file(project).exists()


def namespace() -> list[str]:
    command = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        missing("no mount namespace can be made here: unshare --mount --map-root-user fails")
    return command


# One folder, on a file system that is full or read-only, holds an old configuration.
IN_FULL_HOME = """
mount -t tmpfs -o size=64k none "$1" || exit 99
echo '{"METAFLOW_USER": "ann"}' >"$1/config.json"
if [ "$2" = full ]; then cat /dev/zero >"$1/fill"; else mount -o remount,ro "$1"; fi
METAFLOW_HOME="$1" "$3" configure aws --yes --set DATASTORE_SYSROOT_S3=s3://bucket
echo "exit $?"
ls "$1"; cat "$1/config.json"
"""


@pytest.mark.parametrize(
    ("kind", "words"), [("full", "no space left on device"), ("read-only", "the file system is read-only")]
)
def test_where_nothing_can_be_written_the_old_file_stays(project, kind, words):
    folder = project.folder / "disk"
    folder.mkdir()
    said = project.run(*namespace(), "sh", "-c", IN_FULL_HOME, "sh", folder, kind, METAFLOW)
    assert "exit 1\n" in said.stdout
    assert f"cannot write '{folder}/config.json'" in said.stderr and words in said.stderr
    assert "Nothing was changed" in said.stderr
    assert said.stdout.endswith('{"METAFLOW_USER": "ann"}\n')
    assert "tmp" not in said.stdout.partition("exit 1")[2]


# Who wins, and what is amiss


def test_the_origin_of_each_setting_is_shown(project):
    store(project, {"METAFLOW_USER": "home", "METAFLOW_UI_URL": "http://home"})
    project.root().mkdir()
    (project.root() / "config.json").write_text('{"METAFLOW_USER": "project"}')
    shown = configure(project, "show", "--origin", METAFLOW_USER="environment").succeeded().stdout
    rows = [re.split(r"  +", line.strip()) for line in shown.splitlines()]
    assert ["METAFLOW_USER", "environment", "in the environment"] in rows
    assert ["instead of", "project", str(project.root() / "config.json")] in rows
    assert ["instead of", "home", str(config_file(project))] in rows
    assert ["METAFLOW_UI_URL", "http://home", str(config_file(project))] in rows


def test_a_slip_in_a_name_is_pointed_out(project):
    store(project, {"METAFLOW_DATASTORE_SYSROT_S3": "s3://bucket", "DEFAULT_METADATA": "local", "MINE": "1"})
    slips = [
        f"METAFLOW_DATASTORE_SYSROT_S3 ({config_file(project)}) means nothing. "
        "Did you mean 'METAFLOW_DATASTORE_SYSROOT_S3'?",
        f"DEFAULT_METADATA ({config_file(project)}) means nothing. Did you mean 'METAFLOW_DEFAULT_METADATA'?",
        "METAFLOW_USR (in the environment) means nothing. Did you mean 'METAFLOW_USER'?",
    ]
    for said in (
        configure(project, "show", METAFLOW_USR="ann").succeeded(),
        project.run_flow("single", "run", METAFLOW_USR="ann").succeeded(),
    ):
        assert [line for line in said.stderr.splitlines() if "means nothing" in line] == sorted(
            slips, key=lambda line: ("environment" not in line, line)
        )


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_our_own_variables_are_no_slips(project, isolation):
    names = "RUN_COUNT QUIET DATASTORE METADATA DECOSPECS LIBRARY BUILD CODE_URL RUN_ID TASK_NAMESPACE DEBUG_SUBCOMMAND"
    values = {f"METAFLOW_{name}": "local" for name in names.split()} | {"METAFLOW_QUIET": "0", "METAFLOW_DECOSPECS": ""}
    said = project.run_flow("single", "run", "--isolation", isolation, **values).succeeded()
    assert "means nothing" not in said.stderr + said.stdout


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("SERVICE_URL", "http://service", "metadata"),
        ("DEFAULT_METADATA", "service", "metadata"),
        ("DATASTORE_SYSROOT_AZURE", "container/x", "datastore"),
        ("DEFAULT_DATASTORE", "azure", "datastore"),
        ("DEFAULT_DATASTORE", "gs", "datastore"),
        ("DATASTORE_SYSROOT_GS", "gs://bucket", "datastore"),
    ],
)
def test_settings_of_what_is_not_built_are_refused_at_the_start_of_a_run(project, name, value, option):
    store(project, {f"METAFLOW_{name}": value})
    said = project.run_flow("single", "run").failed()
    assert f"METAFLOW_{name} ({config_file(project)}) asks for" in said.stderr
    assert "which is not available in this version" in said.stderr
    assert not (project.root() / "Single").exists()
    project.run_flow("single", f"--{option}", "local", "run").succeeded()


def opened_configurations(project, *command) -> int:
    if shutil.which("strace") is None:
        missing("strace is missing; `./dev setup test` installs it")
    trace = project.folder.parent / "trace"
    project.run("strace", "-f", "-e", "trace=openat,open", "-o", trace, *command).succeeded()
    return len(re.findall(r'config\.json"', trace.read_text()))


@pytest.mark.preloaded
def test_help_reads_no_configuration_and_a_run_few_times(project):
    project.root().mkdir()
    assert opened_configurations(project, program("single"), "--help") == 0
    assert opened_configurations(project, program("single"), "run", "--help") == 0
    assert opened_configurations(project, program("single"), "run") <= 14


# The wizard


def test_a_new_user_answers_at_a_terminal(project):
    terminal = wizard(project)
    terminal.answer("METAFLOW_DATASTORE_SYSROOT_S3: ", "my-bucket")
    terminal.wait_for("'my-bucket' should begin with s3://, like s3://my-bucket.")
    terminal.answer("METAFLOW_DATASTORE_SYSROOT_S3: ", "s3://my-bucket/metaflow")
    terminal.answer("Run steps on AWS Batch? [Y/n]: ", "")
    terminal.answer("METAFLOW_BATCH_JOB_QUEUE: ", "arn:aws:batch:eu-west-1:123456789012:job-queue/jobs")
    terminal.answer("METAFLOW_ECS_S3_ACCESS_IAM_ROLE: ", "jobs")
    terminal.wait_for(f"That is {ROLE}.")
    terminal.answer("METAFLOW_ECS_FARGATE_EXECUTION_ROLE [none]: ", "")
    terminal.answer("METAFLOW_BATCH_CONTAINER_IMAGE [none]: ", "")
    terminal.answer("Write it? [Y/n]: ", "y")
    terminal.wait_for(f"Written to {config_file(project)}.")
    assert terminal.end() == 0
    assert "AWS is not asked: answers are checked for their form, and not verified." in terminal.shown
    assert stored(project) == {
        "METAFLOW_BATCH_JOB_QUEUE": "arn:aws:batch:eu-west-1:123456789012:job-queue/jobs",
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://my-bucket/metaflow",
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_ECS_S3_ACCESS_IAM_ROLE": ROLE,
    }


def test_what_was_stored_by_hand_survives_the_wizard(project):
    old = {
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket",
        "METAFLOW_ECS_FARGATE_EXECUTION_ROLE": ROLE,
        "METAFLOW_S3_ENDPOINT_URL": "http://here",
        "MINE": [1],
    }
    store(project, old)
    configure(project, "aws", answers="\nn\n\n").succeeded()
    assert stored(project) == old | {"METAFLOW_DEFAULT_DATASTORE": "s3"}


@pytest.mark.parametrize("keys", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("prompt", ["METAFLOW_DATASTORE_SYSROOT_S3 ", "Run steps on AWS Batch?"])
def test_leaving_in_the_middle_changes_nothing_and_says_so(project, keys, prompt):
    store(project, {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket", "METAFLOW_USER": "ann"})
    before = config_file(project).read_bytes()
    terminal = wizard(project)
    if "Batch" in prompt:
        terminal.answer("METAFLOW_DATASTORE_SYSROOT_S3 [s3://bucket]: ", "s3://other")
    terminal.wait_for(prompt)
    terminal.wait_for("]: ")
    terminal.type(keys)
    assert terminal.end() == 1
    assert "othing was changed" in terminal.shown
    assert config_file(project).read_bytes() == before
    assert [path.name for path in home(project).iterdir()] == ["config.json"]


def test_answers_are_piped(project):
    answers = ["s3://bucket", "y", "jobs", ROLE, ROLE, "python:3.11", "y"]
    said = configure(project, "aws", "--profile", "work", answers="\n".join(answers)).succeeded()
    assert stored(project, "work")["METAFLOW_ECS_FARGATE_EXECUTION_ROLE"] == ROLE
    assert "METAFLOW_DATASTORE_SYSROOT_S3: s3://bucket\n" in said.stdout
    assert "  export METAFLOW_PROFILE=work\n" in said.stdout


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ("s3://bucket\ny\n", "The input ended before all questions were answered."),
        ("bucket\n", "'bucket' should begin with s3://"),
        ("s3://Bucket\n", "there is no 'B' in names of buckets"),
        ("s3://bucket\ny\nmy queue\n", "'my queue' is no name of a queue"),
        ("s3://bucket\ny\njobs\njobs\n", "give its ARN"),
        ("s3://bucket\nn\nn\n", "the configuration stays as it was"),
        (None, "The input ended"),
    ],
)
def test_piped_answers_that_are_wrong_or_too_few_change_nothing(project, answers, words):
    said = configure(project, "aws", answers=answers).failed()
    assert words in said.stderr and "Nothing was changed" in said.stderr
    assert not home(project).exists()


def test_a_script_gives_all_answers_at_once(project):
    store(project, {"METAFLOW_BATCH_CONTAINER_IMAGE": "python:3.11", "METAFLOW_UI_URL": "http://ui"})
    given = ["DATASTORE_SYSROOT_S3=s3://bucket", f"METAFLOW_ECS_S3_ACCESS_IAM_ROLE={ROLE}", "BATCH_JOB_QUEUE=jobs"]
    given += ["S3_RETRY_COUNT=3", "UI_URL="]
    configure(project, "aws", "--yes", *(word for each in given for word in ("--set", each))).succeeded()
    assert stored(project) == {
        "METAFLOW_BATCH_CONTAINER_IMAGE": "python:3.11",
        "METAFLOW_BATCH_JOB_QUEUE": "jobs",
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket",
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_ECS_S3_ACCESS_IAM_ROLE": ROLE,
        "METAFLOW_S3_RETRY_COUNT": "3",
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("BATCH_JOB_QEUE=jobs", "There is no setting 'BATCH_JOB_QEUE'. Did you mean 'BATCH_JOB_QUEUE'?"),
        ("BATCH_JOB_QUEUE", "--set takes KEY=VALUE"),
        ("S3_RETRY_COUNT=many", "should be a whole number, not 'many'"),
        ("DATASTORE_SYSROOT_S3=bucket", "'bucket' should begin with s3://"),
        ("BATCH_JOB_QUEUE=jobs", "METAFLOW_DATASTORE_SYSROOT_S3 is needed"),
    ],
)
def test_what_is_given_wrongly_is_a_wrong_command_line(project, given, words):
    said = configure(project, "aws", "--yes", "--set", given)
    assert said.exit == 2
    assert words in said.stderr
    assert not home(project).exists()


# The transcripts of the manual, typed again

TYPED = {
    "new": ["my-bucket", "s3://my-bucket/metaflow", "y", "jobs", "jobs-role", ROLE, "", "", "y"],
    "again": ["", "y", "", "", "ecsTaskExecutionRole", "python:3.12", "y"],
}


def transcript(project, answers: list[str]) -> str:
    """All that a terminal shows of a wizard that gets these answers."""
    terminal = wizard(project)
    for answer in answers:
        while not re.search(r"[\]\w]: $", terminal.shown[terminal.read :]):
            assert terminal.more(), terminal.shown
        terminal.read = len(terminal.shown)
        terminal.type(answer + "\n")
    assert terminal.end() == 0, terminal.shown
    return terminal.shown.replace(project.variables["HOME"], "/home/ann")


def test_the_transcripts_of_the_manual_are_what_happens(project):
    manual = (REPOSITORY / "docs/aws/configure.md").read_text()
    typed = [transcript(project, answers) for answers in TYPED.values()]
    shown = re.findall(r"```text\n\$ metaflow configure aws\n(.*?)```", manual, re.DOTALL)
    without_version = [re.sub(r"Metaflow \(.*\)", "Metaflow (VERSION)", text) for text in typed]
    assert shown == without_version


# Status


def test_status_says_what_is_configured(project):
    project.run_flow("single", "run").succeeded()
    said = project.run(METAFLOW, "status").succeeded().stdout
    assert "* Flow('Single')\n" in said
    assert said.index("* Flow('Single')") < said.index(f"Nothing is configured in {config_file(project)}")
    assert "METAFLOW_DEFAULT_DATASTORE=local   (default)\n" in said
    settings = ["DATASTORE_SYSROOT_S3=s3://bucket", "BATCH_JOB_QUEUE=jobs", f"ECS_S3_ACCESS_IAM_ROLE={ROLE}"]
    configure(project, "aws", "--yes", *(word for each in settings for word in ("--set", each))).succeeded()
    said = project.run(METAFLOW, "status", METAFLOW_BATCH_JOB_QUEUE="others").succeeded().stdout
    assert f"Configuration in {config_file(project)}:\n" in said
    assert "METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket\n" in said
    assert "METAFLOW_BATCH_JOB_QUEUE=others   (in the environment)\n" in said


def test_status_says_what_is_configured_where_nothing_has_run(project):
    said = project.run(METAFLOW, "status").failed()
    assert "METAFLOW_DEFAULT_DATASTORE=local" in said.stdout and "There is no '.metaflow'" in said.stderr
