"""Runs started, watched and stopped through the C interface."""

import os

import engine
import pytest
from conftest import BUILD
from engine import INVALID, NOT_FOUND, EngineError, ask, call

pytestmark = pytest.mark.loaded

C_FLOW = str(BUILD / "tests/programs/c_flow")
DEADLINE = 60_000  # milliseconds


def poll(handle) -> dict:
    event = ask("run_poll", handle, DEADLINE)
    assert event["event"] != "none", "nothing happened in time"
    return event


def events_of(handle) -> list[dict]:
    """All events up to the last one."""
    events = [poll(handle)]
    while events[-1]["event"] != "ended":
        events.append(poll(handle))
    return events


def text_of(events, stream="stdout") -> str:
    return "".join(event["text"] for event in events if event.get("stream") == stream)


def wait_for(handle, text: str) -> None:
    said = ""
    while text not in said:
        event = poll(handle)
        assert event["event"] != "ended", said
        said += event.get("text", "")


def start(project, *words, **variables) -> engine.Handle:
    """A flow in the project's folder, with nothing of this process's environment."""
    environment = {name: None for name in os.environ} | project.variables | variables
    return engine.run({"arguments": [C_FLOW, *words], "folder": str(project.folder), "environment": environment})


def test_a_run_is_watched_to_its_end(project):
    with start(project, "run", METAFLOW_RUN_COUNT="4") as handle:
        events = events_of(handle)
        assert ask("run_poll", handle, -1) == {"event": "none"}
    assert events[-1] == {"event": "ended", "code": 0, "signal": 0}
    assert "the total is 14" in text_of(events)
    assert "executing CFlow for user:demo" in text_of(events, "stderr")
    [attributes] = [event for event in events if event["event"] == "attributes"]
    assert attributes["run_id"] == project.latest_run("CFlow")
    assert (attributes["flow_name"], attributes["metadata"]) == ("CFlow", f"local@{project.folder}")


def test_the_id_is_told_while_the_run_goes_on(project):
    with start(project, "--break", "start", "--how", "wait", "run") as handle:
        while (event := poll(handle))["event"] != "attributes":
            assert event["event"] != "ended"
        assert (project.root() / "CFlow" / event["run_id"]).is_dir()
    project.wait_for_no_process()


def test_a_run_that_fails_ends_with_its_code(project):
    with start(project, "--break", "end", "run") as handle:
        events = events_of(handle)
    assert events[-1] == {"event": "ended", "code": 1, "signal": 0}
    assert "Step failure" in text_of(events, "stderr")


def test_nothing_happens_within_no_time(project):
    with start(project, "--break", "start", "--how", "wait", "run") as handle:
        wait_for(handle, "it waits")
        while ask("run_poll", handle, 0)["event"] != "none":
            pass


def test_a_run_is_cancelled_as_by_ctrl_c(project):
    with start(project, "--break", "start", "--how", "wait", "run") as handle:
        wait_for(handle, "it waits")
        call("run_cancel", handle)
        events = events_of(handle)
        call("run_cancel", handle)  # of one that has ended: nothing
    assert events[-1] == {"event": "ended", "code": 1, "signal": 0}
    assert "Workflow interrupted." in text_of(events)
    assert "Aborted!" in text_of(events, "stderr")
    project.wait_for_no_process()


def test_a_second_cancel_kills(project):
    with start(project, "--break", "start", "--how", "stubborn", "run") as handle:
        wait_for(handle, "it waits")
        call("run_cancel", handle)
        wait_for(handle, "Workflow interrupted.")
        call("run_cancel", handle)
        assert events_of(handle)[-1] == {"event": "ended", "code": 0, "signal": 9}
        project.wait_for_no_process()


def test_what_still_runs_is_killed_with_its_handle(project):
    with start(project, "--break", "start", "--how", "stubborn", "run") as handle:
        wait_for(handle, "it waits")
    project.wait_for_no_process()


def test_a_character_is_never_cut(tmp_path):
    """The shell stands for a flow: it prints a character in two halves, and one that is none."""
    os.mkfifo(tmp_path / "go")
    script = r"printf 'a\303'; read x < go; printf '\251b\377'"
    with engine.run({"arguments": ["sh", "-c", script, "sh"], "folder": str(tmp_path)}) as handle:
        first = poll(handle)
        (tmp_path / "go").write_text("\n")
        assert first["text"] == "a"
        assert text_of(events_of(handle)) == "éb\N{REPLACEMENT CHARACTER}"


def test_what_outlives_the_program_does_not_keep_its_end_back(tmp_path):
    """A descendant in a session of its own holds the pipes."""
    script = "setsid sh -c 'read x < go' & echo done"
    os.mkfifo(tmp_path / "go")
    with engine.run({"arguments": ["sh", "-c", script, "sh"], "folder": str(tmp_path)}) as handle:
        assert text_of(events_of(handle)) == "done\n"
    (tmp_path / "go").write_text("\n")


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"arguments": ["/no/such/program"]}, NOT_FOUND, "/no/such/program"),
        ({"arguments": ["true"], "folder": "/no/such/folder"}, NOT_FOUND, "/no/such/folder"),
        ({"arguments": []}, INVALID, "arguments should begin with a program"),
        ({"arguments": ["a\0b"]}, INVALID, r"arguments\[0\] has a zero byte"),
        ({"arguments": ["true"], "environment": {"A=B": "x"}}, INVALID, "environment.A=B is no name"),
        ({"arguments": ["true"], "environment": {"A": 1}}, INVALID, "environment.A should be a text"),
        ({"arguments": ["true"], "colour": 1}, INVALID, "colour is not known"),
        ({}, INVALID, "arguments is missing"),
    ],
)
def test_what_cannot_be_started_is_told(options, status, said):
    with pytest.raises(EngineError, match=said) as refused:
        engine.run(options)
    assert refused.value.status == status
