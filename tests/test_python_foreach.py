"""What the tasks of a foreach in Python get, and what is stored of it."""

import pytest
from conftest import flow_file

SHOWN = """
    namespace(None)
    run = Flow('ShownItems').latest_run
    result = []
    for task in sorted(run['body'], key=lambda task: task.index):
        frames = [tuple(frame) for frame in task['_foreach_stack'].data]
        data = task.metadata_dict
        result.append([frames, data.get('foreach-stack'), data['foreach-execution-path'], task.data.text])
"""


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_each_task_gets_its_item_as_the_whole_list_has_it(python_project, isolation):
    python_project.ours("delivered", "run", "--isolation", isolation).succeeded()
    given, same_bytes = python_project.official("""
        namespace(None)
        join = Flow('Delivered').latest_run['join'].task.data
        result = [join.given, join.same_bytes]
    """)
    assert given[:4] == [
        "{'key': 1, 'other': 'text'}",
        "{'key': 'text', 'other': 2, 'text': 'key'}",
        "Point(x=1, label={'shared': [1]})",
        "Point(x=2, label=[{'shared': [1]}, {'shared': [1]}, datetime.date(2026, 1, 2)])",
    ]
    assert given[6:8] == [
        "Point(x=3, label=[Point(x=0, label=None), {'shared': [1]}])",
        "[[Point(x=0, label=None)], Point(x=0, label=None)]",
    ]
    assert given[11].endswith("[...]]]")
    assert same_bytes == [True] * 12


def test_a_task_makes_no_item_but_its_own(python_project):
    python_project.ours("delivered", "run").succeeded()
    made = python_project.official("""
        namespace(None)
        tasks = sorted(Flow('Delivered').latest_run['body'], key=lambda task: task.index)
        result = [task.data.made for task in tasks]
    """)
    assert made == [0] * 8 + [1] * 3 + [3]  # the last item holds the whole list


@pytest.mark.parametrize(
    "setting",
    [{"METAFLOW_MAXIMUM_FOREACH_VALUE_CHARS": "5"}, {"METAFLOW_INCLUDE_FOREACH_STACK": "false"}],
    ids=["cut short", "left out"],
)
def test_display_texts_of_items_are_as_the_settings_want_them(python_project, official_project, setting):
    python_project.ours("shown_items", "run", **setting).succeeded()
    official_project.officially("shown_items", "run", **setting).succeeded()
    ours, official = shown(python_project), shown(official_project)
    assert ours == official
    assert ours[1][0][0][4] == ("a tex" if "METAFLOW_MAXIMUM_FOREACH_VALUE_CHARS" in setting else None)


def shown(project):
    """Display texts, as the task before the foreach left them, and of each task of it."""
    keys = project.artifact_keys("ShownItems", project.latest_run("ShownItems"), "start", "1")
    return [project.stored_value("ShownItems", keys["_foreach_values"]), *project.official(SHOWN)]


def test_a_foreach_without_display_texts_is_resumed_and_run_by_fresh_processes(python_project):
    off = {"METAFLOW_INCLUDE_FOREACH_STACK": "0"}
    python_project.ours("shown_items", "run", "--isolation", "spawn", **off).succeeded()
    python_project.ours("shown_items", "resume", "join", **off).succeeded()
    python_project.ours("shown_items", "resume", "body", "--isolation", "spawn").succeeded()


def test_a_wrong_length_of_display_texts_is_refused(python_project):
    said = python_project.ours("shown_items", "run", METAFLOW_MAXIMUM_FOREACH_VALUE_CHARS="many").failed()
    assert (
        "METAFLOW_MAXIMUM_FOREACH_VALUE_CHARS (in the environment) should be a whole number, not 'many'" in said.stderr
    )


UNBOUNDED = """
from metaflow.unbounded_foreach import UnboundedForeachInput

class Stream(UnboundedForeachInput):
    def __getitem__(self, index):
        return index

"""


def test_an_unbounded_foreach_of_ones_own_fails_the_step_before_it(python_project):
    """Officially it fails too, one step later: nothing starts the tasks of such a foreach but @parallel, or extensions."""
    flow = python_project.folder / "unbounded.py"
    text = flow_file("shown_items").read_text()
    head, _, tail = text.partition('self.items = ["a text that is longer", [1, 2, 3, 4, 5, 6, 7, 8]]')
    flow.write_text(head.replace("class ShownItems", UNBOUNDED + "class ShownItems") + "self.items = Stream()" + tail)
    said = python_project.ours(flow, "run").failed()
    assert "Step *start* loops over self.items, an unbounded foreach" in said.stdout + said.stderr
    assert "num_parallel" in said.stdout + said.stderr
