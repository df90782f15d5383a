"""`metaflow gc`: what runs cost, and taking away those that are not wanted, with the official client reading what remains;
on stores that this engine or official Metaflow wrote."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BUILD, missing

METAFLOW = BUILD / "bin/metaflow"

# For the judge: all that its client shows of the runs of a flow.
ALL_OF_IT = """
    namespace(None)
    result = {}
    for run in Flow(flow):
        result[run.pathspec] = [run.successful, sorted(run.tags), run.origin_pathspec]
        for step in [*run, run["_parameters"]]:
            for task in step:
                values = [[artifact.id, artifact.sha, repr(artifact.data)] for artifact in task]
                result[task.pathspec] = [task.successful, task.stdout, task.origin_pathspec, sorted(values)]
"""


def gc(project, *arguments, **variables):
    return project.run(METAFLOW, "gc", *arguments, **variables)


def document(project, *arguments):
    """The one flow of a JSON document."""
    (flow,) = json.loads(gc(project, *arguments, "--json").stdout)["flows"]
    return flow


def ids(runs: list[dict]) -> list[str]:
    return [run["run"] for run in runs]


def read_all(project, flow: str) -> dict:
    """With a new cache, so that nothing is read that is not there any more."""
    project.variables["METAFLOW_CLIENT_CACHE_PATH"] = str(project.folder.parent / f"cache-{time.monotonic_ns()}")
    return project.official(ALL_OF_IT, flow=flow)


def remaining(project, flow: str) -> list[str]:
    return project.official("namespace(None); result = [run.id for run in Flow(flow)]", flow=flow)


def of_run(shown: dict, pathspec: str) -> dict:
    return {path: value for path, value in shown.items() if path == pathspec or path.startswith(pathspec + "/")}


def files(project, hidden=False) -> dict:
    """Content, mode and time of change of all files of the store, but the lock; those in quarantine only if asked."""
    found = {}
    for path in project.root().rglob("*"):
        place = str(path.relative_to(project.root()))
        if path.is_file() and path.name != ".lock" and (hidden or "/.quarantine/" not in place):
            status = path.stat()
            found[place] = (path.read_bytes(), status.st_mode, status.st_mtime_ns)
    return found


def quarantine(project, flow: str):
    return project.root() / flow / ".quarantine"


def lost_values(project, flow: str) -> list[str]:
    """Values that tables in their places name and that are nowhere."""
    folder = project.root() / flow
    keys = {
        key
        for table in folder.glob("[!.]*/*/*/*.data.json")
        for key in json.loads(table.read_text())["objects"].values()
    }
    return sorted(key for key in keys if not (folder / "data" / key[:2] / key).exists())


def make_older(project, flow: str, seconds: int) -> None:
    """Turns the clock back for all blobs."""
    for path in (project.root() / flow / "data").rglob("*"):
        if path.is_file():
            moment = time.time() - seconds
            os.utime(path, (moment, moment))


def run_here(project, writer: str, *arguments, **variables) -> str:
    """A run of flow Resumable by one of the two writers; its id."""
    start = project.run_flow if writer == "ours" else project.official_flow
    start("resumable", "run", "--max-workers", "4", *arguments, **variables)
    return project.latest_run("Resumable")


def fail_here(project, mark: str) -> str:
    """With one worker, so that it is always the same that has finished."""
    project.run_flow("resumable", "run", "--max-workers", "1", FAIL=mark).failed()
    return project.latest_run("Resumable")


def resume_here(project) -> str:
    said = project.run_flow("resumable", "resume").succeeded().stdout
    return re.search(r"\(run-id (\S+)\):", said)[1]


# Costs


def test_costs_are_what_the_files_take_on_disk(project):
    run_here(project, "ours")
    fail_here(project, "meet")
    flow = document(project, "Resumable")
    folder = project.root() / "Resumable"

    def disk(paths) -> int:
        return sum(path.stat().st_blocks * 512 for path in paths if path.is_file())

    assert flow["artifacts"]["stored_bytes"] + flow["unreachable"]["bytes"] == disk((folder / "data").rglob("*"))
    assert flow["log_bytes"] == disk(folder.rglob("*.log")) > 0
    assert flow["log_bytes"] + flow["record_bytes"] == disk(folder.glob("[0-9]*/**/*"))
    assert len(flow["runs"]) == 2 and flow["tasks"] == sum(run["tasks"] for run in flow["runs"])
    for run in flow["runs"]:
        assert run["own_bytes"] == run["artifacts"]["own_bytes"] + run["log_bytes"] + run["record_bytes"]
        lengths = {}
        for table in (folder / run["run"]).glob("*/*/*.data.json"):
            told = json.loads(table.read_text())
            lengths |= {key: told["info"][name]["size"] for name, key in told["objects"].items()}
        assert run["artifacts"]["logical_bytes"] == sum(lengths.values())
        assert run["artifacts"]["blobs"] == len(lengths)


def test_what_several_runs_need_is_shared(project):
    project.run_flow("single", "run").succeeded()
    alone = document(project, "Single")["artifacts"]
    assert alone["shared_bytes"] == 0 and alone["own_bytes"] == alone["stored_bytes"] > 0
    project.run_flow("single", "run").succeeded()
    both = document(project, "Single")["artifacts"]
    assert both["blobs"] == alone["blobs"] and both["shared_bytes"] == both["stored_bytes"]


def test_without_a_flow_all_flows_are_listed(project):
    project.run_flow("single", "run").succeeded()
    project.run_flow("loops", "run").succeeded()
    lines = gc(project).succeeded().stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["FLOW", "RUNS", "TASKS"],
        ["Loops", "1", lines[1].split()[2]],
        ["Single", "1", "1"],
    ]
    assert project.latest_run("Single") in gc(project, "Single").succeeded().stdout


# What goes, and what stays


@pytest.mark.parametrize("writer", ["ours", "official"])
def test_the_official_client_reads_all_that_remains_as_before(project, writer):
    goes, stays = run_here(project, writer), run_here(project, writer, "--width", "2", "--mode", "calm")
    before = read_all(project, "Resumable")
    plan = document(project, "Resumable", "--keep-last", "1")
    assert (plan["stage"], ids(plan["runs"])) == ("planned", [goes])
    assert read_all(project, "Resumable") == before

    done = document(project, "Resumable", "--keep-last", "1", "--delete", "--purge")
    assert (done["stage"], ids(done["runs"]), done["refusal"]) == ("purged", [goes], None)
    assert (done["blobs"], done["bytes"]) == (plan["blobs"], plan["bytes"])
    after = read_all(project, "Resumable")
    assert after == of_run(before, f"Resumable/{stays}")
    assert document(project, "Resumable")["unreachable"]["bytes"] == 0
    assert not quarantine(project, "Resumable").exists()


def test_the_space_that_was_promised_comes_free(project):
    def used() -> int:
        return sum(path.stat().st_blocks * 512 for path in project.root().rglob("*") if path.is_file())

    run_here(project, "ours")
    run_here(project, "ours", "--width", "2")
    promised = document(project, "Resumable", "--keep-last", "1")["bytes"]
    before, latest = used(), (project.root() / "Resumable/latest_run").stat().st_blocks
    gc(project, "Resumable", "--keep-last", "1", "--delete", "--purge").succeeded()
    assert before - used() == promised
    assert latest == (project.root() / "Resumable/latest_run").stat().st_blocks


def test_a_plan_changes_nothing(project):
    run_here(project, "ours")
    before = files(project, hidden=True)
    said = gc(project, "Resumable", "--keep-last", "0").succeeded()
    assert "1 of 1 run would go" in said.stdout and "Nothing has changed" in said.stderr
    assert files(project, hidden=True) == before


def test_runs_are_chosen_as_ls_lists_them(project):
    def runs(*filters) -> list[str]:
        listed = json.loads(project.run(METAFLOW, "ls", "Misbehave", *filters, "--json").succeeded().stdout)
        return sorted(ids(listed["runs"]))

    project.run_flow("misbehave", "run", "--tag", "a").succeeded()
    project.run_flow("misbehave", "run", "--tag", "a", "--tag", "b", USER="ann").succeeded()
    project.run_flow("misbehave", "run", "--how", "throw", "--tag", "b").failed()
    for filters in (
        ["--tag", "a"],
        ["--tag", "a", "--tag", "b"],
        ["--user", "ann"],
        ["--status", "failed"],
        ["--status", "done", "--tag", "b"],
    ):
        chosen = sorted(ids(document(project, "Misbehave", *filters)["runs"]))
        assert chosen == runs(*filters) and 0 < len(chosen) < 3
    assert document(project, "Misbehave", "--older-than", "1d")["runs"] == []
    assert sorted(ids(document(project, "Misbehave", "--older-than", "0m")["runs"])) == runs()
    newest = project.latest_run("Misbehave")
    assert newest not in ids(document(project, "Misbehave", "--tag", "b", "--keep-last", "1")["runs"])


def test_a_run_can_be_named(project):
    first, second = run_here(project, "ours"), run_here(project, "ours")
    assert ids(document(project, f"Resumable/{first}", "--delete")["runs"]) == [first]
    assert remaining(project, "Resumable") == [second]


def test_an_origin_stays_while_a_run_that_was_resumed_from_it_does(project):
    origin = fail_here(project, "leaf:1,0")
    clone = resume_here(project)
    before = read_all(project, "Resumable")
    done = document(project, "Resumable", "--status", "failed", "--delete")
    assert done["runs"] == []
    assert done["kept"] == [{"run": origin, "pathspec": f"Resumable/{origin}", "needed_by": clone}]
    assert read_all(project, "Resumable") == before
    assert f"Resumable/{origin} stays" in gc(project, "Resumable", "--status", "failed").stdout

    assert ids(document(project, "Resumable", "--keep-last", "0", "--delete")["runs"]) == [clone, origin]
    assert remaining(project, "Resumable") == []


def test_logs_of_clones_of_official_runs_stay_readable(project):
    project.official_flow("resumable", "run", "--max-workers", "1", FAIL="leaf:1,0").failed()
    origin = project.latest_run("Resumable")
    clone = resume_here(project)
    before = read_all(project, "Resumable")
    done = document(project, "Resumable", "--status", "failed", "--delete", "--force")
    assert (ids(done["kept"]), done["kept"][0]["needed_by"]) == ([origin], clone)
    assert read_all(project, "Resumable") == before


def test_official_resumes_what_remains(project):
    run_here(project, "ours")
    failed = fail_here(project, "meet")
    run_here(project, "ours", "--width", "2")
    gc(project, "Resumable", "--status", "done", "--delete", "--purge").succeeded()
    assert project.latest_run("Resumable") == failed
    project.official_flow("resumable", "resume").succeeded()
    assert project.official("run = Flow('Resumable').latest_run; result = [run.successful, len(run.data.all)]") == [
        True,
        6,
    ]


def test_code_packages_and_include_files_of_what_remains_stay(project):
    (project.folder / "notes.txt").write_text("remember")
    package = {"METAFLOW_FEAT_ALWAYS_UPLOAD_CODE_PACKAGE": "1"}
    project.official_flow("linear", "run", "--notes", "notes.txt", **package).succeeded()
    project.official_flow("linear", "run", "--notes", "notes.txt", **package).succeeded()
    make_older(project, "Linear", 7200)
    done = document(project, "Linear", "--keep-last", "1", "--delete", "--purge")
    assert done["refusal"] is None and len(done["runs"]) == 1
    code = "run = Flow('Linear').latest_run; result = [run.data.notes, b'class Linear' in run.code.flowspec]"
    assert project.official(code) == ["remember", True]


def test_cards_go_with_their_run(project):
    run = run_here(project, "ours")
    card = project.root() / f"mf.cards/Resumable/runs/{run}/steps/start/tasks/1/cards/default.html"
    card.parent.mkdir(parents=True)
    card.write_text("card")
    before = files(project)
    gc(project, "Resumable", "--keep-last", "0", "--delete").succeeded()
    assert not card.exists()
    gc(project, "Resumable", "--restore").succeeded()
    assert files(project) == before


def test_latest_run_names_one_that_remains(project):
    first, second = run_here(project, "ours"), run_here(project, "ours")
    gc(project, f"Resumable/{second}", "--delete").succeeded()
    assert project.latest_run("Resumable") == first
    gc(project, f"Resumable/{first}", "--delete").succeeded()
    assert not (project.root() / "Resumable/latest_run").exists()
    project.run_flow("resumable", "resume").failed()
    third = run_here(project, "ours")
    assert project.official("result = Flow('Resumable').latest_run.id") == third


def test_what_no_run_needs_goes_once_it_is_an_hour_old(project):
    run_here(project, "ours")
    folder = project.root() / "Resumable/data/ab"
    folder.mkdir(exist_ok=True)
    debris = [folder / ("ab" + 38 * "0"), folder / ("ab" + 38 * "1"), folder / "tmpabcdefgh"]
    for path in debris:
        path.write_bytes(b"x" * 5000)
    flow = document(project, "Resumable")
    assert (flow["unreachable"]["blobs"], flow["unreachable"]["bytes"]) == (
        3,
        sum(p.stat().st_blocks * 512 for p in debris),
    )
    assert document(project, "Resumable", "--delete")["young"]["blobs"] == 2
    assert all(path.exists() for path in debris)
    for path in debris[1:]:
        os.utime(path, (0, 0))
    assert document(project, "Resumable", "--delete")["blobs"] == 2
    assert [path.exists() for path in debris] == [True, False, False]
    assert lost_values(project, "Resumable") == []


# Who may be using it


def test_a_flow_that_runs_is_left_alone(project):
    os.mkfifo(project.folder / "pipe")
    old = run_here(project, "ours")
    process = project.start_flow("resumable", "run", BLOCK="left", PIPE=project.folder / "pipe")
    assert (project.folder / "pipe").read_text() == "blocked"
    before = files(project)
    refused = gc(project, f"Resumable/{old}", "--delete", "--force").failed()
    assert "Resumable is running" in refused.stderr
    for word in ("--purge", "--restore"):
        assert "Resumable is running" in gc(project, "Resumable", word, "--force").failed().stderr
    assert {place: before[place] for place in before if f"/{old}/" in place or "/data/" in place}.items() <= files(
        project
    ).items()
    process.send_signal(signal.SIGKILL)
    project.finish(process)
    project.wait_for_no_process()
    gc(project, f"Resumable/{old}", "--delete").succeeded()
    assert project.run_flow("resumable", "resume").exit == 0


def test_a_step_that_was_started_by_hand_holds_its_flow(project):
    os.mkfifo(project.folder / "pipe")
    run = run_here(project, "ours")
    arguments = ["step", "start", "--run-id", run, "--task-id", "99", "--input-paths", f"{run}/_parameters/0"]
    process = project.start_flow("resumable", *arguments, BLOCK="start", PIPE=project.folder / "pipe")
    assert (project.folder / "pipe").read_text() == "blocked"
    assert "Resumable is running" in gc(project, "Resumable", "--keep-last", "0", "--delete").failed().stderr
    process.kill()
    project.finish(process)
    gc(project, "Resumable", "--keep-last", "0", "--delete").succeeded()


@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_run_waits_for_a_collection_to_end(project, command):
    fail_here(project, "meet")
    with (project.root() / "Resumable/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = project.start_flow("resumable", command)
        while b"Waiting for 'metaflow gc' of Resumable to end." not in (line := process.stderr.readline()):
            assert line
        assert len(list((project.root() / "Resumable").glob("[0-9]*"))) == 1
    project.finish(process).succeeded()


def test_runs_and_collections_at_the_same_time_lose_nothing(project):
    run_here(project, "ours")
    processes = []
    for i in range(4):
        processes.append(project.start_flow("resumable", "run", "--width", i + 1))
        gc(project, "Resumable", "--keep-last", "1", "--delete")
        processes.append(project.start([METAFLOW, "gc", "Resumable", "--status", "done", "--delete", "--purge"]))
    for process in processes:
        result = project.finish(process)
        assert result.exit == 0 or "Resumable is running" in result.stderr, str(result)
        assert "Step failure" not in result.stderr
    assert lost_values(project, "Resumable") == []
    gc(project, "Resumable", "--restore").succeeded()
    assert lost_values(project, "Resumable") == []
    assert all(shown[0] for shown in read_all(project, "Resumable").values())


def test_an_official_run_that_may_still_run_holds_its_flow_unless_forced(project):
    project.official_flow("resumable", "run", "--max-workers", "1", FAIL="meet").failed()
    before = files(project)
    refused = gc(project, "Resumable", "--keep-last", "0", "--delete").failed()
    assert "may still be running" in refused.stderr and "--force" in refused.stderr
    assert files(project) == before
    gc(project, "Resumable", "--keep-last", "0", "--delete", "--force").succeeded()
    assert remaining(project, "Resumable") == []


def test_what_official_reused_unseen_comes_back_from_quarantine(project):
    """Its writer neither waits for a lock nor marks a blob that it finds: here it names blobs that have just gone."""
    run = run_here(project, "official")
    before = read_all(project, "Resumable")
    gc(project, "Resumable", "--keep-last", "0", "--delete").succeeded()
    (batch,) = quarantine(project, "Resumable").iterdir()
    (batch / "runs" / run).rename(project.root() / "Resumable" / run)
    assert lost_values(project, "Resumable") != []
    assert document(project, "Resumable", "--purge")["rescued"] is True
    assert read_all(project, "Resumable") == before


def test_a_blob_that_is_used_again_counts_as_new(project):
    run_here(project, "ours")
    make_older(project, "Resumable", 7200)
    run = run_here(project, "ours")
    used = {
        key
        for table in (project.root() / "Resumable" / run).glob("*/*/0.data.json")
        for key in json.loads(table.read_text())["objects"].values()
    }
    ages = [time.time() - (project.root() / "Resumable/data" / key[:2] / key).stat().st_mtime for key in used]
    # What passes from task to task by key is not written, and not marked either: the task before it needs it.
    assert sum(age < 3600 for age in ages) > len(ages) / 2


# Quarantine


@pytest.mark.parametrize("writer", ["ours", "official"])
def test_all_that_went_comes_back_as_it_was(project, writer):
    run_here(project, writer)
    run_here(project, writer, "--width", "2")
    before = files(project)
    shown = read_all(project, "Resumable")
    gc(project, "Resumable", "--keep-last", "1", "--delete").succeeded()
    gc(project, "Resumable", "--keep-last", "0", "--delete").succeeded()
    assert not any("/data/" in place for place in files(project))
    assert "2 runs" in gc(project, "Resumable", "--restore").succeeded().stdout
    assert files(project, hidden=True) == before
    assert read_all(project, "Resumable") == shown


def test_the_next_collection_removes_what_has_been_in_quarantine_for_a_week(project):
    run_here(project, "ours")
    gc(project, "Resumable", "--keep-last", "0", "--delete").succeeded()
    (batch,) = quarantine(project, "Resumable").iterdir()
    gc(project, "--delete").succeeded()
    assert batch.exists()
    batch.rename(batch.with_name(str(int(batch.name) - 8 * 86_400_000)))
    gc(project, "--delete").succeeded()
    assert not quarantine(project, "Resumable").exists()


# Killed at any moment

CHANGES = ("mkdir", "rename", "renameat2", "link", "unlink", "unlinkat", "rmdir")


def moments(project, *arguments) -> list[tuple[str, int]]:
    """System calls of gc that change something, by name and number: all of the rare ones, some of the many;
    METAFLOW_TEST_ALL: all."""
    if shutil.which("strace") is None:
        missing("strace is missing; `./dev setup test` installs it")
    trace = project.folder.parent / "trace"
    project.run(
        "strace", "-f", "-qq", "-o", trace, "-e", f"trace={','.join(CHANGES)}", METAFLOW, "gc", *arguments
    ).succeeded()
    said = trace.read_text()
    counts = {name: len(re.findall(rf"^\d+ +{name}\(", said, re.MULTILINE)) for name in CHANGES}
    return [
        (name, number)
        for name, count in counts.items()
        for number in range(1, count + 1, 1 if count < 12 or os.environ.get("METAFLOW_TEST_ALL") else count // 8)
    ]


def kill_at(project, moment: tuple[str, int], *arguments) -> None:
    """Runs gc and kills it instead of that call, or just after it."""
    name, number = moment
    inject = f"inject={name}:signal=SIGKILL:when={number}"
    killed = project.run(
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e", inject, METAFLOW, "gc", *arguments
    )
    assert killed.exit in (-signal.SIGKILL, 128 + signal.SIGKILL), (moment, str(killed))


class Store:
    """A store that is brought back, at its own path, to what it was."""

    def __init__(self, project):
        self.root, self.copy = project.root(), project.folder.parent / "copy"
        subprocess.run(["cp", "-a", self.root, self.copy], check=True)

    def bring_back(self) -> None:
        shutil.rmtree(self.root)
        subprocess.run(["cp", "-a", self.copy, self.root], check=True)


def small_store(project) -> None:
    """Two runs that share some values, the newer one with tag `goes`, and a raw value that no run needs."""
    calm = ["--width", "1", "--depth", "1", "--mode", "calm"]
    run_here(project, "ours", *calm)
    run_here(project, "ours", *calm, "--width", "2", "--tag", "goes")
    debris = project.root() / "Resumable/data/ab" / ("ab" + 38 * "0")
    debris.parent.mkdir(exist_ok=True)
    debris.write_bytes(b"x")
    debris.with_name(debris.name + "_meta").write_text('{"cas_raw": true, "cas_version": 1}')
    make_older(project, "Resumable", 7200)


def contents(project) -> dict:
    return {place: kept[0] for place, kept in files(project).items() if not place.endswith("/latest_run")}


@pytest.mark.preloaded
def test_killed_while_it_takes_away_all_can_be_put_back_or_done_again(project):
    small_store(project)
    store, before = Store(project), files(project)
    arguments = ["Resumable", "--tag", "goes", "--delete"]
    points = moments(project, *arguments)
    after, latest = contents(project), project.latest_run("Resumable")
    assert len(points) > 10 and f"Resumable/{latest}/_meta/_self.json" in after
    for point in points:
        store.bring_back()
        kill_at(project, point, *arguments)
        assert lost_values(project, "Resumable") == [], point
        gc(project, "Resumable", "--restore").succeeded()
        assert files(project, hidden=True) == before, point

        kill_at(project, point, *arguments)
        gc(project, *arguments).succeeded()
        assert contents(project) == after, point
        named = project.root() / "Resumable/latest_run"
        assert not named.exists() or named.read_text() == latest, point
        gc(project, "Resumable", "--restore").succeeded()
        assert files(project, hidden=True) == before, point


@pytest.mark.preloaded
def test_killed_while_it_puts_back_it_can_be_done_again(project):
    small_store(project)
    before = files(project)
    gc(project, "Resumable", "--tag", "goes", "--delete").succeeded()
    store = Store(project)
    points = moments(project, "Resumable", "--restore")
    assert len(points) > 10 and files(project, hidden=True) == before
    for point in points:
        store.bring_back()
        kill_at(project, point, "Resumable", "--restore")
        assert lost_values(project, "Resumable") == [], point
        gc(project, "Resumable", "--restore").succeeded()
        assert files(project, hidden=True) == before, point


@pytest.mark.preloaded
def test_killed_while_it_removes_for_good_nothing_comes_back_by_halves(project):
    small_store(project)
    gc(project, "Resumable", "--tag", "goes", "--delete").succeeded()
    store, after = Store(project), files(project)
    points = moments(project, "Resumable", "--purge")
    assert len(points) > 10
    for point in points:
        store.bring_back()
        kill_at(project, point, "Resumable", "--purge")
        assert files(project) == after, point
        gc(project, "Resumable", "--restore").succeeded()
        assert lost_values(project, "Resumable") == [], point
        gc(project, "Resumable", "--purge").succeeded()
        assert not quarantine(project, "Resumable").exists(), point


@pytest.mark.preloaded
@pytest.mark.parametrize("arguments", [["--tag", "goes", "--delete"], ["--restore"]])
def test_a_side_file_is_moved_before_its_blob(project, arguments):
    """Left alone, it would say how to read a blob that is written anew."""
    if shutil.which("strace") is None:
        missing("strace is missing; `./dev setup test` installs it")
    small_store(project)
    if arguments == ["--restore"]:
        gc(project, "Resumable", "--tag", "goes", "--delete").succeeded()
    trace = project.folder.parent / "trace"
    command = ["strace", "-f", "-qq", "-s", "4096", "-o", trace, "-e", "trace=renameat2"]
    project.run(*command, METAFLOW, "gc", "Resumable", *arguments).succeeded()
    key = "ab" + 38 * "0"
    moved = re.findall(
        rf'renameat2\(AT_FDCWD, "[^"]*/data/ab/({key}(?:_meta)?)".* = 0$', trace.read_text(), re.MULTILINE
    )
    assert moved == [f"{key}_meta", key]


# Mistakes and damage


def test_a_damaged_table_of_a_run_that_stays_stops_it(project):
    first, second = run_here(project, "ours"), run_here(project, "ours", "--width", "2")
    table = project.root() / "Resumable" / second / "end"
    (table,) = table.glob("*/0.data.json")
    table.write_text(table.read_text()[:100])
    before = files(project)
    refused = gc(project, f"Resumable/{first}", "--delete", "--force").failed()
    assert str(table) in refused.stderr and "unless that run goes with it" in refused.stderr
    assert files(project) == before
    assert str(table) in gc(project, "Resumable").succeeded().stderr

    gc(project, f"Resumable/{second}", "--delete").succeeded()
    assert remaining(project, "Resumable") == [first]
    assert lost_values(project, "Resumable") == []


def test_a_damaged_record_of_a_run_stops_it(project):
    first, second = run_here(project, "ours"), run_here(project, "ours")
    record = project.root() / "Resumable" / second / "_meta/_self.json"
    record.write_text("{")
    before = files(project)
    assert str(record) in gc(project, "Resumable", "--keep-last", "0", "--delete").failed().stderr
    assert str(record) in gc(project, f"Resumable/{first}", "--delete").failed().stderr
    assert files(project) == before
    gc(project, f"Resumable/{second}", "--delete").succeeded()
    assert lost_values(project, "Resumable") == []


def test_a_damaged_word_of_where_a_clone_came_from_stops_it(project):
    origin = fail_here(project, "leaf:1,0")
    clone = resume_here(project)
    datum = next((project.root() / "Resumable" / clone / "start").glob("*/_meta/sysmeta_origin-run-id_*.json"))
    datum.write_text(datum.read_text()[:20])
    before = files(project)
    refused = gc(project, f"Resumable/{origin}", "--delete", "--force").failed()
    assert str(datum) in refused.stderr and "Nothing of Resumable goes" in " ".join(refused.stderr.split())
    assert files(project) == before
    assert str(datum) in gc(project, "Resumable").succeeded().stderr


def test_a_blob_that_is_damaged_stays_as_it_is_for_the_run_that_needs_it(project):
    goes, stays = run_here(project, "ours"), run_here(project, "ours", "--width", "2")
    (end,) = (project.root() / "Resumable" / stays / "end").glob("[0-9]*")
    key = project.artifact_keys("Resumable", stays, "end", end.name)["all"]
    blob = project.root() / "Resumable/data" / key[:2] / key
    blob.write_bytes(b"")
    gc(project, f"Resumable/{goes}", "--delete", "--purge").succeeded()
    assert blob.read_bytes() == b""
    assert remaining(project, "Resumable") == [stays]
    assert lost_values(project, "Resumable") == []


def test_a_damaged_manifest_is_named_and_all_that_it_is_about_comes_back(project):
    run_here(project, "ours")
    before = files(project)
    gc(project, "Resumable", "--keep-last", "0", "--delete").succeeded()
    (manifest,) = quarantine(project, "Resumable").glob("*/manifest.json")
    manifest.write_text("{")
    assert str(manifest) in gc(project, "Resumable", "--restore").failed().stderr
    after = files(project)
    assert {place: kept for place, kept in before.items() if not place.endswith("/latest_run")}.items() <= after.items()


GC_READ_ONLY = """
mount --bind "$1/.metaflow" "$1/.metaflow" && mount -o remount,bind,ro "$1/.metaflow" || exit 99
cd "$1"
for words in "--keep-last 0 --delete" --purge --restore; do "$2" gc Resumable $words; echo "$words: exit $?"; done
"$2" gc Resumable && "$2" gc Resumable --keep-last 0
"""


@pytest.mark.parametrize("has_lock_file", [True, False])
def test_a_read_only_store_is_looked_at_and_left_as_it_is(project, has_lock_file):
    if subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True).returncode != 0:
        missing("no mount namespace can be made here: unshare --mount --map-root-user fails")
    run = run_here(project, "ours")
    if not has_lock_file:
        (project.root() / "Resumable/.lock").unlink()
    before = files(project, hidden=True)
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", GC_READ_ONLY, "sh"]
    done = project.run(*command, project.folder, METAFLOW).succeeded()
    assert done.stdout.count(": exit 1\n") == 3
    assert done.stderr.count("the file system is read-only") == 3
    assert run in done.stdout and "1 of 1 run would go" in done.stdout
    assert files(project, hidden=True) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Singel"], "There is no flow 'Singel' here. Did you mean 'Single'?"),
        (["Single/1"], "There is no run 'Single/1'."),
    ],
)
def test_what_is_not_there_is_said(project, arguments, words):
    project.run_flow("single", "run").succeeded()
    assert words in " ".join(gc(project, *arguments).failed().stderr.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Single/a/b"], "'Single/a/b' is none of Flow, Flow/run."),
        (["--restore", "--delete"], "--restore goes with neither"),
        (["--purge", "--older-than", "3d"], "neither runs nor filters"),
        (["--older-than", "soon"], "'soon' is neither a time"),
        (["--keep-last", "-1"], "--keep-last"),
        (["--dlete"], "--delete"),
    ],
)
def test_a_wrong_command_line_changes_nothing(project, arguments, words):
    project.run_flow("single", "run").succeeded()
    before = files(project, hidden=True)
    result = gc(project, *arguments)
    assert result.exit == 2 and words in " ".join(result.stderr.split()), str(result)
    assert files(project, hidden=True) == before


def test_without_a_store_nothing_is_made(project):
    assert "nothing has run here yet" in " ".join(gc(project, "--delete").failed().stderr.split())
    assert list(project.folder.iterdir()) == []


def test_a_store_that_may_not_be_written_is_left_as_it_is(project):
    run_here(project, "ours")
    flow = project.root() / "Resumable"
    (flow / ".lock").unlink()
    (flow / ".lock").mkdir()
    before = files(project)
    assert "cannot" in gc(project, "Resumable", "--keep-last", "0", "--delete").failed().stderr
    assert files(project) == before


def test_a_store_of_somebody_else_needs_force(project):
    if os.geteuid() != 0:
        missing("only root can give a folder away")
    run_here(project, "ours")
    os.chown(project.root(), 12345, -1)
    before = files(project)
    refused = gc(project, "Resumable", "--keep-last", "0", "--delete").failed()
    assert "belongs to" in refused.stderr and "--force" in refused.stderr
    assert files(project) == before
    gc(project, "Resumable", "--keep-last", "0", "--delete", "--force").succeeded()
    assert document(project, "Resumable")["runs"] == []
