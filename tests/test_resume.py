"""`resume`: a new run takes over what an earlier one finished, and executes the rest; with the official Metaflow on
either side."""

import json
import os
import re
import signal

import pytest

FLOW = "Resumable"
LEAVES = [f"w{i}/{j}" for i in range(3) for j in range(2)]

# For the judge: `{step: [[id, indices, origin pathspec or None], ...]}` of a run, in order of ids.
TASKS = """
    tasks = {}
    for step in Run(pathspec):
        for task in step:
            indices = ','.join(str(f.index) for f in task['_foreach_stack'].data) if '_foreach_stack' in task else '?'
            tasks.setdefault(step.id, []).append([task.id, indices, task.origin_pathspec])
    for listed in tasks.values():
        listed.sort(key=lambda t: int(t[0]))
    result = tasks
"""


def new_run(log: str) -> str:
    return re.search(r"Workflow starting \(run-id (\S+)\):", log)[1]


def executed(log: str) -> list[str]:
    """Steps of the tasks that were started, once for each, sorted."""
    return sorted(re.findall(r"\[\S+?/(\w+)/\d+ \(pid \d+\)\] Task is starting\.", log))


def cloned(log: str) -> list[tuple[str, str]]:
    """`step/task` of the new and of the earlier run, in the order of the log."""
    return re.findall(r"\[\d+/(\w+/\d+)\] Cloning previously run task \d+/(\w+/\d+)$", log, re.MULTILINE)


def fail(project, mark: str, *arguments) -> str:
    """A run that failed at a task; its id. With one worker, what is finished by then is always the same."""
    project.run_flow("resumable", "run", "--max-workers", "1", *arguments, FAIL=mark).failed()
    return project.latest_run(FLOW)


def resume(project, *arguments, **variables):
    return project.run_flow("resumable", "resume", *arguments, **variables)


def end_of(project, run: str) -> list:
    code = "run = Run(pathspec); data = run.data; result = [run.successful, data.all, data.settled, data.origin]"
    return project.official(code, pathspec=f"{FLOW}/{run}")


# What is taken over, and what is executed


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_only_the_children_of_a_foreach_that_are_not_finished_are_executed(project, isolation):
    origin = fail(project, "leaf:1,0")
    done = resume(project, "--isolation", isolation).succeeded()
    assert executed(done.stdout).count("leaf") == 4
    assert len([new for new, _ in cloned(done.stdout) if new.startswith("leaf/")]) == 2
    assert executed(done.stdout).count("item") == 0
    assert end_of(project, new_run(done.stdout)) == [True, LEAVES, "after 4", origin]


def test_a_branch_that_finished_while_the_run_was_failing_is_taken_over(project):
    pipe = project.folder / "pipe"
    os.mkfifo(pipe)
    process = project.start_flow("resumable", "run", FAIL="right", WAIT="left", PIPE=pipe)
    while b"Workflow failed." not in process.stdout.readline():
        pass
    pipe.write_text("go on")
    project.finish(process)
    origin = project.latest_run(FLOW)
    done = resume(project).succeeded()
    assert ("left/2", "left/2") in cloned(done.stdout)
    assert "left" not in executed(done.stdout) and "right" in executed(done.stdout)
    assert end_of(project, new_run(done.stdout)) == [True, LEAVES, "after 4", origin]


def test_recursion_goes_on_from_the_last_round(project):
    fail(project, "loop:3")
    done = resume(project).succeeded()
    run = new_run(done.stdout)
    assert executed(done.stdout).count("loop") == 2
    stacks = project.official(
        """
        tasks = sorted(Run(pathspec)['loop'], key=lambda t: t.data.count)
        result = [[t.data.count, t.origin_pathspec is not None] for t in tasks]
        """,
        pathspec=f"{FLOW}/{run}",
    )
    assert stacks == [[1, True], [2, True], [3, False], [4, False]]
    ids = sorted((project.root() / FLOW / run / "loop").glob("[0-9]*"), key=lambda path: int(path.name))
    keys = [project.artifact_keys(FLOW, run, "loop", path.name)["_iteration_stack"] for path in ids]
    assert [project.stored_value(FLOW, key) for key in keys] == [[0], [1], [2], [3]]


@pytest.mark.parametrize("mode", ["loop", "calm"])
def test_parameters_come_from_the_origin(project, mode):
    origin = fail(project, "meet", "--mode", mode, "--width", "2", "--depth", "1")
    done = resume(project, METAFLOW_RUN_MODE="nonsense").succeeded()
    assert executed(done.stdout) == ["end", "meet"]
    settled = "after 0" if mode == "calm" else "after 4"
    assert end_of(project, new_run(done.stdout)) == [True, ["w0/0", "w1/0"], settled, origin]


def test_a_named_step_and_all_that_follows_it_is_executed_again(project):
    project.run_flow("resumable", "run").succeeded()
    done = resume(project, "gather_leaves").succeeded()
    assert executed(done.stdout) == sorted(["gather_leaves"] * 3 + ["gather_items", "meet", "end"])
    assert len([new for new, _ in cloned(done.stdout) if new.startswith("leaf/")]) == 6


def test_a_successful_run_is_taken_over_whole(project):
    project.run_flow("resumable", "run").succeeded()
    done = resume(project).succeeded()
    assert executed(done.stdout) == []
    assert done.stdout.endswith(" Done!\n")
    assert end_of(project, new_run(done.stdout)) == [True, LEAVES, "after 4", "none"]


def test_a_resumed_run_can_be_resumed(project):
    first = fail(project, "leaf:1,0")
    again = resume(project, FAIL="end").failed()
    second = new_run(again.stdout)
    done = resume(project, "--origin-run-id", second).succeeded()
    assert executed(done.stdout) == ["end"]
    run = new_run(done.stdout)
    assert end_of(project, run) == [True, LEAVES, "after 4", first]
    code = "result = sorted({t.origin_pathspec.split('/')[1] for s in Run(pathspec) for t in s if s.id != 'end'})"
    assert project.official(code, pathspec=f"{FLOW}/{run}") == [second]


def test_a_failure_that_was_caught_counts_as_finished(project):
    project.run_flow("survive", "run", "--how", "throw_and_fail").failed()
    done = project.run_flow("survive", "resume").succeeded()
    assert executed(done.stdout) == ["bare", "end"]
    assert project.official(
        """
        run = Run(pathspec)
        task = run['work'].task
        result = [run.successful, task.finished, task.successful, task.data.trouble.exception,
                  run['after'].task.data.seen, task.origin_pathspec is not None]
        """,
        pathspec=f"Survive/{new_run(done.stdout)}",
    ) == [True, True, False, "boom", "std::runtime_error", True]


def test_the_first_step_can_be_resumed(project):
    fail(project, "start")
    assert "start" in executed(resume(project).succeeded().stdout)


def test_endpoints_with_names_of_their_own_are_found_after_resume(project):
    project.run_flow("recursion", "run").succeeded()
    done = project.run_flow("recursion", "resume", "finish").succeeded()
    assert project.official(
        "run = Run(pathspec); result = [run.successful, run.data.count, run.end_task.id]",
        pathspec=f"Recursion/{new_run(done.stdout)}",
    ) == [True, 3, "5"]


def test_a_flow_of_one_step_is_found_after_resume(project):
    project.run_flow("single", "run").succeeded()
    done = project.run_flow("single", "resume").succeeded()
    code = "run = Run(pathspec); result = [run.successful, run.data.answer]"
    assert project.official(code, pathspec=f"Single/{new_run(done.stdout)}") == [True, 42]


# Records


def test_clones_know_their_origin_and_executed_tasks_the_run(project):
    origin = fail(project, "leaf:2,1")
    run = new_run(resume(project).succeeded().stdout)
    tasks = project.official(TASKS, pathspec=f"{FLOW}/{run}")
    clones = {indices: origin for _, indices, origin in tasks["leaf"] if origin}
    assert sorted(clones) == ["0,0", "0,1", "1,0", "1,1", "2,0"]
    earlier = {indices: task for task, indices, _ in project.official(TASKS, pathspec=f"{FLOW}/{origin}")["leaf"]}
    assert clones == {indices: f"{FLOW}/{origin}/leaf/{earlier[indices]}" for indices in clones}
    assert project.official(
        """
        run = Run(pathspec)
        fresh = [t for t in run['leaf'] if t.origin_pathspec is None]
        result = [run.origin_pathspec, [t.metadata_dict.get('origin-run-id') for t in fresh],
                  [t.metadata_dict.get('origin-task-id') for t in fresh]]
        """,
        pathspec=f"{FLOW}/{run}",
    ) == [f"{FLOW}/{origin}", [origin], [None]]


def test_clones_can_be_navigated(project):
    fail(project, "end")
    run = new_run(resume(project).succeeded().stdout)
    assert project.official(
        """
        run = Run(pathspec)
        result = [len(list(run['gather_items'].task.parent_task_pathspecs)),
                  sorted(len(list(t.parent_task_pathspecs)) for t in run['gather_leaves']),
                  [s.id for s in run['gather_items'].parent_steps]]
        """,
        pathspec=f"{FLOW}/{run}",
    ) == [3, [2, 2, 2], ["gather_leaves"]]


def test_ids_of_clones_follow_the_order_of_the_origin_each_time(project):
    fail(project, "end")
    first, second = (resume(project).succeeded().stdout for _ in range(2))
    assert cloned(first) == cloned(second)
    assert [int(old.split("/")[1]) for _, old in cloned(first)] == sorted(
        int(o.split("/")[1]) for _, o in cloned(first)
    )
    assert [int(new.split("/")[1]) for new, _ in cloned(first)] == list(range(1, len(cloned(first)) + 1))


def test_a_clone_leaves_few_files(project):
    fail(project, "end")
    run = new_run(resume(project).succeeded().stdout)
    files = project.task_files(FLOW, run, "left", "2")
    control = [name for name in files if "_artifact_" not in name]
    assert [re.sub(r"_\d{13}", "", name) for name in control] == [
        "0.DONE.lock",
        "0.attempt.json",
        "0.data.json",
        "_meta/_self.json",
        "_meta/sysmeta_attempt-done.json",
        "_meta/sysmeta_attempt.json",
        "_meta/sysmeta_origin-run-id.json",
        "_meta/sysmeta_origin-task-id.json",
    ]


def test_latest_run_is_left_as_it_is(project):
    origin = fail(project, "end")
    resume(project).succeeded()
    assert project.latest_run(FLOW) == origin


# The log


def test_the_log_says_what_is_taken_over(project):
    origin = fail(project, "end")
    done = resume(project).succeeded()
    run = new_run(done.stdout)
    lines = [line[24:] for line in done.stdout.splitlines()]
    assert lines[0].startswith(f"Reading what is finished of {FLOW}/{origin}")
    assert lines[1:4] == [
        f"Workflow starting (run-id {run}):",
        f"Cloning {FLOW}/{origin}",
        f"[{run}/start/1] Cloning previously run task {origin}/start/1",
    ]
    told = lines.index(f"{FLOW}/{origin} cloned!")
    assert all(" Cloning previously run task " in line for line in lines[3:told])
    assert re.fullmatch(rf"\[{run}/end/\d+ \(pid \d+\)\] Task is starting\.", lines[told + 1])


def test_clone_only_executes_nothing_under_an_id_from_outside(project):
    origin = fail(project, "end")
    done = resume(project, "--clone-only", "--run-id", "outside-1", "--run-id-file", "id.txt").succeeded()
    assert executed(done.stdout) == [] and "Done!" not in done.stdout
    assert f"Cloning task from {FLOW}/{origin}/start/1 to {FLOW}/outside-1/start/1" in done.stdout
    assert (project.folder / "id.txt").read_text() == "outside-1"
    finished = resume(project, "--origin-run-id", "outside-1").succeeded()
    assert executed(finished.stdout) == ["end"]
    assert "outside-1 exists" in resume(project, "--run-id", "outside-1").failed().stderr.replace("' ", " ")


# Refusals


def test_flow_parameters_are_no_options_of_resume(project):
    fail(project, "end")
    assert resume(project, "--width", "3").exit == 2


def test_an_unknown_step_is_answered_with_the_steps_there_are(project):
    fail(project, "end")
    said = resume(project, "nowhere").failed().stderr
    assert "'nowhere'" in said and "gather_leaves, " in said


def test_an_unknown_run_is_refused(project):
    fail(project, "end")
    said = resume(project, "--origin-run-id", "12").failed().stderr
    assert "Resume could not find run id 12" in said


def test_without_any_run_the_option_is_asked_for(project):
    assert "--origin-run-id" in resume(project).failed().stderr
    assert not project.root().exists()


@pytest.mark.parametrize("identifier", ["12", "a/b", "..", ""])
def test_an_id_from_outside_is_no_number_and_no_path(project, identifier):
    fail(project, "end")
    before = sorted(os.listdir(project.root() / FLOW))
    resume(project, "--run-id", identifier).failed()
    assert sorted(os.listdir(project.root() / FLOW)) == before


def test_more_children_left_than_allowed_are_refused(project):
    fail(project, "item:0", "--width", "4")
    said = resume(project, "--max-num-splits", "2").failed().stderr
    assert "--max-num-splits" in said
    resume(project, "--max-num-splits", "4").succeeded()


# Damage


def damage(project, run: str, what: str) -> None:
    task = project.root() / FLOW / run / "left/2"
    if what == "json":
        (task / "0.data.json").write_text('{"objects": ')
    elif what == "table":
        (task / "0.data.json").unlink()
    elif what == "artifact":
        data = json.loads((task / "0.data.json").read_text())
        del data["objects"]["_transition"]
        (task / "0.data.json").write_text(json.dumps(data))
    else:
        key = project.artifact_keys(FLOW, run, "left", "2")["_transition"]
        blob = project.root() / FLOW / "data" / key[:2] / key
        blob.unlink() if what == "blob" else blob.write_bytes(b"no gzip")


@pytest.mark.parametrize("what", ["json", "table", "artifact", "blob", "bytes"])
def test_a_damaged_origin_is_named_and_nothing_new_is_left(project, what):
    run = fail(project, "leaf:1,0")
    damage(project, run, what)
    before = sorted(os.listdir(project.root() / FLOW))
    said = resume(project).failed()
    assert "left/2" in said.stderr, said
    assert sorted(os.listdir(project.root() / FLOW)) == before


def test_a_run_whose_parameters_were_never_stored_is_not_found(project):
    run = fail(project, "end")
    (project.root() / FLOW / run / "_parameters/0/0.DONE.lock").unlink()
    assert f"Resume could not find run id {run}" in resume(project).failed().stderr


def test_a_task_killed_before_it_was_done_is_executed_again(project):
    project.run_flow("resumable", "run", DIE="gather_items").failed()
    done = resume(project).succeeded()
    assert "gather_items" in executed(done.stdout) and "gather_leaves" not in executed(done.stdout)


def test_a_task_killed_after_it_was_done_is_taken_over_though_the_client_has_not_seen_its_end(project):
    run = fail(project, "end")
    folder = project.root() / FLOW / run / "left/2/_meta"
    for name in [*folder.glob("sysmeta_attempt-done_*"), *folder.glob("0_artifact_*")]:
        name.unlink()
    assert project.official("result = Task(pathspec).finished", pathspec=f"{FLOW}/{run}/left/2") is False
    assert executed(resume(project).succeeded().stdout) == ["end"]


def test_a_later_attempt_that_is_not_done_hides_an_earlier_one(project):
    run = fail(project, "end")
    task = next((project.root() / FLOW / run / "gather_items").glob("[0-9]*"))
    (task / "1.attempt.json").write_text('{"time": 1}')
    assert executed(resume(project).succeeded().stdout) == ["end", "gather_items", "meet"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_whose_scheduler_was_ended_goes_on(project, number):
    pipe = project.folder / "pipe"
    os.mkfifo(pipe)
    process = project.start_flow("resumable", "run", "--max-workers", "1", BLOCK="leaf:2,1", PIPE=pipe)
    assert pipe.read_text() == "blocked"
    os.kill(process.pid, number)
    project.finish(process)
    project.wait_for_no_process()
    done = resume(project).succeeded()
    assert executed(done.stdout).count("leaf") == 1
    assert end_of(project, new_run(done.stdout))[:2] == [True, LEAVES]


# The official Metaflow on the other side

SMALL = ["--width", "2", "--depth", "1"]
FEW_LEAVES = ["w0/0", "w1/0"]


def official_fail(project, mark: str) -> str:
    arguments = ["--no-pylint", "run", "--max-workers", "1", *SMALL]
    project.official_flow("resumable", *arguments, FAIL=mark).failed()
    return project.latest_run(FLOW)


def official_resume(project, *arguments, FAIL=""):
    return project.official_flow("resumable", "--no-pylint", "resume", *arguments, FAIL=FAIL)


def cloned_from(log: str, step: str) -> list[str]:
    return [old.split("/")[1] for _, old in cloned(log) if old.startswith(f"{step}/")]


@pytest.mark.parametrize("mark", ["leaf:1,0", "loop:3"])
def test_official_resume_goes_on_with_our_run(project, mark):
    origin = fail(project, mark, *SMALL)
    done = official_resume(project).succeeded()
    assert executed(done.stdout).count("leaf") == (1 if mark.startswith("leaf") else 0)
    assert executed(done.stdout).count("loop") == (3 if mark.startswith("leaf") else 2)
    assert end_of(project, new_run(done.stdout)) == [True, FEW_LEAVES, "after 4", origin]


@pytest.mark.parametrize("mark", ["leaf:1,0", "loop:3"])
def test_our_resume_goes_on_with_an_official_run(project, mark):
    origin = official_fail(project, mark)
    done = resume(project).succeeded()
    assert executed(done.stdout).count("leaf") == (1 if mark.startswith("leaf") else 0)
    assert executed(done.stdout).count("loop") == (3 if mark.startswith("leaf") else 2)
    run = new_run(done.stdout)
    assert end_of(project, run) == [True, FEW_LEAVES, "after 4", origin]
    tasks = project.official(TASKS, pathspec=f"{FLOW}/{run}")
    origins = [came_from for step in ("left", "item") for _, _, came_from in tasks[step]]
    old = [f"{step}/{task}" for step in ("left", "item") for task in cloned_from(done.stdout, step)]
    assert origins == [f"{FLOW}/{origin}/{path}" for path in old]


def test_resumed_runs_go_on_in_either_hand(project):
    fail(project, "leaf:1,0", *SMALL)
    theirs = new_run(official_resume(project, FAIL="meet").failed().stdout)
    ours = new_run(resume(project, "--origin-run-id", theirs, FAIL="end").failed().stdout)
    last = official_resume(project, "--origin-run-id", ours).succeeded()
    assert executed(last.stdout) == ["end"]
    assert end_of(project, new_run(last.stdout)) == [True, FEW_LEAVES, "after 4", theirs]


# Several processes that resume into one run


def reentrant(project, identifier: str, *arguments):
    return resume(
        project, "--reentrant", "--clone-only", "--run-id", "joint", "--resume-identifier", identifier, *arguments
    )


def test_of_several_reentrant_processes_one_clones(project):
    run = fail(project, "end")
    started = [
        project.start_flow(
            *"resumable resume --reentrant --clone-only --run-id joint --resume-identifier".split(), identifier
        )
        for identifier in "abc"
    ]
    logs = [project.finish(process).succeeded().stdout for process in started]
    leaders = {re.search(r"Resume leader is \"(.)\"", log)[1] for log in logs}
    assert len(leaders) == 1
    assert sorted(log.count(f"Cloning {FLOW}/{run}\n") for log in logs) == [0, 0, 1]
    assert project.official("result = Run(pathspec)['meet'].task.successful", pathspec=f"{FLOW}/joint")


def test_a_reentrant_leader_goes_on_where_it_was_stopped(project):
    fail(project, "end")
    reentrant(project, "a").succeeded()
    tasks = project.root() / FLOW / "joint"
    (tasks / "_parameters/0/_resume_done").unlink()
    for file in [*tasks.glob("meet/*/_meta/*attempt-done*"), *tasks.glob("meet/*/*.DONE.lock")]:
        file.unlink()
    before = {path: path.stat().st_mtime_ns for path in tasks.glob("leaf/**/*")}
    reentrant(project, "a").succeeded()
    assert project.official("result = Run(pathspec)['meet'].task.successful", pathspec=f"{FLOW}/joint")
    assert before == {path: path.stat().st_mtime_ns for path in tasks.glob("leaf/**/*")}
    assert "All is cloned." in reentrant(project, "b").succeeded().stdout


@pytest.mark.parametrize("missing", ["--run-id", "--resume-identifier", "--clone-only"])
def test_reentrant_needs_to_know_who_and_where(project, missing):
    options = {"--run-id": ["joint"], "--resume-identifier": ["a"], "--clone-only": []}
    del options[missing]
    words = [word for name, values in options.items() for word in (name, *values)]
    result = resume(project, "--reentrant", *words)
    assert result.exit == 2
    assert f"--reentrant needs {missing}" in result.stderr
