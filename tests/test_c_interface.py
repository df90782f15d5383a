"""A flow in C (tests/programs/c_flow.c) on the C interface, and its header."""

import subprocess

import pytest
from conftest import BUILD, REPOSITORY, Project

C_FLOW = BUILD / "tests/programs/c_flow"

READ_RUN = """
    namespace(None)
    run = Flow("CFlow").latest_run
    result = {
        "successful": run.successful,
        "squared": sorted(task["squared"].data for task in run["square"]),
        "variables": [[list(frame)[:2] + list(frame)[3:] for frame in task["_foreach_stack"].data]
                      for task in sorted(run["square"], key=lambda task: int(task.id))],
        "end": sorted(artifact.id for artifact in run["end"].task) if "end" in run else [],
        "total": run["end"].task["total"].data if "end" in run else None,
        "items": run["join"].task["given"].data if "join" in run else None,
        "factor": run["start"].task["factor"].data,
        "system_tags": sorted(run.system_tags),
    }
"""


def run(project: Project, *words, **settings):
    return project.run(C_FLOW, *words, **settings)


def test_a_run_leaves_what_the_official_client_reads(project):
    said = run(project, "run").succeeded()
    assert "the total is 5, after 3 forks" in said.stdout
    assert said.stdout.count("the process leaves") == 6
    seen = project.official(READ_RUN)
    assert seen["successful"]
    assert seen["squared"] == [0, 1, 4]
    assert seen["variables"] == [[["square", "items", i, f"no {i}"]] for i in range(3)]
    assert seen["end"] == ["count", "factor", "name", "total"]
    assert (seen["total"], seen["items"], seen["factor"]) == (5, [0, 1, 2], 1)
    assert "language:c" in seen["system_tags"]
    assert any(tag.startswith("metaflow_version:") for tag in seen["system_tags"])


def test_a_parameter_is_parsed_by_the_flow(project):
    assert "the total is 30" in run(project, "run", "--count", "5").succeeded().stdout
    assert "the total is 1," in run(project, "run", METAFLOW_RUN_COUNT=2).succeeded().stdout


def test_a_parameter_that_the_flow_refuses_is_wrong_usage(project):
    said = run(project, "run", "--count", "many")
    assert said.exit == 2
    assert "Invalid value for '--count': 'many' is no number up to 100" in said.stderr


def test_a_choice_that_the_flow_refuses_is_wrong_usage(project):
    said = run(project, "--how", "refuse", "run")
    assert said.exit == 2
    assert "Invalid value for '--how': it is refused" in said.stderr


def test_help_has_the_options_of_the_flow(project):
    said = run(project, "--help").succeeded()
    assert "--break STEP" in said.stdout
    assert "--once / --always" in said.stdout
    assert "--set NAME VALUE" in said.stdout
    assert "Squares numbers, in C." in said.stdout
    assert "--count INTEGER" in run(project, "run", "--help").succeeded().stdout


def test_a_foreach_without_items_fails(project):
    said = run(project, "run", "--count", "0").failed()
    assert "Step start loops over 'items', which has no items" in said.stdout


@pytest.mark.parametrize(
    ("how", "shown", "exception"),
    [
        ("fail", "c.Problem: it was asked to", "it was asked to"),
        ("headline", "Own heading:", "it was asked to"),
        ("error", "C trouble:", "The step ran out of luck."),
        (
            "silent",
            "run_step failed and did not say why (status 5).",
            "run_step failed and did not say why (status 5).",
        ),
        ("constant", "Read-only artifact:", "parameters and constants are the same for all steps"),
    ],
)
def test_a_failure_is_shown_and_stored(project, how, shown, exception):
    said = run(project, "--break", "join", "--how", how, "run").failed()
    assert "<flow CFlow step join> failed:" in said.stdout
    assert shown in said.stdout
    assert exception in project.official(
        "namespace(None); result = str(Flow('CFlow').latest_run['join'].task.exception)"
    )


def test_resume_goes_on_from_a_failed_step(project):
    run(project, "--break", "join", "run").failed()
    said = run(project, "resume").succeeded()
    assert "the total is 5" in said.stdout
    assert project.official(READ_RUN)["squared"] == [0, 1, 4]


def test_a_decorator_of_the_command_line_is_attached_by_the_flow(project):
    words = ("--break", "square", "--once", "run")
    assert "(retry)" not in run(project, *words).failed().stdout
    assert "Task is starting (retry)." in run(project, *words, "--with", "retry").succeeded().stdout


def test_exit_code_202_is_not_retried(project):
    said = run(project, "--break", "square", "--how", "exit", "run", "--with", "retry").failed()
    assert "This failed task will not be retried." in said.stdout
    assert "(retry)" not in said.stdout


def test_a_body_that_is_killed_fails_its_attempt(project):
    said = run(project, "--break", "square", "--how", "signal", "--once", "run", "--with", "retry").succeeded()
    assert "was ended by signal 6" in said.stdout


def test_options_of_the_flow_reach_tasks_in_fresh_processes(project):
    words = ("--break", "join", "--always", "--how", "a", "--how", "headline", "--set", "x", "1", "--set", "y", "2")
    assert "Own heading:" in run(project, *words, "run", "--isolation", "spawn").failed().stdout
    assert "the total is 5, after 0 forks" in run(project, "run", "--isolation", "spawn").succeeded().stdout
    said = run(
        project, "--break", "square", "--once", "run", "--with", "retry", METAFLOW_RUN_ISOLATION="spawn"
    ).succeeded()
    assert "Task is starting (retry)." in said.stdout
    assert "the process leaves" in said.stdout


def test_a_pair_needs_both_its_words(project):
    said = run(project, "--set", "x")
    assert said.exit == 2
    assert "Option '--set' needs two values." in said.stderr


def test_a_step_is_spun(project):
    run(project, "run").succeeded()
    assert "the total is 5" in run(project, "spin", "end").succeeded().stdout


def test_there_is_no_code_package_of_it_yet(project):
    assert "No code package:" in run(project, "package", "list").failed().stderr


def test_the_steps_are_shown(project):
    assert "Shows the total." in run(project, "show").succeeded().stdout
    run(project, "check").succeeded()


@pytest.mark.parametrize("language", ["c", "c++"])
def test_the_header_compiles_alone(tmp_path, language):
    header = REPOSITORY / "include/metaflow/metaflow.h"
    flags = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-x", language]
    standard = "-std=c99" if language == "c" else "-std=c++11"
    source = tmp_path / "alone.c"
    source.write_text(f'#include "{header}"\n#include "{header}"\nint main(void) {{ return METAFLOW_OK; }}\n')
    subprocess.run(["cc", standard, *flags, str(source)], check=True)
