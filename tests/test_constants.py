"""Constants of a flow: stored once with each run, the same in every task."""

import pytest

NAMES = ["folds", "unit", "genres", "weights", "mode"]


@pytest.fixture(scope="module")
def done(shared_project):
    shared_project.run_flow("constants", "run").succeeded()
    return shared_project


def test_the_official_client_reads_them_in_every_task(done):
    assert (
        done.official(
            """
        run = Flow('Constants').latest_run
        tasks = [run['_parameters'].task] + [task for step in run for task in step]
        result = [[str(task[name].data) if name == 'weights' else task[name].data for name in names] for task in tasks]
        """,
            names=NAMES,
        )
        == [[5, "Ωcm", ["comedy", "drama"], "[0. 0. 0.]", "quick"]] * 8
    )


def test_every_task_refers_to_the_value_stored_at_the_start(done):
    run = done.latest_run("Constants")
    keys = done.artifact_keys("Constants", run, "_parameters", "0")
    for step, task in [("start", "1"), ("work", "3"), ("join", "4"), ("quick", "6"), ("end", "7")]:
        left = done.artifact_keys("Constants", run, step, task)
        assert {name: left[name] for name in [*NAMES, "depth"]} == {name: keys[name] for name in [*NAMES, "depth"]}


def test_steps_read_them_and_go_over_them(done):
    assert done.official("""
        run = Flow('Constants').latest_run
        result = [sorted(task.data.seen for task in run['work']), run.data.total, run.data.rounds]
    """) == [["comedy in Ωcm", "drama in Ωcm"], 15, 1]


def test_the_description_of_the_flow_lists_them_beside_the_parameters(done):
    assert done.official("""
        info = Flow('Constants').latest_run['_parameters'].task['_graph_info'].data
        result = [info['parameters'], info['constants']]
    """) == [
        [{"name": "depth", "type": "Parameter"}],
        [
            {"name": "folds", "type": "int"},
            {"name": "unit", "type": "str"},
            {"name": "genres", "type": "list"},
            {"name": "weights", "type": "ndarray"},
            {"name": "mode", "type": "str"},
        ],
    ]


def test_no_option_sets_one(done):
    assert done.run_flow("constants", "run", "--folds", "7").exit == 2
