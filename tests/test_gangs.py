"""Gangs: steps that run as several tasks at the same time; with the official Metaflow as judge and on either side of `resume`."""

import json
import os
import re
import shutil

import pytest
from conftest import missing, program

ISOLATIONS = ["fork", "spawn"]
PLACES = [f"127.0.0.1 3 {i} 2 | 127.0.0.1 3 {i} 2" for i in range(3)]
TRAIN = ["2", "2_node_1", "2_node_2"]

# For the judge: what official finds of the tasks of a run, by step and id.
GANG_VIEW = """
    fields = ['internal_task_type', 'parallel-world-size', 'foreach-execution-path', 'attempt']
    result = {}
    for step in Run(pathspec):
        for task in step:
            result[f'{step.id}/{task.id}'] = {
                'index': task.index, 'successful': task.successful, 'finished': task.finished,
                'stack': [list(frame) for frame in task['_foreach_stack'].data],
                'metadata': {name: task.metadata_dict[name] for name in fields if name in task.metadata_dict},
                'parents': sorted(p.id for p in task.parent_tasks), 'children': sorted(c.id for c in task.child_tasks),
                'public': {a.id: str(a.data) for a in task},
            }
        result[step.id] = step.control_task.id if step.control_task else None
"""

# Artifacts of the engine that do not depend on the run.
INTERNAL = ("_transition", "_foreach_var", "_foreach_num_splits", "_foreach_values", "_unbounded_foreach", "_task_ok")
INTERNAL += ("_parallel_ubf_iter", "_control_task_is_mapper_zero", "_iteration_stack", "_foreach_stack", "_success")


def new_run(log: str) -> str:
    return re.search(r"Workflow starting \(run-id (\S+)\):", log)[1]


def started(log: str, step: str) -> list[str]:
    """Ids of the tasks of a step that were executed, one for each attempt."""
    return re.findall(rf"\[\S+?/{step}/(\w+) \(pid \d+\)\] Task (?:is starting|fallback)", log)


def cloned(log: str) -> list[tuple[str, str]]:
    return re.findall(r"\[\d+/(\w+/\w+)\] Cloning previously run task \d+/(\w+/\w+)$", log, re.MULTILINE)


def view(project, pathspec: str) -> dict:
    found = project.official(GANG_VIEW, pathspec=pathspec)
    for path in [name for name in found if "/" in name]:
        keys = project.artifact_keys(*pathspec.split("/"), *path.split("/"))
        found[path]["internal"] = {name: keys[name] for name in INTERNAL if name in keys}
    return found


def attempt_is_done(project, run: str, task: str, attempt: int) -> bool:
    return (project.root() / "Gang" / run / "train" / task / f"{attempt}.DONE.lock").exists()


# What a gang leaves


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_gang_of_three_has_the_ids_and_the_order_of_official(project, isolation):
    done = project.run_flow("gang", "run", "--isolation", isolation).succeeded()
    run = new_run(done.stdout)
    assert sorted(started(done.stdout, "train")) == TRAIN
    found = project.official(
        "run = Run(pathspec); result = [run.successful, run.data.all, run.data.places, run.data.base]",
        pathspec=f"Gang/{run}",
    )
    assert found == [True, [7, 17, 27], PLACES, 7]


def test_official_finds_of_our_gang_what_it_finds_of_its_own(project):
    ours = f"Gang/{new_run(project.run_flow('gang', 'run').succeeded().stdout)}"
    project.official_flow("gang", "run").succeeded()
    theirs = f"Gang/{project.latest_run('Gang')}"
    assert view(project, ours) == view(project, theirs)


def test_official_finds_of_gangs_in_a_foreach_what_it_finds_of_its_own(project):
    arguments = ["run", "--max-workers", "1"]
    ours = f"Squads/{new_run(project.run_flow('squads', *arguments).succeeded().stdout)}"
    project.official_flow("squads", *arguments).succeeded()
    theirs = f"Squads/{project.latest_run('Squads')}"
    assert view(project, ours) == view(project, theirs)


def test_the_control_task_names_all_nodes_and_the_join_inherits_nothing_of_the_gang(project):
    project.run_flow("gang", "run").succeeded()
    run = project.latest_run("Gang")
    control = project.artifact_keys("Gang", run, "train", "2")
    nodes = project.stored_value("Gang", control["_control_mapper_tasks"])
    assert nodes == [f"{run}/train/{task}" for task in TRAIN]
    assert control["_parallel_ubf_iter"] == "5b0e487b038a2a9da62bd77c44dc35fec2782045"
    join = project.artifact_keys("Gang", run, "join", "3")
    assert not [name for name in join if name.startswith(("_parallel", "_unbounded", "_control", "_foreach_values"))]


def test_the_graph_says_that_the_step_before_a_gang_splits(project):
    project.run_flow("gang", "run").succeeded()
    project.run_flow("squads", "run").succeeded()
    code = """
        infos = [Flow(name).latest_run['_parameters'].task['_graph_info'].data for name in ('Gang', 'Squads')]
        result = [infos[0]['steps']['start']['type'], infos[0]['steps']['start']['num_parallel'],
                  infos[0]['steps']['train']['decorators'], infos[0]['graph_structure'],
                  infos[1]['steps']['plan']['num_parallel'], infos[1]['graph_structure']]
    """
    parallel = {"name": "parallel", "attributes": {}, "statically_defined": True, "inserted_by": None}
    squads = ["start", [["plan", "work", "gather"]], "meet", "end"]
    assert project.official(code) == [
        "split-parallel",
        None,
        [parallel],
        ["start", "train", "join", "end"],
        2,
        squads,
    ]


# All at the same time


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_all_nodes_run_at_the_same_time_though_there_is_one_worker(project, isolation):
    barrier = project.folder / "barrier"
    barrier.mkdir()
    for node in range(1, 6):
        os.mkfifo(barrier / str(node))
    arguments = ["run", "--nodes", "6", "--max-workers", "1", "--isolation", isolation]
    done = project.run_flow("gang", *arguments, BARRIER=barrier).succeeded()
    assert len(started(done.stdout, "train")) == 6


def test_a_gang_of_one_is_its_control_task(project):
    done = project.run_flow("gang", "run", "--nodes", "1").succeeded()
    assert started(done.stdout, "train") == ["2"]


@pytest.mark.parametrize("nodes", ["0", "-1", "10001"])
def test_a_number_that_makes_no_gang_fails_the_step_that_asks_for_it(project, nodes):
    failed = project.run_flow("gang", "run", "--nodes", nodes).failed()
    assert f"Step start asks for {nodes} nodes by num_parallel, which takes between 1 and 10000." in failed.stdout
    assert "Invalid transition in file" in failed.stdout
    assert started(failed.stdout, "train") == []


# Failures


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize(("node", "task"), [(0, "2"), (1, "2_node_1")])
@pytest.mark.parametrize("how", ["FAIL", "DIE"])
def test_a_failed_node_fails_the_gang_and_the_others_are_killed(project, isolation, node, task, how):
    other = "train:2"
    variables = {how: f"train:{node}", "BLOCK": other}
    failed = project.run_flow("gang", "run", "--isolation", isolation, **variables).failed()
    run = new_run(failed.stdout)
    assert f"Step train (task-id {task}) failed." in failed.stderr
    assert f"Task {task} of this gang has failed; so this one is killed." in failed.stdout
    assert "1 task failed:" in failed.stderr and f"{run}/train/{task}: " in failed.stderr
    # A node that was killed early may have left nothing at all.
    code = "result = [t.id for t in Step(pathspec) if t.finished and t.id == '2']"
    assert project.official(code, pathspec=f"Gang/{run}/train") == []
    project.wait_for_no_process()


def test_no_control_task_is_done_while_a_node_may_still_fail(project):
    pipe = project.folder / "pipe"
    os.mkfifo(pipe)
    process = project.start_flow("gang", "run", BLOCK="train:1", PIPE=pipe)
    assert pipe.read_text() == "blocked"
    run = project.latest_run("Gang")
    for line in process.stdout:  # node 0 has nothing more to do when node 2 has not
        if b"/train/2_node_2 " in line and b"Task finished successfully." in line:
            break
    assert not attempt_is_done(project, run, "2", 0)
    process.kill()
    project.finish(process)
    project.wait_for_no_process()
    assert not attempt_is_done(project, run, "2", 0)
    done = project.run_flow("gang", "resume").succeeded()
    assert sorted(started(done.stdout, "train")) == TRAIN
    theirs = project.official_flow("gang", "--no-pylint", "resume", "--origin-run-id", run).succeeded()
    assert started(theirs.stdout, "train") == ["2"]


@pytest.mark.parametrize("node", [0, 2])
@pytest.mark.parametrize("how", ["FAIL", "DIE"])
def test_a_gang_is_retried_whole(project, node, how):
    variables = {how: f"train:{node}@0"}
    done = project.run_flow("gang", "run", "--with", "retry:times=1", **variables).succeeded()
    run = new_run(done.stdout)
    again = re.findall(r"/train/(\w+) \(pid \d+\)\] Task is starting \(retry\)\.", done.stdout)
    assert sorted(again) == TRAIN
    for task in TRAIN:
        assert attempt_is_done(project, run, task, 1)
    code = "run = Run(pathspec); result = [run.successful, run.data.all, run['train']['2_node_1'].current_attempt]"
    assert project.official(code, pathspec=f"Gang/{run}") == [True, [7, 17, 27], 1]


def test_a_node_over_its_limit_fails_the_gang(project):
    variables = {"BLOCK": "train:1"}
    failed = project.run_flow("gang", "run", "--with", "timeout:seconds=1", **variables).failed()
    assert "TimeoutException: Step train timed out after 1 s." in failed.stderr
    project.wait_for_no_process()


def reports(project, **variables) -> list[str]:
    done = project.run_flow("squads", "run", **variables).succeeded()
    return project.official("result = Run(pathspec).data.all", pathspec=f"Squads/{new_run(done.stdout)}")


def test_an_exception_of_one_node_is_caught_for_that_node(project):
    assert reports(project, FAIL="1,1") == ["red 0,0", "red 0,1", "blue 1,0", "blue 1,1: std::runtime_error"]


def test_an_exception_of_the_control_task_is_caught_for_that_node(project):
    assert reports(project, FAIL="0,0") == ["red 0,0: std::runtime_error", "red 0,1", "blue 1,0", "blue 1,1"]


def test_a_node_over_its_limit_is_caught_for_that_node(project):
    late = "metaflow.plugins.timeout_decorator.TimeoutException"
    assert reports(project, HANG="0,1") == ["red 0,0", f"none: {late}", "blue 1,0", "blue 1,1"]


@pytest.mark.parametrize("node", [0, 1])
def test_the_death_of_a_node_is_caught_for_the_whole_gang(project, node):
    handled = "none: metaflow.plugins.catch_decorator.FailureHandledByCatch"
    assert reports(project, DIE=f"0,{node}") == [handled, handled, "blue 1,0", "blue 1,1"]


# Little room


def test_a_large_gang_starts_though_the_shell_lets_programs_open_few_files(project):
    limited = ["prlimit", "--nofile=256:4096", program("gang"), "run", "--nodes", "150"]
    done = project.run(*limited).succeeded()
    assert len(started(done.stdout, "train")) == 150


def test_a_gang_for_which_there_are_too_few_descriptors_fails_in_words(project):
    limited = ["prlimit", "--nofile=256:256", program("gang"), "run", "--nodes", "150"]
    failed = project.run(*limited).failed()
    assert re.search(r"train/2_node_\d+: no descriptors are left for one more task; raise the limit", failed.stderr)
    project.wait_for_no_process()


def without_process(project, number: int, name: str, *arguments):
    """Runs a flow whose fork server can make no process for the task it starts as that one."""
    if shutil.which("strace") is None:
        missing("strace is missing; `./dev setup test` installs it")
    inject = f"inject=clone:error=EAGAIN:when={number}"
    return project.run(
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=clone", "-e", inject, program(name), *arguments
    )


@pytest.mark.preloaded
def test_a_node_for_which_there_is_no_process_fails_the_gang_in_words(project):
    failed = without_process(project, 3, "gang", "run").failed()
    assert "train/2_node_1: No process could be made for this task: Resource temporarily unavailable." in failed.stderr
    project.wait_for_no_process()
    done = without_process(project, 3, "gang", "run", "--with", "retry:times=1").succeeded()
    assert all_nodes(project, new_run(done.stdout)) == [7, 17, 27]


@pytest.mark.preloaded
def test_a_gang_that_finds_no_room_beside_another_waits_for_it(project):
    # In order: start, two plans, and the nodes of two gangs, of which one node finds no room.
    done = without_process(project, 6, "squads", "run").succeeded()
    assert "The gang waits until nothing else runs" in done.stdout
    expected = ["red 0,0", "red 0,1", "blue 1,0", "blue 1,1"]
    assert project.official("result = Run(pathspec).data.all", pathspec=f"Squads/{new_run(done.stdout)}") == expected


# Resume


def test_a_finished_gang_is_taken_over_whole(project):
    project.run_flow("gang", "run", FAIL="join").failed()
    done = project.run_flow("gang", "resume").succeeded()
    assert cloned(done.stdout) == [(path, path) for path in ["start/1", *(f"train/{task}" for task in TRAIN)]]
    assert started(done.stdout, "join") == ["3"]
    code = """
        run = Run(pathspec)
        result = [run.data.all, {t.id: t.origin_pathspec.split('/')[-1] for t in run['train']},
                  sorted(t.id for t in run['join'].task.parent_tasks), run['train'].control_task.id]
    """
    found = project.official(code, pathspec=f"Gang/{new_run(done.stdout)}")
    assert found == [[7, 17, 27], {task: task for task in TRAIN}, TRAIN, "2"]


@pytest.mark.parametrize("node", [0, 2])
def test_a_gang_that_failed_is_executed_whole(project, node):
    project.run_flow("gang", "run", FAIL=f"train:{node}").failed()
    done = project.run_flow("gang", "resume").succeeded()
    assert cloned(done.stdout) == [("start/1", "start/1")]
    assert sorted(started(done.stdout, "train")) == TRAIN


def test_a_gang_of_which_a_node_is_missing_is_executed_whole(project):
    project.run_flow("gang", "run", FAIL="join").failed()
    run = project.latest_run("Gang")
    (project.root() / "Gang" / run / "train/2_node_1/0.DONE.lock").unlink()
    done = project.run_flow("gang", "resume").succeeded()
    assert sorted(started(done.stdout, "train")) == TRAIN
    assert cloned(done.stdout) == [("start/1", "start/1")]


def test_a_gang_that_is_named_is_executed_again(project):
    project.run_flow("gang", "run").succeeded()
    done = project.run_flow("gang", "resume", "train").succeeded()
    assert sorted(started(done.stdout, "train")) == TRAIN


def all_nodes(project, run: str) -> list:
    return project.official("result = Run(pathspec).data.all", pathspec=f"Gang/{run}")


@pytest.mark.parametrize(("mark", "executed"), [("join", []), ("train:1", TRAIN), ("train:0", TRAIN)])
def test_our_resume_goes_on_with_an_official_run(project, mark, executed):
    project.official_flow("gang", "--no-pylint", "run", FAIL=mark).failed()
    done = project.run_flow("gang", "resume").succeeded()
    assert sorted(started(done.stdout, "train")) == executed
    assert all_nodes(project, new_run(done.stdout)) == [7, 17, 27]


@pytest.mark.parametrize(("mark", "executed"), [("join", []), ("train:1", ["2"]), ("train:0", ["2"])])
def test_official_resume_goes_on_with_our_run(project, mark, executed):
    project.run_flow("gang", "run", FAIL=mark).failed()
    done = project.official_flow("gang", "--no-pylint", "resume").succeeded()
    assert started(done.stdout, "train") == executed
    assert all_nodes(project, new_run(done.stdout)) == [7, 17, 27]


def test_resumed_runs_go_on_in_either_hand(project):
    expected = ["red 0,0", "red 0,1", "blue 1,0", "blue 1,1"]
    result = "result = Run(pathspec).data.all"
    project.run_flow("squads", "run", FAIL_MEET=1).failed()
    theirs = project.official_flow("squads", "--no-pylint", "resume", FAIL_MEET=1).failed()
    # Official leaves the workers their ids, while the control tasks get new ones.
    ours = project.run_flow("squads", "resume", "--origin-run-id", new_run(theirs.stdout), FAIL_MEET=1).failed()
    last = project.official_flow("squads", "--no-pylint", "resume", "--origin-run-id", new_run(ours.stdout)).succeeded()
    for log in (theirs.stdout, ours.stdout, last.stdout):
        assert started(log, "work") == [] and started(log, "plan") == []
    assert project.official(result, pathspec=f"Squads/{new_run(last.stdout)}") == expected
    new = [task for task, _ in cloned(ours.stdout) if task.startswith("work/")]
    assert sorted(task.partition("_node_")[2] for task in new) == ["", "", "1", "1"]
    controls = {task for task in new if "_node_" not in task}
    assert {task.partition("_node_")[0] for task in new} == controls


# Looking at it


def test_our_client_and_commands_know_the_nodes_by_their_ids(project):
    done = project.run_flow("gang", "run").succeeded()
    run = new_run(done.stdout)
    seen = json.loads(project.run_flow("reader", f"Gang/{run}").succeeded().stdout)
    tasks = seen["steps"]["train"]
    assert {task: found["index"] for task, found in tasks.items()} == {"2": 0, "2_node_1": 1, "2_node_2": 2}
    assert seen["controls"]["train"] == ["2"] and seen["controls"]["join"] == []
    assert tasks["2_node_1"]["stdout"] == "node 1 attempt 0\n"
    assert seen["steps"]["join"]["3"]["parents"] == [f"Gang/{run}/train/{task}" for task in TRAIN]
    assert tasks["2_node_2"]["parents"] == [f"Gang/{run}/start/1"]
    assert tasks["2_node_2"]["children"] == [f"Gang/{run}/join/3"]
    logs = project.run_flow("gang", "logs", f"{run}/train/2_node_2").succeeded()
    assert logs.stdout == "node 2 attempt 0\n"
    dump = project.run_flow("gang", "dump", f"{run}/train/2_node_2").succeeded()
    assert "node: <class 'int'>" in dump.stdout or "27" in dump.stdout


def test_a_node_can_be_executed_by_hand(project):
    project.run_flow("gang", "run", FAIL="train:0").failed()
    run = project.latest_run("Gang")
    common = ["--run-id", run, "--input-paths", f"{run}/start/1", "--num-parallel", "2", "--retry-count", "1"]
    worker = ["--task-id", "2_node_1", "--ubf-context", "ubf_task", "--split-index", "1"]
    control = ["--task-id", "2", "--ubf-context", "ubf_control"]
    for own in (worker, control):
        project.run_flow("gang", "--quiet", "step", "train", *common, *own).succeeded()
    code = "result = [t.data.place for t in (Task(f'{run}/train/2'), Task(f'{run}/train/2_node_1'))]"
    places = project.official(code, run=f"Gang/{run}")
    assert places == [f"127.0.0.1 2 {i} 2 | 127.0.0.1 2 {i} 2" for i in range(2)]


@pytest.mark.parametrize(
    "options",
    [
        ["--ubf-context", "ubf_task", "--num-parallel", "2"],
        ["--ubf-context", "ubf_control", "--num-parallel", "2", "--split-index", "1"],
        ["--ubf-context", "ubf_task", "--num-parallel", "2", "--split-index", "2"],
        ["--num-parallel", "2", "--split-index", "1"],
        ["--ubf-context", "ubf_control"],
        ["--split-index", "0"],
    ],
)
def test_a_node_that_is_described_wrongly_is_refused(project, options):
    project.run_flow("gang", "run", "--nodes", "1").succeeded()
    run = project.latest_run("Gang")
    arguments = ["--run-id", run, "--task-id", "9", "--input-paths", f"{run}/start/1", *options]
    refused = project.run_flow("gang", "step", "train", *arguments)
    assert refused.exit != 0
    assert "--ubf-context" in refused.stderr
