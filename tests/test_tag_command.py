"""`tag add|remove|replace|list` of a flow program; the official client looks at the result."""

import pytest


def tag(project, *arguments, quiet=False):
    return project.run_flow("single", *(["--quiet"] if quiet else []), "tag", *arguments)


@pytest.fixture
def run(project):
    project.run_flow("single", "run", "--tag", "old", "--tag", "kept").succeeded()
    return project.latest_run("Single")


def official_tags(project, run):
    return project.official("result = sorted(Run('Single/' + run).user_tags)", run=run)


def test_tags_can_be_added_removed_and_replaced(project, run):
    created = "result = Run('Single/' + run).created_at.timestamp()"
    before = project.official(created, run=run)
    added = tag(project, "add", "--run-id", run, "new", "colour:red").succeeded()
    assert added.stdout.startswith("Operation successful. New tags:\n")
    assert official_tags(project, run) == ["colour:red", "kept", "new", "old"]
    assert (
        tag(project, "remove", "--run-id", run, "new", "never").succeeded().stdout.startswith("Operation successful.")
    )
    assert official_tags(project, run) == ["colour:red", "kept", "old"]
    tag(project, "replace", "--run-id", run, "--remove", "old", "--remove", "kept", "--add", "good").succeeded()
    assert official_tags(project, run) == ["colour:red", "good"]
    assert project.official(created, run=run) == before


def test_tags_that_the_official_command_changes_are_seen_here(project, run):
    project.official("Run('Single/' + run).replace_tags(['old'], ['theirs']); result = None", run=run)
    assert "; kept,theirs\n" in tag(project, "list", run, quiet=True).succeeded().stdout


def test_a_list_for_people_stands_in_columns(project, run):
    lines = tag(project, "list", "--hide-system-tags", run).succeeded().stdout.splitlines()
    assert lines[1].startswith("System tags and tags")
    assert lines[-1] == "kept    old"


def test_lines_for_programs_go_to_standard_output(project, run):
    project.run_flow("single", "run", "--tag", "old", USER="ann").succeeded()
    other = project.latest_run("Single")
    together = tag(project, "list", "--hide-system-tags", quiet=True).succeeded()
    assert together.stdout == f"Single/{other},Single/{run} ;  ; kept,old\n"
    assert together.stderr == ""
    by_tag = tag(project, "list", "--hide-system-tags", "--group-by-tag", quiet=True).succeeded().stdout
    assert by_tag == f"user:kept ; Single/{run}\nuser:old ; Single/{other},Single/{run}\n"
    by_run = tag(project, "list", "--group-by-run", quiet=True).succeeded().stdout.splitlines()
    assert [line.split(" ; ")[0] for line in by_run] == [f"Single/{other}", f"Single/{run}"]
    assert [line.split(" ; ")[2] for line in by_run] == ["old", "kept,old"]
    assert "user:ann" in by_run[0].split(" ; ")[1]
    mine = tag(project, "list", "--my-runs", "--group-by-run", quiet=True).succeeded().stdout
    assert mine == by_run[1] + "\n"
    assert tag(project, "list", "--flat", "--hide-system-tags").succeeded().stdout == "kept\nold\n"


def test_grouped_lists_have_a_heading_for_each_run_or_tag(project, run):
    assert f"For run Single/{run}\n" in tag(project, "list", "--group-by-run").succeeded().stdout
    assert f"For tag kept\nSingle/{run}\n" in tag(project, "list", "--group-by-tag").succeeded().stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "x"], "Its latest run has id RUN in namespace user:demo."),
        (["add", "--run-id", "5", "x"], "There is no run Single/5."),
        (["list", "5"], "There is no run Single/5."),
        (["add", "--run-id", "RUN", ""], "a tag must not be empty"),
        (["add", "--run-id", "RUN", "x" * 501], "is longer than 500 characters"),
        (["add", "--run-id", "RUN", *(f"t{i}" for i in range(49))], "at most 50 tags"),
        (["remove", "--run-id", "RUN", "user:demo"], "'user:demo' is a system tag"),
        (["replace", "--run-id", "RUN", "--add", "x"], "use 'tag add'"),
        (["replace", "--run-id", "RUN", "--remove", "x"], "use 'tag remove'"),
        (["list", "--all", "--my-runs"], "--all and --my-runs exclude each other"),
        (["list", "--group-by-run", "--group-by-tag"], "exclude each other"),
        (["list", "--all", "RUN"], "excludes the options --run-id, --all and --my-runs"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_what_cannot_be_done_changes_nothing_and_says_why(project, run, arguments, message):
    result = tag(project, *(word.replace("RUN", run) if len(word) < 30 else word for word in arguments)).failed()
    assert message.replace("RUN", run) in result.stderr
    assert official_tags(project, run) == ["kept", "old"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing command."),
        (["ad", "x"], "No such command 'ad'. Did you mean 'add'?"),
        (["add", "--run-id", "1"], "Missing argument 'TAGS'."),
        (["list", "1", "2"], "Got unexpected extra argument (2)"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(project, arguments, message):
    result = tag(project, *arguments)
    assert result.exit == 2
    assert message in result.stderr


def test_a_run_of_somebody_else_is_changed_only_in_its_namespace(project):
    project.run_flow("single", "run", USER="ann").succeeded()
    run = project.latest_run("Single")
    refused = tag(project, "add", "--run-id", run, "x").failed()
    assert "in namespace user:demo" in refused.stderr
    tag(project, "add", "--run-id", run, "--namespace", "user:ann", "x").succeeded()
    tag(project, "add", "--run-id", run, "--namespace", "", "y").succeeded()
    assert project.official("namespace(None); result = sorted(Run('Single/' + run).user_tags)", run=run) == ["x", "y"]


def test_help_lists_what_can_be_done_with_tags(project):
    said = tag(project, "--help").succeeded().stdout
    for command in ("add", "remove", "replace", "list"):
        assert f"  {command} " in said
    assert "Usage: single tag add [OPTIONS] TAGS..." in tag(project, "add", "--help").succeeded().stdout
