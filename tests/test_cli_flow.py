"""The command line of a flow program: options, variables, streams, exit codes, and what it says when it is wrong."""

import json
import os
import pickle
import re
import subprocess
from pathlib import Path

import pytest
from conftest import program

GIVEN = ["--who", "Ada"]


def run(project, *arguments, **variables):
    return project.run_flow("commands", *arguments, **variables)


@pytest.fixture(scope="module")
def ran(shared_project):
    """A project with one finished run."""
    result = run(shared_project, "run", *GIVEN, "--tag", "colour:red", "--run-id-file", "run-id").succeeded()
    shared_project.run_id = (shared_project.folder / "run-id").read_text()
    shared_project.result = result
    return shared_project


# Running


def test_the_banner_goes_to_standard_error_and_the_run_log_to_standard_output(ran):
    assert re.match(r"Metaflow \S+ executing Commands for user:demo\n", ran.result.stderr)
    assert "Creating local datastore in current directory" in ran.result.stderr
    assert f"Workflow starting (run-id {ran.run_id}):" in ran.result.stdout.splitlines()[0]
    assert ran.result.stdout.endswith("Done!\n")


def test_the_run_id_file_names_the_latest_run(ran):
    assert ran.run_id == ran.latest_run("Commands")


def test_quiet_leaves_the_run_log_alone(project):
    result = run(project, "--quiet", "run", *GIVEN).succeeded()
    assert result.stderr == ""
    assert result.stdout.endswith("Done!\n")


def test_the_command_line_beats_the_environment(project):
    def count_of(*arguments, **variables):
        run(project, "--quiet", "run", *arguments, METAFLOW_RUN_WHO="Grace", **variables).succeeded()
        dumped = run(project, "dump", f"{project.latest_run('Commands')}/start", "--include", "count,who").succeeded()
        return re.findall(r"= (.*)", dumped.stdout)

    assert count_of(METAFLOW_RUN_COUNT="2") == ["2", "Grace"]
    assert count_of("--count", "1", METAFLOW_RUN_COUNT="2") == ["1", "Grace"]


def test_tags_may_come_from_the_environment(project):
    run(project, "run", *GIVEN, METAFLOW_RUN_TAGS="a b").succeeded()
    record = project.root() / "Commands" / project.latest_run("Commands") / "_meta/_self.json"
    assert sorted(json.loads(record.read_text())["tags"]) == ["a", "b"]


def test_spawned_tasks_do_the_same_as_forked_ones(project):
    result = run(project, "run", *GIVEN, "--isolation", "spawn").succeeded()
    assert "sum 14" in result.stdout


def test_debugging_shows_the_command_line_of_each_task_and_it_can_be_typed(project):
    result = run(project, "run", *GIVEN, METAFLOW_DEBUG_SUBCOMMAND="1").succeeded()
    line = next(line for line in result.stderr.splitlines() if " step end " in line)
    words = line.removeprefix("debug[subcommand]: ").replace("--quiet ", "").split()
    words[words.index("--task-id") + 1] = "1000"
    again = project.run(*words).succeeded()
    assert "sum 14" in again.stdout
    assert "Success" in again.stderr


def test_an_include_file_is_announced_and_stored(project):
    (project.folder / "notes.txt").write_text("take me along")
    result = run(project, "run", *GIVEN, "--notes", "notes.txt").succeeded()
    assert "Including file notes.txt of size 13B" in result.stderr
    value = "Run(pathspec).data.notes"
    assert (
        project.official(f"result = {value}", pathspec=f"Commands/{project.latest_run('Commands')}") == "take me along"
    )


def test_an_include_file_is_taken_from_another_run_by_its_descriptor(project):
    (project.folder / "notes.txt").write_text("čaj")
    run(project, "run", *GIVEN, "--notes", "notes.txt").succeeded()
    (project.folder / "notes.txt").unlink()
    key = project.artifact_keys("Commands", project.latest_run("Commands"), "start", "1")["notes"]
    stored = project.official(
        "import gzip, pickle\nresult = pickle.loads(gzip.open(path).read())._descriptor",
        path=f".metaflow/Commands/data/{key[:2]}/{key}",
    )
    result = run(project, "run", *GIVEN, "--notes", json.dumps(stored)).succeeded()
    assert "Including file" not in result.stderr
    assert project.official("result = Flow('Commands').latest_run.data.notes") == "čaj"
    assert "notes: čaj" in result.stdout


def test_a_descriptor_of_no_stored_file_is_a_usage_error(project):
    result = run(project, "run", *GIVEN, "--notes", '{"type": "uploader-v2"}')
    assert result.exit == 2
    assert "Invalid value for '--notes': '{\"type\": \"uploader-v2\"}' describes no file" in result.stderr


def test_a_decorator_of_the_command_line_reaches_steps_that_have_none_of_that_name(project):
    raw = run(project, "run", *GIVEN, "--with", "retry:times=3").succeeded()
    assert "Done!" in raw.stdout
    steps = project.official(
        "result = Run(pathspec)['start'].task['_graph_info'].data['steps']",
        pathspec=f"Commands/{project.latest_run('Commands')}",
    )
    assert steps["start"]["decorators"] == [
        {
            "name": "retry",
            "attributes": {"times": 3, "minutes_between_retries": "2"},
            "statically_defined": False,
            "inserted_by": None,
        }
    ]
    assert steps["square"]["decorators"] == [
        {
            "name": "retry",
            "attributes": {"times": 1, "minutes_between_retries": 2},
            "statically_defined": True,
            "inserted_by": None,
        }
    ]


# Usage errors

WRONG_VALUES = [
    (["--count", "many"], "Invalid value for '--count': 'many' is not a valid integer"),
    (["--count", "3000000000"], "Invalid value for '--count': '3000000000' is not a valid integer"),
    (["--rate", "half"], "Invalid value for '--rate': 'half' is not a valid float"),
    (["--deep", "maybe"], "Invalid value for '--deep': 'maybe' is not a valid boolean"),
    (["--speed", "faster"], "Invalid value for '--speed': 'faster' is not one of"),
    (["--settings", "{"], "Invalid value for '--settings': '{' is not valid JSON"),
    (["--notes", "missing.txt"], "Invalid value for '--notes': cannot open 'missing.txt': no such file or folder"),
    (["--notes", "."], "Invalid value for '--notes': '.' is no regular file"),
    (["--notes", "s3://bucket/notes"], "Invalid value for '--notes': 's3://bucket/notes' is no local file"),
    (["--who", b"\xff\xfe"], "is not UTF-8 text"),
    (["--max-workers", "0"], "Invalid value for '--max-workers': 0 is less than 1"),
    (["--max-workers", "x"], "Invalid value for '--max-workers': x is not a valid integer"),
    (["--isolation", "frok"], "Did you mean 'fork'?"),
    (["--cuont", "3"], "No such option '--cuont'. Did you mean '--count'?"),
    (["--coun", "3"], "No such option '--coun'. Did you mean '--count'?"),
    (["--quiet"], "No such option '--quiet' here. It belongs before the command."),
    (["--who"], "Option '--who' needs a value."),
    (["extra"], "Got unexpected extra argument (extra)"),
]


@pytest.mark.parametrize(("words", "message"), WRONG_VALUES, ids=[str(words) for words, _ in WRONG_VALUES])
def test_a_wrong_command_line_is_refused_before_anything_is_written(project, words, message):
    process = subprocess.run(
        [program("commands"), "run", *GIVEN, *words], cwd=project.folder, env=project.variables, capture_output=True
    )
    said = process.stderr.decode()
    assert process.returncode == 2, said
    assert "Usage: commands run [OPTIONS]\nTry 'commands run --help' for help.\n\nError: " in said
    assert message in said
    assert process.stdout == b""
    assert not project.root().exists()


def test_a_missing_required_parameter_is_named(project):
    result = run(project, "run")
    assert result.exit == 2
    assert "Error: Missing option '--who'." in result.stderr


def test_an_unknown_command_is_answered_with_the_nearest(project):
    result = run(project, "rnu")
    assert result.exit == 2
    assert "Error: No such command 'rnu'. Did you mean 'run'?" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--metadata", "service"), ("--environment", "conda")])
def test_what_is_not_available_yet_is_said(project, option, value):
    result = run(project, option, value, "run", *GIVEN)
    assert result.exit == 2
    assert f"Invalid value for '{option}': '{value}' is not available in this version" in result.stderr


def test_a_configured_datastore_that_is_not_available_is_said_too(project):
    result = run(project, "run", *GIVEN, METAFLOW_DEFAULT_DATASTORE="gs")
    assert result.exit == 1
    assert "METAFLOW_DEFAULT_DATASTORE" in result.stderr


def test_a_datastore_in_s3_needs_a_root(project):
    result = run(project, "--datastore", "s3", "run", *GIVEN)
    assert result.exit == 2
    assert "Set METAFLOW_DATASTORE_SYSROOT_S3 to s3://bucket/prefix, or give --datastore-root." in result.stderr


def test_an_include_file_that_is_no_text_is_refused(project):
    (project.folder / "notes.txt").write_bytes(b"\xff\xfe\x00")
    result = run(project, "run", *GIVEN, "--notes", "notes.txt")
    assert result.exit == 2
    assert "notes.txt" in result.stderr
    assert "UTF-8" in result.stderr


@pytest.mark.parametrize(
    ("words", "headline"),
    [
        (["--with", "rety"], "Unknown step decorator"),
        (["--with", "retry:time=3"], "Unknown decorator attribute"),
        (["--with", "retry:times=9"], "Flow failed"),
        (["--tag", ""], "Tagging error"),
        (["--tag", "x" * 501], "Tagging error"),
    ],
)
def test_a_wrong_decorator_or_tag_is_an_error_block(project, words, headline):
    result = run(project, "run", *GIVEN, *words).failed()
    assert f"    {headline}:\n    " in result.stderr
    assert "Workflow starting" not in result.stdout


# The store


def test_a_datastore_that_is_a_file_is_left_alone(project):
    project.root().write_text("mine")
    result = run(project, "run", *GIVEN).failed()
    assert ".metaflow' is a file" in result.stderr
    assert project.root().read_text() == "mine"


def test_a_folder_that_is_not_writable_is_named(project):
    # Root may write everywhere, unless this right is taken away.
    powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    project.folder.chmod(0o500)
    try:
        result = project.run(*powerless, program("commands"), "run", *GIVEN).failed()
    finally:
        project.folder.chmod(0o700)
    assert str(project.root()) in result.stderr


def test_damaged_configuration_does_not_hide_the_help(project):
    project.root().mkdir()
    (project.root() / "config.json").write_text("{")
    assert "--count" in run(project, "run", "--help").succeeded().stdout
    result = run(project, "run", *GIVEN).failed()
    assert "config.json' is damaged" in result.stderr


def test_a_damaged_blob_is_named_with_its_artifact(project):
    run(project, "run", *GIVEN).succeeded()
    latest = project.latest_run("Commands")
    for blob in (project.root() / "Commands/data").rglob("*"):
        if blob.is_file():
            blob.write_bytes(b"garbage")
    result = run(project, "dump", f"{latest}/start").failed()
    assert "Data store error" in result.stderr
    assert f"{latest}/start/1" in result.stderr


def test_a_datastore_root_is_used_as_given(project):
    root = project.folder / "elsewhere"
    run(project, "--datastore-root", root, "run", *GIVEN).succeeded()
    assert (root / "Commands/latest_run").exists()
    assert not project.root().exists()


# Looking at results


def test_dump_shows_sorted_public_artifacts_with_size_and_type(ran):
    lines = run(ran, "dump", f"{ran.run_id}/start").succeeded().stdout.splitlines()
    assert "count [size: 5 type: <class 'int'>] = 3" in lines
    assert any(re.fullmatch(r"greeting \[size: \d+ type: <class 'str'>\] = hello Ada", line) for line in lines)
    assert any(
        re.fullmatch(r"large \[size: \d+ type: <class 'str'>\] = < artifact too large >", line) for line in lines
    )
    assert lines == sorted(lines)
    assert not any(line.startswith("_") for line in lines)


def test_dump_shows_private_names_on_request(ran):
    ours = run(ran, "dump", "--private", f"{ran.run_id}/square").succeeded().stdout
    assert ours.count("item_square") == 3
    assert "_task_ok [size: 4 type: <class 'bool'>] = True" in ours


def test_dump_writes_a_pickle_that_python_reads(ran):
    run(ran, "dump", "--file", "out.pickle", f"{ran.run_id}/square").succeeded()
    dumped = pickle.loads((ran.folder / "out.pickle").read_bytes())
    assert sorted(values["item_square"] for values in dumped.values()) == [1, 4, 9]
    assert all(key.startswith(f"{ran.run_id}/square/") for key in dumped)


def test_dump_of_an_unknown_step_shows_nothing(ran):
    result = run(ran, "dump", f"{ran.run_id}/nowhere").succeeded()
    assert result.stdout == ""


@pytest.mark.parametrize("path", ["12", "1/2/3/4", "a//b", "../start", ""])
def test_a_path_that_is_none_is_refused(ran, path):
    for command in ("dump", "logs"):
        result = run(ran, command, path).failed()
        assert "is neither run/step nor run/step/task" in result.stderr


def test_an_unknown_task_is_named(ran):
    assert f"Commands/{ran.run_id}/start/77" in run(ran, "dump", f"{ran.run_id}/start/77").failed().stderr
    assert f"Commands/{ran.run_id}/start/77" in run(ran, "logs", f"{ran.run_id}/start/77").failed().stderr


def test_logs_show_standard_output_first_with_blanks_kept(ran):
    result = run(ran, "logs", f"{ran.run_id}/start").succeeded()
    assert result.stdout == "  hello Ada\na warning\n"
    assert "stdout\n" in result.stderr
    assert run(ran, "logs", "show", "--stderr", f"{ran.run_id}/start").succeeded().stdout == "a warning\n"
    assert run(ran, "logs", "--no-both", "--stdout", f"{ran.run_id}/start/1").succeeded().stdout == "  hello Ada\n"


def test_logs_can_show_the_time_of_each_line(ran):
    result = run(ran, "logs", "--timestamps", f"{ran.run_id}/end").succeeded()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} sum 14\n", result.stdout)


def test_output_that_cannot_be_written_is_an_error(ran):
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [program("commands"), "show"], cwd=ran.folder, env=ran.variables, stdout=full, stderr=subprocess.PIPE
        )
    assert process.returncode == 1
    assert b"standard output" in process.stderr


# The graph


def test_check_is_what_happens_without_a_command(project):
    result = run(project).succeeded()
    assert result.stdout == ""
    assert "'run' runs it" in result.stderr.replace(str(program("commands")) + " ", "")
    assert not project.root().exists()


def test_show_describes_each_step(project):
    shown = run(project, "show").succeeded().stdout
    assert shown.startswith("Step start\n    Makes the items.\n    => square\n@retry\nStep square\n    ?\n    => add\n")


def test_output_dot_draws_every_edge(project):
    drawn = run(project, "output-dot").succeeded().stdout
    assert drawn.startswith("digraph Commands {\n")
    for edge in ("start -> square;", "square -> add;", "add -> end;"):
        assert edge in drawn


def test_output_raw_as_json_holds_graph_and_structure(project):
    raw = json.loads(run(project, "output-raw", "--json").succeeded().stdout)
    assert list(raw["graph"]) == ["start", "square", "add", "end"]
    assert raw["graph"]["start"]["type"] == "split-foreach"
    assert raw["graph"]["start"]["matching_join"] == "add"
    assert raw["graph_structure"] == ["start", [["square"]], "add", "end"]


def test_help_shows_parameters_with_types_and_defaults(project):
    shown = run(project, "run", "--help").succeeded().stdout
    rows = re.findall(r"^  --(\w+) ", shown.split("Options:")[0], re.MULTILINE)
    assert rows == ["count", "deep", "notes", "rate", "settings", "speed", "who"]
    assert re.search(r"--count INTEGER +How many items  \[default: 3\]", shown)
    assert re.search(r"--who TEXT +Who asks  \[required\]", shown)


def test_version_is_ours_and_the_one_it_is_compatible_with(project):
    assert re.search(r"^2\.19\.38\+cpp\.\d+\.\d+\.\d+$", run(project, "version").succeeded().stderr, re.MULTILINE)
