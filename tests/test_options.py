"""Every option of the commands that execute a flow, on the command line and as an environment variable."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

RETRY = "retry:times=1,minutes_between_retries=0"


@dataclass
class Case:
    """An option, the variable that stands in for it, and how one sees that it counted."""

    words: list
    variables: dict
    seen: Callable
    flaky: bool = False  # the flow needs a retry
    exit: int = 0


def said(text):
    return lambda project, result: text in result.stdout


def workers_take_turns(project, result):
    events = re.findall(r"Task is starting|Task finished", result.stdout)
    return events == ["Task is starting", "Task finished"] * (len(events) // 2)


def run_id(project):
    return (project.folder / "run-id").read_text()


def attributes(project, result):
    (run,) = re.findall(r"run-id (\d+)", result.stdout)
    wanted = {"run_id": run, "flow_name": "Options", "metadata": f"local@{project.folder}"}
    return json.loads((project.folder / "attributes").read_text()) == wanted


def stored_below(folder):
    return lambda project, result: (project.folder / folder / "Options").is_dir()


def log_is_cut(project, result):
    (log,) = project.folder.glob("*/Options/*/start/*/*.runtime_stdout.log")
    return "[TRUNCATED - MAXIMUM LOG FILE SIZE REACHED]" in log.read_text()


COMMON = [  # of `run` and `resume`; the variables lack their beginning
    Case(["--tag", "a", "--tag", "b"], {"TAGS": "a b"}, said("tags=a,b,")),
    Case(["--max-workers", "1"], {"MAX_WORKERS": "1"}, workers_take_turns),
    Case(["--max-num-splits", "1"], {"MAX_NUM_SPLITS": "1"}, said("Workflow failed."), exit=1),
    Case(["--max-log-size", "0"], {"MAX_LOG_SIZE": "0"}, log_is_cut),
    Case(["--with", RETRY], {"DECOSPECS": RETRY}, said("starting (retry)"), flaky=True),
    Case(
        ["--run-id-file", "run-id"], {"RUN_ID_FILE": "run-id"}, lambda project, result: run_id(project) in result.stdout
    ),
    Case(["--runner-attribute-file", "attributes"], {"RUNNER_ATTRIBUTE_FILE": "attributes"}, attributes),
    Case(["--isolation", "spawn"], {"ISOLATION": "spawn"}, said("Done!")),
    Case(["--retry-delay"], {"RETRY_DELAY": "yes"}, said("Done!")),
]
RUN = [
    Case(["--word", "hello"], {"WORD": "hello"}, said("word=hello")),
    Case(["--word="], {"WORD": ""}, said("word= ")),
    Case(["--word", "first", "--word", "second"], {"WORD": "second"}, said("word=second")),
    Case(["--namespace", "user:x"], {"USER_NAMESPACE": "user:x"}, said("namespace=user:x ")),
]
TOP = [
    Case(["--quiet"], {"QUIET": "1"}, lambda project, result: result.stderr == ""),
    Case(["--not-quiet"], {"QUIET": "0"}, lambda project, result: "executing Options" in result.stderr),
    Case(["--with", RETRY], {"DECOSPECS": RETRY}, said("starting (retry)"), flaky=True),
    Case(["--datastore-root", "root"], {"DATASTORE_ROOT": "root"}, stored_below("root")),
    Case(["--mode", "spin"], {"MODE": "spin"}, stored_below(".metaflow_spin")),
    Case(["--metadata", "local"], {"METADATA": "local"}, said("Done!")),
    Case(["--datastore", "local"], {"DATASTORE": "local"}, said("Done!")),
    Case(["--environment", "local"], {"ENVIRONMENT": "local"}, said("Done!")),
    Case(["--no-pylint"], {"PYLINT": "0"}, said("Done!")),
    Case(["--event-logger", "nullSidecarLogger"], {"EVENT_LOGGER": "nullSidecarLogger"}, said("Done!")),
    Case(["--monitor", "nullSidecarMonitor"], {"MONITOR": "nullSidecarMonitor"}, said("Done!")),
    Case(["--package-suffixes", ".txt"], {"PACKAGE_SUFFIXES": ".txt"}, said("Done!")),
]


def names(cases):
    return [" ".join(case.words) for case in cases]


def check(project, case, words, **variables):
    flaky = {"FLAKY": "1"} if case.flaky else {}
    result = project.run_flow("options", *words, **flaky, **variables)
    assert result.exit == case.exit, str(result)
    assert case.seen(project, result), str(result)


@pytest.mark.parametrize("case", COMMON + RUN, ids=names(COMMON + RUN))
def test_an_option_of_run_counts_on_the_command_line(project, case):
    check(project, case, ["run", *case.words])


@pytest.mark.parametrize("case", COMMON + RUN, ids=names(COMMON + RUN))
def test_an_option_of_run_counts_as_a_variable(project, case):
    check(project, case, ["run"], **{f"METAFLOW_RUN_{name}": value for name, value in case.variables.items()})


def test_an_empty_namespace_is_the_global_one(project):
    assert "namespace= " in project.run_flow("options", "run", "--namespace=").succeeded().stdout


@pytest.mark.parametrize("case", TOP, ids=names(TOP))
def test_an_option_of_the_program_counts_on_the_command_line(project, case):
    check(project, case, [*case.words, "run"])


@pytest.mark.parametrize("case", TOP, ids=names(TOP))
def test_an_option_of_the_program_counts_as_a_variable(project, case):
    check(project, case, ["run"], **{f"METAFLOW_{name}": value for name, value in case.variables.items()})


@pytest.mark.parametrize("case", COMMON, ids=names(COMMON))
@pytest.mark.parametrize("form", ["words", "variables"])
def test_an_option_of_resume_counts(project, case, form):
    project.run_flow("options", "run", FLAKY="1").failed()
    for log in project.folder.glob("*/Options/*/start/*/*.log"):
        log.unlink()
    words = case.words if form == "words" else []
    variables = case.variables if form == "variables" else {}
    check(project, case, ["resume", *words], **{f"METAFLOW_RESUME_{name}": value for name, value in variables.items()})


@pytest.mark.parametrize("form", ["words", "variables"])
def test_the_origin_of_resume_may_be_named_either_way(project, form):
    project.run_flow("options", "run", "--run-id-file", "run-id", FLAKY="1").failed()
    project.run_flow("options", "run").succeeded()
    words = ["--origin-run-id", run_id(project)] if form == "words" else []
    variables = {} if words else {"METAFLOW_RESUME_ORIGIN_RUN_ID": run_id(project)}
    resumed = project.run_flow("options", "resume", *words, **variables).succeeded()
    assert f"Cloning Options/{run_id(project)}" in resumed.stdout


# All at once, for ours and the official one alike

TOP_WORDS = "--quiet --datastore-root root"
RUN_WORDS = (
    f"--word hi --namespace user:x --tag a --tag b --max-workers 1 --with {RETRY} --run-id-file run-id --max-log-size 0"
)
VARIABLES = {
    "METAFLOW_QUIET": "1",
    "METAFLOW_DATASTORE_ROOT": "root",
    "METAFLOW_RUN_WORD": "hi",
    "METAFLOW_RUN_USER_NAMESPACE": "user:x",
    "METAFLOW_RUN_TAGS": "a b",
    "METAFLOW_RUN_MAX_WORKERS": "1",
    "METAFLOW_RUN_DECOSPECS": RETRY,
    "METAFLOW_RUN_RUN_ID_FILE": "run-id",
    "METAFLOW_RUN_MAX_LOG_SIZE": "0",
}


@pytest.mark.parametrize("engine", ["ours", "official"])
@pytest.mark.parametrize("form", ["words", "variables"])
def test_all_options_together_mean_the_same_for_both(project, engine, form):
    words = [*TOP_WORDS.split(), "run", *RUN_WORDS.split()] if form == "words" else ["run"]
    variables = {} if form == "words" else VARIABLES
    start = project.run_flow if engine == "ours" else project.official_flow
    result = start("options", *words, FLAKY="1", **variables).succeeded()
    assert result.stderr == ""
    assert "word=hi namespace=user:x tags=a,b," in result.stdout
    assert "Task is starting (retry)." in result.stdout
    assert run_id(project) in result.stdout
    assert stored_below("root")(project, result)
    (log,) = project.folder.glob("root/Options/*/start/*/1.runtime_stdout.log")
    assert "[TRUNCATED - MAXIMUM LOG FILE SIZE REACHED]" in log.read_text()


@pytest.mark.parametrize("engine", ["ours", "official"])
def test_the_runner_is_told_the_same_by_both(project, engine):
    start = project.run_flow if engine == "ours" else project.official_flow
    result = start("options", "run", "--runner-attribute-file", "attributes").succeeded()
    assert attributes(project, result)


# What is wrong

WRONG = [
    {"METAFLOW_RUN_MAX_WORKERS": "x"},
    {"METAFLOW_RUN_MAX_NUM_SPLITS": "1.5"},
    {"METAFLOW_RUN_MAX_LOG_SIZE": "big"},
    {"METAFLOW_DATASTORE": "nowhere"},
    {"METAFLOW_METADATA": "nowhere"},
    {"METAFLOW_ENVIRONMENT": "nowhere"},
    {"METAFLOW_EVENT_LOGGER": "nowhere"},
    {"METAFLOW_MONITOR": "nowhere"},
    {"METAFLOW_MODE": "nowhere"},
    {"METAFLOW_QUIET": "maybe"},
    {"METAFLOW_RUN_RETRY_DELAY": "maybe"},
    {"METAFLOW_RUN_ISOLATION": "maybe"},
]


@pytest.mark.parametrize("variables", WRONG, ids=str)
def test_a_wrong_variable_is_refused_before_anything_is_written(project, variables):
    result = project.run_flow("options", "run", **variables)
    assert result.exit == 2
    (value,) = variables.values()
    assert "Invalid value for " in result.stderr and value in result.stderr
    assert list(project.folder.iterdir()) == []


@pytest.mark.parametrize("option", ["--config", "--config-value", "--branch", "--production", "--trigger"])
def test_options_of_what_cpp_flows_do_not_have_are_unknown(project, option):
    result = project.run_flow("options", option, "run")
    assert result.exit == 2
    assert f"No such option '{option}'" in result.stderr
