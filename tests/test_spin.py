"""`spin`: one step alone, with the inputs that a task of an earlier run had; with the official Metaflow on either side."""

import fcntl
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD, DEADLINE, Project, missing, program

FLOW = "Resumable"
LEAVES = [f"w{i}/{j}" for i in range(3) for j in range(2)]


def spin(project, *arguments, **variables):
    return project.run_flow("resumable", "spin", "--run-id-file", "spun", *arguments, **variables)


def spun_run(project) -> str:
    return (project.folder / "spun").read_text()


def spun_data(project, step: str, *names: str):
    """Artifacts of the task that was spun last, as the official client reads them."""
    return spun_data_of(project, spun_run(project), step, *names)


def spun_data_of(project, run: str, step: str, *names: str):
    return project.official(
        "from metaflow import inspect_spin; inspect_spin('.'); task = Task(pathspec); "
        "result = [getattr(task.data, name) for name in names]",
        pathspec=f"{FLOW}/{run}/{step}/0",
        names=names,
    )


def tasks_by_place(project, run: str, step: str) -> dict[str, str]:
    """Ids of the tasks of a step, by their place in foreaches."""
    found = {}
    for folder in (project.root() / FLOW / run / step).iterdir():
        for datum in folder.glob("_meta/sysmeta_foreach-execution-path_*.json"):
            path = json.loads(datum.read_text())["value"]
            found[",".join(re.findall(r":(\d+)", path))] = folder.name
    return found


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def ran(shared_project):
    """A project with one finished run of ours."""
    shared_project.run_flow("resumable", "run").succeeded()
    shared_project.run_id = shared_project.latest_run(FLOW)
    return shared_project


# What is executed, and what it starts from


def test_a_step_is_executed_alone_and_its_run_stays_as_it_is(ran):
    before = contents(ran.root())
    result = spin(ran, "gather_items").succeeded()
    task = rf"\[{spun_run(ran)}/gather_items/0 \(pid \d+\)\]"
    lines = [line[24:] for line in result.stdout.splitlines()]
    assert re.search(rf"{FLOW}/{ran.run_id}/gather_items/\d+", lines[0])
    assert re.fullmatch(rf"{task} Task is starting\.", lines[1])
    assert re.fullmatch(rf"{task} Task finished successfully\.", lines[2])
    assert lines[3:] == ["Task finished successfully."]
    assert contents(ran.root()) == before


def test_a_join_gets_its_inputs_in_the_order_of_the_items(ran):
    spin(ran, "--persist", "gather_items").succeeded()
    assert spun_data(ran, "gather_items", "all") == [LEAVES]


def test_a_join_of_branches_gets_them_in_the_order_written(ran):
    spin(ran, "--persist", "meet").succeeded()
    assert spun_data(ran, "meet", "all", "settled") == [LEAVES, "after 4"]


@pytest.mark.parametrize(("place", "name"), [("0,0", "w0/0"), ("2,1", "w2/1")])
def test_a_task_of_a_foreach_gets_its_own_item(ran, place, name):
    task = tasks_by_place(ran, ran.run_id, "leaf")[place]
    spin(ran, "--persist", f"{ran.run_id}/leaf/{task}").succeeded()
    assert spun_data(ran, "leaf", "leaf_name") == [name]


def test_the_newest_task_of_a_step_is_the_one_when_none_is_named(ran):
    newest = max((ran.root() / FLOW / ran.run_id / "leaf").glob("[0-9]*"), key=lambda path: int(path.name))
    assert f"{FLOW}/{ran.run_id}/leaf/{newest.name}." in spin(ran, f"{ran.run_id}/leaf").succeeded().stdout


def test_a_round_of_a_repeated_step_starts_from_the_round_before(ran):
    loops = sorted((ran.root() / FLOW / ran.run_id / "loop").glob("[0-9]*"), key=lambda path: int(path.name))
    spin(ran, "--persist", f"{FLOW}/{ran.run_id}/loop/{loops[2].name}").succeeded()
    assert spun_data(ran, "loop", "count", "again") == [3, "yes"]


def test_the_first_step_starts_from_the_parameters(project):
    project.run_flow("resumable", "run", "--width", "2").succeeded()
    spin(project, "--persist", f"{FLOW}/{project.latest_run(FLOW)}/start").succeeded()
    assert spun_data(project, "start", "words", "width") == [["w0", "w1"], 2]


def test_a_failed_task_can_be_tried_again_and_fails_alike(project):
    project.run_flow("resumable", "run", "--max-workers", "1", FAIL="leaf:1,0").failed()
    run = project.latest_run(FLOW)
    failed = f"{run}/leaf/" + tasks_by_place(project, run, "leaf")["1,0"]
    result = spin(project, failed, FAIL="leaf:1,0").failed()
    said = [line[24:] for line in result.stdout.splitlines()]
    assert said[-2].endswith("Task failed.") and said[-1] == "Task failed."
    assert "Step leaf (task-id 0) failed." in result.stderr
    assert "as asked" in result.stderr
    assert "resume" not in result.stderr
    spin(project, "--persist", failed).succeeded()
    assert spun_data(project, "leaf", "leaf_name") == ["w1/0"]


def test_a_task_whose_process_died_can_be_tried_again(project):
    project.run_flow("resumable", "run", "--max-workers", "1", DIE="item:1").failed()
    run = project.latest_run(FLOW)
    died = tasks_by_place(project, run, "item")["1"]
    spin(project, "--persist", f"{run}/item/{died}").succeeded()
    assert spun_data(project, "item", "word") == ["w1"]


def test_a_task_of_a_resumed_run_can_be_spun(project):
    project.run_flow("resumable", "run", "--max-workers", "1", FAIL="meet").failed()
    project.run_flow("resumable", "resume", "--run-id-file", "resumed").succeeded()
    spin(project, "--persist", (project.folder / "resumed").read_text() + "/gather_items").succeeded()
    assert spun_data(project, "gather_items", "all") == [LEAVES]


def test_resume_takes_up_the_run_and_not_what_was_spun(project):
    project.run_flow("resumable", "run", "--max-workers", "1", FAIL="end").failed()
    run = project.latest_run(FLOW)
    spin(project, "meet").succeeded()
    assert project.latest_run(FLOW) == run
    assert f"Cloning {FLOW}/{run}" in project.run_flow("resumable", "resume").succeeded().stdout


# The official Metaflow on the other side


def test_steps_of_an_official_run_are_executed_by_us(project):
    project.official_flow("resumable", "run").succeeded()
    run = project.latest_run(FLOW)
    leaf = tasks_by_place(project, run, "leaf")["1,1"]
    for path, step, names, values in [
        (f"{run}/leaf/{leaf}", "leaf", ["leaf_name", "word"], ["w1/1", "w1"]),
        (f"{run}/gather_items", "gather_items", ["all"], [LEAVES]),
        (f"{run}/meet", "meet", ["all", "settled"], [LEAVES, "after 4"]),
    ]:
        spin(project, "--persist", path).succeeded()
        assert spun_data(project, step, *names) == values


def test_steps_of_our_run_are_executed_by_the_official_spin(ran):
    leaf = tasks_by_place(ran, ran.run_id, "leaf")["1,1"]
    ran.official_flow(
        "resumable", "spin", f"{FLOW}/{ran.run_id}/leaf/{leaf}", "--persist", "--run-id-file", "spun"
    ).succeeded()
    assert spun_data(ran, "leaf", "leaf_name") == ["w1/1"]


def test_the_official_client_sees_a_spun_task_as_done(ran):
    spin(ran, "--persist", "meet").succeeded()
    assert ran.official(
        """
        from metaflow import inspect_spin
        inspect_spin('.')
        task = Task(pathspec)
        result = [task.finished, task.successful, task.exception, sorted(a.id for a in task)[:2], str(task.parent.parent)]
        """,
        pathspec=f"{FLOW}/{spun_run(ran)}/meet/0",
    ) == [True, True, None, ["all", "depth"], f"Run('{FLOW}/{spun_run(ran)}')"]


# Beside others


def test_what_a_spun_task_starts_from_is_held_against_gc(project):
    os.mkfifo(project.folder / "pipe")
    project.run_flow("resumable", "run").succeeded()
    process = project.start_flow("resumable", "spin", "meet", BLOCK="meet", PIPE=project.folder / "pipe")
    assert (project.folder / "pipe").read_text() == "blocked"
    collect = [BUILD / "bin/metaflow", "gc", FLOW, "--keep-last", "0", "--delete"]
    assert f"{FLOW} is running" in project.run(*collect).failed().stderr
    process.kill()
    project.finish(process)
    project.wait_for_no_process()
    project.run(*collect).succeeded()


def test_a_spun_task_waits_for_a_collection_to_end(ran):
    with (ran.root() / FLOW / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = ran.start_flow("resumable", "spin", "meet")
        while b"Waiting for 'metaflow gc' of Resumable to end." not in (line := process.stderr.readline()):
            assert line
    ran.finish(process).succeeded()


# Without a lock file: runs of official Metaflow have none.
SPIN_READ_ONLY = """
rm "$1/.metaflow/Resumable/.lock" && mount --bind "$1/.metaflow" "$1/.metaflow" || exit 99
mount -o remount,bind,ro "$1/.metaflow" && "$2" spin meet --persist
"""


def test_a_store_that_is_read_only_can_be_spun_from(project):
    if subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True).returncode != 0:
        missing("no mount namespace can be made here: unshare --mount --map-root-user fails")
    project.run_flow("resumable", "run").succeeded()
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", SPIN_READ_ONLY, "sh"]
    project.run(*command, project.folder, program("resumable")).succeeded()


# Gangs


@pytest.fixture(scope="module")
def ran_gang(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("gang") / "project")
    made.run_flow("gang", "run").succeeded()
    return made


@pytest.mark.parametrize("options", [[], ["--skip-decorators"]])
def test_a_step_of_a_gang_is_refused_as_official_does(ran_gang, options):
    before = contents(ran_gang.folder)
    refused = ran_gang.run_flow("gang", "spin", "train", *options).failed()
    assert "Step train is executed by a gang of tasks; none can be spun alone." in " ".join(refused.stderr.split())
    assert contents(ran_gang.folder) == before
    theirs = ran_gang.official_flow(
        "gang", "--no-pylint", "spin", f"Gang/{ran_gang.latest_run('Gang')}/train", *options
    )
    assert theirs.exit != 0


def test_the_steps_around_a_gang_are_executed(ran_gang):
    project = ran_gang
    project.run_flow("gang", "spin", "start").succeeded()
    project.run_flow("gang", "spin", "join", "--persist", "--run-id-file", "spun").succeeded()
    code = "from metaflow import inspect_spin; inspect_spin('.'); result = Task(pathspec).data.all"
    assert project.official(code, pathspec=f"Gang/{spun_run(project)}/join/0") == [7, 17, 27]


# What it leaves


def test_without_persist_only_what_was_printed_is_kept(project):
    project.run_flow("commands", "run", "--who", "Ada").succeeded()
    result = project.run_flow("commands", "spin", "start", "--run-id-file", "spun").succeeded()
    assert "hello Ada" in result.stdout
    path = f"{spun_run(project)}/start"
    assert project.run_flow("commands", "--mode", "spin", "logs", "--stdout", path).stdout == "  hello Ada\n"
    assert not (project.folder / ".metaflow_spin/Commands/data").exists()
    assert json.loads((project.folder / f".metaflow_spin/Commands/{path}/0/0.data.json").read_text())["objects"] == {}
    assert project.official(
        """
        from metaflow import inspect_spin
        inspect_spin('.')
        task = Task(pathspec)
        result = [task.finished, task.stdout, [a.id for a in task]]
        """,
        pathspec=f"Commands/{path}/0",
    ) == [False, "  hello Ada\n", []]


def test_mode_spin_dumps_what_persist_kept(ran):
    spin(ran, "--persist", "meet").succeeded()
    dumped = ran.run_flow("resumable", "--mode", "spin", "dump", f"{spun_run(ran)}/meet/0").succeeded()
    assert "settled [size: 22 type: <class 'str'>] = after 4" in dumped.stdout


@pytest.mark.parametrize("variables", [{"METAFLOW_SPIN_PERSIST": "1"}, {}])
def test_persist_may_be_configured(project, variables):
    project.run_flow("resumable", "run").succeeded()
    (project.root() / "config.json").write_text('{"METAFLOW_SPIN_PERSIST": "true"}')
    spin(project, "meet", **variables).succeeded()
    assert spun_data(project, "meet", "settled") == ["after 4"]
    spin(project, "meet", "--no-persist", **variables).succeeded()
    kept = project.folder / f".metaflow_spin/{FLOW}/{spun_run(project)}/meet/0/0.data.json"
    assert json.loads(kept.read_text())["objects"] == {}


def test_the_place_of_spun_tasks_may_be_set(project):
    project.run_flow("resumable", "run").succeeded()
    other = project.folder / "elsewhere"
    result = spin(project, "meet", METAFLOW_DATASTORE_SYSROOT_SPIN=other).succeeded()
    assert f"Creating spin datastore in current directory ({other}/.metaflow_spin)" in result.stderr
    assert (other / f".metaflow_spin/{FLOW}/{spun_run(project)}/meet/0/0.DONE.lock").exists()
    assert not (project.folder / ".metaflow_spin").exists()


def test_a_file_says_what_the_runner_of_the_official_package_has_to_know(ran):
    spin(ran, "meet", "--runner-attribute-file", "attributes").succeeded()
    assert json.loads((ran.folder / "attributes").read_text()) == {
        "task_id": "0",
        "step_name": "meet",
        "run_id": spun_run(ran),
        "flow_name": FLOW,
        "metadata": f"spin@{ran.folder}",
    }


# Other inputs, and decorators


def test_artifacts_of_the_inputs_can_be_replaced(ran):
    (ran.folder / "artifacts.json").write_text('{"count": 7, "again": "no"}')
    spin(ran, "--persist", "settle", "--artifacts-module", "artifacts.json").succeeded()
    assert spun_data(ran, "settle", "settled", "count", "again") == ["after 7", 7, "no"]


def test_a_replaced_list_changes_the_item_of_a_foreach(ran):
    (ran.folder / "artifacts.json").write_text('{"words": ["a", "b", "c"]}')
    task = tasks_by_place(ran, ran.run_id, "item")["1"]
    spin(ran, "--persist", f"{ran.run_id}/item/{task}", "--artifacts-module", "artifacts.json").succeeded()
    assert spun_data(ran, "item", "word") == ["b"]


@pytest.mark.parametrize(
    ("text", "said"), [("ARTIFACTS = {}", "is no JSON object"), ("[1]", "is no JSON object"), (None, "no file")]
)
def test_artifacts_that_cannot_be_read_are_refused(ran, text, said):
    path = ran.folder / "artifacts.py"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    result = spin(ran, "settle", "--artifacts-module", path)
    assert result.exit == 2
    assert said in result.stderr


def test_a_timeout_counts_and_a_retry_is_ignored(project):
    project.run_flow("misbehave", "run").succeeded()
    (project.folder / "values").write_text('{"how": "block"}')
    spun = project.run_flow(
        "misbehave", "--with", "timeout:seconds=1", "--with", "retry", "spin", "work", "--artifacts-module", "values"
    ).failed()
    assert "Decorator 'retry' of step work is ignored" in spun.stderr
    assert "TimeoutException" in spun.stderr
    assert spun.stdout.count("Task is starting") == 1


def test_the_environment_of_a_step_is_set_unless_its_decorators_are_skipped(project):
    project.run_flow("resumable", "run").succeeded()
    decorated = ["--with", 'environment:vars={"FAIL": "end"}']
    project.run_flow("resumable", *decorated, "spin", "end").failed()
    project.run_flow("resumable", *decorated, "spin", "end", "--skip-decorators").succeeded()


def test_the_decorators_that_count_may_be_configured(project):
    project.run_flow("resumable", "run").succeeded()
    decorated = ["--with", 'environment:vars={"FAIL": "end"}', "spin", "end"]
    project.run_flow("resumable", *decorated, METAFLOW_SPIN_ALLOWED_DECORATORS="[]").succeeded()
    refused = project.run_flow("resumable", *decorated, METAFLOW_SPIN_DISALLOWED_DECORATORS='["environment"]').failed()
    assert "cannot be spun" in refused.stderr
    wrong = project.run_flow("resumable", *decorated, METAFLOW_SPIN_ALLOWED_DECORATORS="timeout").failed()
    assert "METAFLOW_SPIN_ALLOWED_DECORATORS (in the environment) should be a list" in wrong.stderr


def test_ctrl_c_stops_a_spun_task(project):
    project.run_flow("misbehave", "run").succeeded()
    (project.folder / "values").write_text('{"how": "block"}')
    process = project.start_flow("misbehave", "spin", "work", "--artifacts-module", "values")
    while b"Task is starting" not in process.stdout.readline():
        pass
    process.send_signal(2)
    process.send_signal(2)
    result = project.finish(process, DEADLINE).failed()
    assert "Aborted!" in result.stderr
    project.wait_for_no_process()


# In a fresh process


def test_a_step_is_executed_in_a_fresh_process_when_asked(ran):
    (ran.folder / "artifacts.json").write_text('{"word": "other"}')
    leaf = tasks_by_place(ran, ran.run_id, "leaf")["2,1"]
    before = contents(ran.root())
    options = ["--isolation", "spawn", "--artifacts-module", "artifacts.json"]
    spin(ran, "--persist", f"{ran.run_id}/leaf/{leaf}", *options).succeeded()
    assert spun_data(ran, "leaf", "leaf_name", "word") == ["other/1", "other"]
    spin(ran, "--persist", "meet", "--isolation", "spawn").succeeded()
    assert spun_data(ran, "meet", "all", "settled") == [LEAVES, "after 4"]
    spin(ran, "meet", "--isolation", "spawn").succeeded()
    assert not ran.run_flow("resumable", "--mode", "spin", "dump", f"{spun_run(ran)}/meet").succeeded().stdout
    assert contents(ran.root()) == before


def test_decorators_count_in_a_fresh_process_as_in_a_fork(project):
    project.run_flow("misbehave", "run").succeeded()
    (project.folder / "values").write_text('{"how": "block"}')
    decorators = ["--with", "timeout:seconds=1", "--with", "retry"]
    words = ["spin", "work", "--isolation", "spawn"]
    late = project.run_flow("misbehave", *decorators, *words, "--artifacts-module", "values").failed()
    assert "TimeoutException" in late.stderr and late.stderr.count("Decorator 'retry' of step work is ignored") == 1
    project.wait_for_no_process()
    decorated = ["--with", 'environment:vars={"ODD": "1"}', *words]
    project.run_flow("misbehave", *decorated, METAFLOW_SPIN_DISALLOWED_DECORATORS='["environment"]').failed()
    skipping = [*decorated, "--skip-decorators"]
    project.run_flow("misbehave", *skipping, METAFLOW_SPIN_DISALLOWED_DECORATORS='["environment"]').succeeded()


def told_commands(said) -> list[list[str]]:
    """What METAFLOW_DEBUG_SUBCOMMAND shows: the words of each command from `spin-step` on."""
    lines = re.findall(r"^debug\[subcommand[^\]]*\]: .* (spin-step .*)$", said.stdout + said.stderr, re.MULTILINE)
    return [line.split() for line in lines]


def test_a_fresh_process_is_started_as_official_starts_one(ran):
    variables = {"METAFLOW_DEBUG_SUBCOMMAND": "1"}
    pathspec = f"{FLOW}/{ran.run_id}/leaf"
    (ours,) = told_commands(spin(ran, pathspec, **variables).succeeded())
    (theirs,) = told_commands(ran.official_flow("resumable", "spin", pathspec, **variables).succeeded())
    names = [[word for word in words if word.startswith("--")] for words in (ours, theirs)]
    assert names[0] == names[1]

    def value(words, name):
        return words[words.index(name) + 1]

    assert value(ours, "--orig-flow-datastore") == value(theirs, "--orig-flow-datastore")
    # The same once more, by hand.
    by_hand = ran.run_flow("resumable", *ours[:-1], "--persist").succeeded()
    assert "Success" in by_hand.stderr
    assert spun_data_of(ran, value(ours, "--run-id"), "leaf", "leaf_name")[0].startswith("w")


@pytest.mark.parametrize("place", ["elsewhere", "s3@bucket", "local@"])
def test_a_store_that_is_none_of_this_machine_is_refused(ran, place):
    words = ["spin-step", "meet", "--run-id", "1", "--task-id", "0", "--orig-flow-datastore", place]
    refused = ran.run_flow("resumable", *words)
    assert refused.exit == 2 and "--orig-flow-datastore" in refused.stderr, str(refused)


# What is wrong


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("nostep", 1, "Resumable has no step 'nostep'. Its steps are: start, left"),
        ("metet", 1, "Did you mean 'meet'?"),
        ("meet/1", 1, "has no step '1'"),
        ("123/meet", 1, "There is no run 'Resumable/123'"),
        ("{run}/meet/99", 1, "has no task '99'"),
        ("{run}/_parameters/0", 1, "has no step '_parameters'"),
        ("Other/{run}/meet/1", 1, "is no task of Resumable"),
        ("a/b/c/d/e", 1, "is no task of Resumable"),
        ("", 1, "is none of step, run/step, run/step/task"),
        (None, 2, "Missing argument 'PATHSPEC'"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(ran, path, code, said):
    before = contents(ran.folder)
    result = ran.run_flow("resumable", "spin", *([] if path is None else [path.format(run=ran.run_id)]))
    assert (result.exit, result.stdout) == (code, "")
    assert said in result.stderr
    assert contents(ran.folder) == before


def test_without_a_run_there_is_nothing_to_spin(project):
    assert "No run of Resumable of your own is known here" in spin(project, "meet").failed().stderr


def test_runs_of_others_have_to_be_named(ran):
    assert "No run of Resumable of your own" in spin(ran, "meet", USER="other").failed().stderr
    spin(ran, f"{ran.run_id}/meet", USER="other").succeeded()


def test_a_task_whose_inputs_are_unfinished_is_refused(project):
    project.run_flow("resumable", "run", "--max-workers", "1", FAIL="end").failed()
    run = project.latest_run(FLOW)
    (done,) = (project.root() / FLOW / run / "meet").glob("*/0.DONE.lock")
    done.unlink()
    assert "is not finished, so nothing can start from it" in spin(project, "end").failed().stdout
