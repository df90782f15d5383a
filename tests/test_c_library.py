"""The library as other languages load it: flows described well and badly."""

import ctypes
import re

import engine
import pytest
from engine import INVALID, EngineError, ask

pytestmark = pytest.mark.loaded

STEPS = [{"name": "start", "transition": "linear", "next": ["end"]}, {"name": "end", "transition": "none"}]
RUN_STEP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)


class Functions(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("configure", ctypes.c_void_p),
        ("parse_parameter", ctypes.c_void_p),
        ("default_parameter", ctypes.c_void_p),
        ("run_step", RUN_STEP),
        ("fork_process", ctypes.c_void_p),
        ("leave_process", ctypes.c_void_p),
    ]


def functions() -> Functions:
    return Functions(ctypes.sizeof(Functions), None, None, None, RUN_STEP(lambda *_: 0), None, None)


def flow(description, given=None) -> engine.Handle:
    given = given or functions()
    return engine.Handle("flow", "flow_new", description, ctypes.byref(given), None)


def test_the_version_is_told():
    assert engine.library().metaflow_abi_version() == 1001
    assert b"+cpp." in engine.library().metaflow_version()


def test_a_good_description_is_taken():
    with flow({"name": "F", "steps": STEPS}) as handle:
        assert ask("flow_check", handle) == []


@pytest.mark.parametrize(
    ("description", "named"),
    [
        (None, "'description_json' must not be NULL"),
        (b'{"name": "\xff"}', "'description_json' is not UTF-8"),
        (b"{", "is no JSON"),
        ({"steps": STEPS}, "name is missing"),
        ({"name": "F", "steps": STEPS, "colour": 1}, "colour is not known"),
        ({"name": "F", "steps": [{"name": "start", "transition": 1}]}, "steps[0].transition should be a text"),
        ({"name": "F", "steps": STEPS, "options": [{"name": "with"}]}, "'--with' stands twice"),
        ({"name": "F", "steps": STEPS, "parameters": [{"name": "p"}]}, "'functions->parse_parameter' must not be NULL"),
    ],
)
def test_a_bad_description_is_refused_with_what_is_wrong(description, named):
    with pytest.raises(EngineError, match=re.escape(named)) as refused:
        flow(description)
    assert refused.value.status == INVALID


def test_functions_of_no_known_size_are_refused():
    short = functions()
    short.size = 8
    with pytest.raises(EngineError, match="'size' of the functions"):
        flow({"name": "F", "steps": STEPS}, short)


def test_null_is_refused_wherever_it_is_no_good():
    library = engine.library()
    assert library.metaflow_flow_new(b"{}", None, None, None, None) == INVALID
    for name in ("flow_check", "task_current", "task_temporary_folder"):
        assert getattr(library, f"metaflow_{name}")(None, None, None) == INVALID
    assert library.metaflow_client_object(None, b"", -1, None, None) == INVALID
    assert library.metaflow_run_poll(None, 0, None, None) == INVALID
    assert library.metaflow_task_input_count(None) == 0
    assert library.metaflow_flow_command_line(None, 0, None) == 1
    library.metaflow_task_fail(None, None, None, None, None)
    library.metaflow_task_choose(None, None)
    for kind in ("flow", "buffer", "error", "client", "run"):
        getattr(library, f"metaflow_{kind}_free")(None)


def test_the_graph_is_checked():
    steps = [
        {"name": "start", "transition": "linear", "next": ["fin"], "line": 3},
        {"name": "end", "transition": "none"},
    ]
    with flow({"name": "F", "steps": steps}) as handle:
        [finding] = ask("flow_check", handle)
    assert (finding["step"], finding["line"]) == ("start", 3)
    assert "fin" in finding["message"]
