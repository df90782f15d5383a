"""Items of a foreach reach their tasks whole, whatever container they come from."""

import pytest

# Python's repr of what each task keeps, in the order of the items.
DELIVERED = {
    "vector": ["3", "1", "2"],
    "array": ["3", "1", "2"],
    "deque": ["0.5", "-1e+300"],
    "list": [str(-(2**63)), str(2**63 - 1)],
    "set": ["'a'", "'b'"],
    "unordered_set": ["7", "8", "9"],
    "map": ["('a', 1.5)", "('b', 2.5)"],
    "unordered_map": ["(1, ['x'])", "(2, [])", "(3, ['y', 'z'])"],
    "truths": ["True", "False"],
    "texts": ["'čaj 茶 🍵'", "''", r"'two\nlines'", r"'zero\x00inside'"],
    "long_texts": [repr("x" * 70_000), repr("y" * 70_000), repr("ž" + "z" * 70_000)],
    "structs": ["{'x': 1.0, 'label': 'p'}", "{'x': -2.5, 'label': 'ß'}"],
    "optionals": ["1", "None", "3"],
    "vectors": ["[1]", "[]", "[2, 3]"],
    "maps": ["{'a': 1}", "{}"],
    "tuples": ["(1, 'one')", "(2, 'two')"],
    "variants": ["1", "'one'"],
    "enumerations": ["'high'", "'low'"],
    "bytes": [r"b'\x00\xff'", "b''"],
    "real_array": ["0.5", "1.0", "1.5"],
    "integer_array": ["0", "1", "1"],
    "arrays": ["array([0.5, 1. , 1.5])", "array([], dtype=float64)"],
    "value_list": ["1", "'two'", "None", "4.5"],
    "value_dict": ["('a', 1)", "(2, 'b')"],
}
WITHOUT_ORDER = ("unordered_set", "unordered_map")


@pytest.mark.parametrize("container", DELIVERED)
def test_each_task_gets_its_item(project, container):
    project.run_flow("delivery", "run", DELIVERY=container).succeeded()
    count, items = project.official("""
        run = Flow('Delivery').latest_run
        tasks = sorted(run['work'], key=lambda task: task.index)
        result = [run.data.count, [repr(task.data.item) for task in tasks]]
    """)
    assert count == len(DELIVERED[container])
    assert (sorted(items) if container in WITHOUT_ORDER else items) == DELIVERED[container]


@pytest.mark.parametrize("container", ["map", "texts", "real_array"])
def test_each_task_gets_its_item_in_a_fresh_process(project, container):
    project.run_flow("delivery", "run", "--isolation", "spawn", DELIVERY=container).succeeded()
    assert (
        project.official("""
        tasks = sorted(Flow('Delivery').latest_run['work'], key=lambda task: task.index)
        result = [repr(task.data.item) for task in tasks]
    """)
        == DELIVERED[container]
    )
