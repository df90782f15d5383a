"""What a C++ flow means, seen by running one: joins, merging, foreach, switch, recursion, parameters."""

import json
import re

import pytest


def artifacts(project, flow: str) -> dict:
    """`{step: [{name: repr}, ...]}` of the latest run, by our own client, in order of task ids."""
    read = project.run_flow("reader", f"{flow}/{project.latest_run(flow)}").succeeded()
    steps = json.loads(read.stdout)["steps"]
    return {name: [tasks[i]["artifacts"] for i in sorted(tasks, key=int)] for name, tasks in steps.items()}


# Merging


def test_equal_values_do_not_conflict_and_a_resolved_one_does_not_either(project):
    project.run_flow("branches", "run").succeeded()
    end = artifacts(project, "Branches")["end"][0]
    assert end["same"] == "'inherited'"
    assert end["equal"] == "[1, 2]"
    assert end["diff"] == "'left+right'"
    assert end["only_left"] == "'yes'"


def test_an_unresolved_conflict_names_only_the_artifact_that_differs(project):
    error = project.run_flow("branches", "run", "--merge", "unresolved").failed()
    said = error.stdout + error.stderr
    assert "Unhandled artifacts in merge" in said
    message = said[said.index("Unhandled artifacts in merge") :]
    assert "diff" in message and "equal" not in message and "'same'" not in message


def test_an_included_name_that_is_nowhere_is_an_error(project):
    said = project.run_flow("branches", "run", "--merge", "missing").failed().stdout
    assert "Missing artifacts in merge" in said and "nowhere" in said


def test_include_and_exclude_exclude_each_other(project):
    said = project.run_flow("branches", "run", "--merge", "both").failed().stdout
    assert "include" in said and "exclude" in said
    assert "Missing artifacts" not in said and "Unhandled artifacts" not in said


def test_a_join_starts_with_parameters_and_without_artifacts(project):
    project.run_flow("branches", "run").succeeded()
    join = artifacts(project, "Branches")["join"][0]
    assert join["inherited_before_merging"] == "False"
    assert join["parameter_in_join"] == "'a'"


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_join_behind_a_switch_gets_one_input_for_each_branch_of_the_split(project, side):
    project.run_flow("branches", "run", "--side", side).succeeded()
    steps = artifacts(project, "Branches")
    assert steps["join"][0]["input_count"] == "2"
    assert steps["join"][0]["steps_of_inputs"] == f"['left', 'right_{side}']"
    assert steps["end"][0]["from_right"] == f"'{side}'"
    assert f"right_{'b' if side == 'a' else 'a'}" not in steps


def test_a_switch_without_a_case_for_the_value_fails_with_value_and_cases(project):
    said = project.run_flow("branches", "run", "--side", "c").failed().stdout
    assert "side" in said and "'c'" in said and "a" in said and "b" in said


# Foreach


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_nested_loops_know_where_they_are(project, isolation):
    project.run_flow("loops", "run", "--isolation", isolation).succeeded()
    steps = artifacts(project, "Loops")
    assert sorted(leaf["seen"] for leaf in steps["leaf"]) == sorted(
        f"[({i}, 3, 'item {i}'), ({j}, 2, '{10 * j}')]" for i in range(3) for j in range(2)
    )
    assert sorted(join["seen"] for join in steps["inner_join"]) == [f"[({i}, 3, 'item {i}')]" for i in range(3)]
    assert sorted(join["index_in_join"] for join in steps["inner_join"]) == ["0", "1", "2"]
    assert steps["join"][0]["index_in_join"] == "None"


def test_inputs_of_a_foreach_join_come_in_split_order(project):
    project.run_flow("loops", "run", "--width", "12", "--depth", "1").succeeded()
    assert artifacts(project, "Loops")["end"][0]["order"] == str(list(range(12)))


def test_more_splits_than_allowed_fail_the_run_but_not_the_task(project):
    failed = project.run_flow("loops", "run", "--max-num-splits", "2").failed()
    assert re.search(r"\b3\b.*\b2\b", failed.stderr, re.DOTALL), failed.stderr
    assert "--max-num-splits" in failed.stderr
    assert "start/1 (pid " in failed.stdout and "Task finished successfully." in failed.stdout
    read = json.loads(project.run_flow("reader", f"Loops/{project.latest_run('Loops')}").succeeded().stdout)
    assert read["steps"]["start"]["1"]["successful"] and not read["finished"]


def test_a_foreach_over_nothing_fails_the_task_that_splits(project):
    failed = project.run_flow("loops", "run", "--width", "0").failed()
    assert "outer" in failed.stdout + failed.stderr
    assert "start" in failed.stderr
    read = json.loads(project.run_flow("reader", f"Loops/{project.latest_run('Loops')}").succeeded().stdout)
    assert not read["steps"]["start"]["1"]["successful"]


# Recursion


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_step_repeats_itself_in_tasks_of_its_own(project, isolation):
    project.run_flow("recursion", "run", "--isolation", isolation).succeeded()
    run = project.latest_run("Recursion")
    stacks = [
        project.stored_value("Recursion", project.artifact_keys("Recursion", run, step, task)["_iteration_stack"])
        for step, task in [("loop", "2"), ("loop", "3"), ("loop", "4"), ("finish", "5")]
    ]
    assert stacks == [[0], [1], [2], []]
    assert [task["count"] for task in artifacts(project, "Recursion")["loop"]] == ["1", "2", "3"]


# Parameters


def test_a_changed_parameter_would_not_compile_so_its_value_is_the_same_everywhere(project):
    project.run_flow("branches", "run", "--side", "b").succeeded()
    steps = artifacts(project, "Branches")
    assert {task["side"] for tasks in steps.values() for task in tasks} == {"'b'"}


def test_a_flow_of_one_step_is_checked_and_runs(project):
    assert project.run_flow("single", "check").succeeded().stdout == ""
    project.run_flow("single", "run").succeeded()
    assert artifacts(project, "Single") == {"only": [{"answer": "42", "name": "'Single'"}]}


# Folders


def test_a_run_in_a_subfolder_uses_the_store_of_the_nearest_ancestor(project):
    project.run_flow("single", "run").succeeded()
    below = project.folder / "deep/deeper"
    below.mkdir(parents=True)
    project.run_flow("single", "run", cwd=below).succeeded()
    assert not (below / ".metaflow").exists()
    assert len([entry for entry in (project.root() / "Single").iterdir() if entry.name.isdigit()]) == 2
