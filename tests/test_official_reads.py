"""The official client, as judge, reads what C++ flows wrote."""

import hashlib
import pickle
import time

import pytest

ISOLATIONS = ["fork", "spawn"]


@pytest.fixture(scope="module")
def values(shared_project):
    """A run of `values` with include files and tags; its id."""
    (shared_project.folder / "notes.txt").write_text("naïve notes\n", encoding="utf-8")
    (shared_project.folder / "image.bin").write_bytes(bytes(range(256)))
    arguments = ["--number", "7", "--notes", "notes.txt", "--image", "image.bin", "--names", "x,y", "--tag", "a"]
    shared_project.run_flow("values", "run", *arguments, "--tag", "b:c").succeeded()
    return shared_project.latest_run("Values")


# Finding runs


def test_the_latest_run_is_the_one_that_latest_run_names(shared_project, values):
    assert shared_project.official("result = Flow('Values').latest_run.id") == values


def test_a_flow_is_hidden_from_another_namespace(shared_project, values):
    assert shared_project.official("""
        namespace('user:other')
        hidden = error_of(lambda: Flow('Values'))
        namespace(None)
        result = [hidden, Flow('Values').latest_run.id]
    """) == ["MetaflowNamespaceMismatch", values]


def test_a_finished_run_is_successful_and_finished_after_it_was_created(shared_project, values):
    assert shared_project.official("""
        run = Flow('Values').latest_run
        result = [run.successful, run.finished, type(run.finished_at).__name__, run.finished_at >= run.created_at,
                  run.created_at <= run['start'].task.created_at <= run['end'].task.created_at]
    """) == [True, True, "datetime", True, True]


def test_steps_are_listed_newest_first(shared_project, values):
    code = "result = [s.id for s in Run('Values/' + run)]"
    assert shared_project.official(code, run=values) == ["end", "middle", "start"]


# Values

EXPECTED = """
    import math
    expected = {
        'nothing': None, 'yes': True, 'no': False, 'zero': 0, 'minus_one': -1, 'one_byte': 255, 'two_bytes': 65535,
        'two_to_31': 2**31, 'lowest': -2**63, 'two_to_70': 2**70, 'real': -2.5e-300, 'text': 'čaj 茶 🍵',
        'long_text': 'x' * 100_000 + 'ß', 'raw': b'\\x00\\xff\\n', 'no_items': [], 'one_item': [7],
        'many_items': list(range(1001)), 'table': {'a': 1.5, 'b': -1.0}, 'nested': {'k': [1.0, None]},
        'pair': (3, 'three'), 'letters': {'a', 'b'}, 'either': 'text',
        'points': [{'x': 1.0, 'y': 2.0, 'label': 'p'}, {'x': 3.0, 'y': 4.0, 'label': 'q'}],
        'carried': 'carried',
    }
"""


def test_every_value_arrives_as_the_same_python_value_of_the_same_type(shared_project, values):
    code = EXPECTED.replace("\n    ", "\n") + (
        "data = Run('Values/' + run).data\n"
        "result = [name for name, value in expected.items()\n"
        "          if getattr(data, name) != value or type(getattr(data, name)) is not type(value)]\n"
    )
    assert shared_project.official(code, run=values) == []


def test_arrays_arrive_as_writable_numpy_arrays(shared_project, values):
    assert shared_project.official(
        """
        import numpy
        data = Run('Values/' + run).data
        matrix = data.matrix
        matrix[0, 0] = 9
        result = [str(matrix.dtype), matrix.tolist(), str(data.counts.dtype), data.counts.shape,
                  bool((data.counts == numpy.arange(50_000) % 7).all())]
        """,
        run=values,
    ) == ["float64", [[9, 0.5, 1], [1.5, 2, 2.5]], "int32", [50000], True]


def test_a_forgotten_artifact_is_gone_and_an_edited_one_is_changed(shared_project, values):
    assert shared_project.official(
        """
        run = Run('Values/' + run)
        result = ['forgotten' in run['start'].task.data, 'forgotten' in run['middle'].task.data,
                  'forgotten' in run.data, run['start'].task.data.edited, run.data.edited]
        """,
        run=values,
    ) == [True, False, False, "first", "first and second"]


def test_what_a_step_does_not_touch_keeps_its_key(shared_project, values):
    assert shared_project.official(
        """
        run = Run('Values/' + run)
        tasks = [run[s].task for s in ('start', 'middle', 'end')]
        result = [len({t[name].sha for t in tasks}) for name in ('carried', 'matrix', 'edited')]
        """,
        run=values,
    ) == [1, 1, 2]


def test_private_names_are_hidden_and_keys_and_sizes_are_those_of_the_pickle(shared_project, values):
    names, listed, sha, size = shared_project.official(
        """
        task = Run('Values/' + run)['end'].task
        result = [[a.id for a in task], 'yes' in task.data, task['yes'].sha, task['many_items'].size]
        """,
        run=values,
    )
    assert names and not [name for name in names if name.startswith("_")]
    assert listed
    assert sha == hashlib.sha1(b"\x80\x04\x88.").hexdigest()
    assert size == len(pickle.dumps(list(range(1001)), protocol=4))


def test_known_values_have_the_keys_that_python_gives_them(shared_project, values):
    def has_key_of(value, step, task, name):
        expected = hashlib.sha1(pickle.dumps(value, protocol=4)).hexdigest()
        return shared_project.artifact_keys("Values", values, step, task)[name] == expected

    assert has_key_of(None, "end", "3", "nothing") and has_key_of(None, "end", "3", "_exception")
    assert has_key_of(True, "end", "3", "yes") and has_key_of(True, "end", "3", "_task_ok")
    assert has_key_of([], "end", "3", "no_items") and has_key_of([], "start", "1", "_foreach_stack")
    assert has_key_of("start", "start", "1", "_current_step")
    assert has_key_of((["end"], None), "middle", "2", "_transition")
    assert has_key_of(list(range(1001)), "end", "3", "many_items")


# Parameters, tags, graph


def test_parameters_are_seen_on_the_parameters_task_and_at_the_end(shared_project, values):
    assert shared_project.official(
        """
        run = Run('Values/' + run)
        names = ['number', 'rate', 'flag', 'word', 'names', 'settings', 'level']
        task = run['_parameters'].task
        result = [[getattr(task.data, n) for n in names], all(task[n].sha == run['end'].task[n].sha for n in names)]
        """,
        run=values,
    ) == [[7, 0.5, False, "grüße", ["x", "y"], {"deep": [1, 2.5, None]}, "low"], True]


def test_include_files_are_read_as_text_and_as_bytes(shared_project, values):
    assert shared_project.official(
        "data = Run('Values/' + run).data; result = [data.notes, list(data.image)]", run=values
    ) == ["naïve notes\n", list(range(256))]


def test_tags_given_to_the_run_are_its_user_tags(shared_project, values):
    user, system = shared_project.official(
        "run = Run('Values/' + run); result = [sorted(run.user_tags), sorted(run.system_tags)]", run=values
    )
    assert user == ["a", "b:c"]
    assert "user:demo" in system and "runtime:dev" in system
    assert [tag for tag in system if tag.startswith("metaflow_version:")]


def test_tags_changed_by_the_official_client_are_seen_by_ours(project):
    project.run_flow("single", "run", "--tag", "old").succeeded()
    run = project.latest_run("Single")
    refused = project.official(
        """
        run = Run('Single/' + run)
        run.add_tag('new')
        run.remove_tag('old')
        result = error_of(lambda: run.remove_tag('user:demo'))
        """,
        run=run,
    )
    assert refused == "MetaflowTaggingError"
    read = project.run_flow("reader", f"Single/{run}").succeeded()
    assert '"tags":["new"]' in read.stdout


def test_the_graph_is_described_for_navigation(shared_project, values):
    assert shared_project.official(
        """
        run = Run('Values/' + run)
        result = [[s.id for s in run['end'].parent_steps], [s.id for s in run['start'].child_steps],
                  list(run['middle'].task.parent_task_pathspecs) == [run['start'].task.pathspec.partition('/')[2]]
                  or list(run['middle'].task.parent_task_pathspecs)]
        """,
        run=values,
    )[:2] == [["middle"], ["middle"]]


def test_what_a_task_printed_is_its_stdout(shared_project, values):
    code = "run = Run('Values/' + run); result = [run['start'].task.stdout, run['end'].task.stdout]"
    said = shared_project.official(code, run=values)
    assert [text.rstrip("\n") for text in said] == ["hello from start", "first and second 7"]


def test_an_empty_task_leaves_at_most_twenty_files(project):
    project.run_flow("misbehave", "run").succeeded()
    run = project.latest_run("Misbehave")
    files = project.task_files("Misbehave", run, "work", "2")
    user_artifacts = [f for f in files if "_artifact_" in f and "_artifact__" not in f and "_artifact_name" not in f]
    assert len(files) - len(user_artifacts) <= 20, files


# Branches, loops, endpoints


def test_a_join_leads_to_all_its_branches(project):
    project.run_flow("branches", "run").succeeded()
    parents, children = project.official("""
        run = Flow('Branches').latest_run
        result = [sorted(p.split('/')[-2] for p in run['join'].task.parent_task_pathspecs),
                  sorted(p.split('/')[-2] for p in run['start'].task.child_task_pathspecs)]
    """)
    assert parents == ["left", "right_a"]
    assert children == ["left", "right"]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_foreach_tasks_know_their_index_and_frames(project, isolation):
    project.run_flow("loops", "run", "--isolation", isolation).succeeded()
    indices, fields, frames, pathspecs, parents, order = project.official("""
        run = Flow('Loops').latest_run
        leaves = sorted((t for t in run['leaf']), key=lambda t: t.data.leaf_name)
        stack = leaves[-1]['_foreach_stack'].data
        result = [sorted(t.index for t in run['body']), stack[-1]._fields, [list(f) for f in stack],
                  len(list(run['join'].task.parent_task_pathspecs)), [s.id for s in run['join'].parent_steps],
                  run.data.leaves]
    """)
    assert indices == [0, 1, 2]
    assert fields == ["step", "var", "num_splits", "index", "value"]
    assert frames == [["body", "outer", 3, 2, "item 2"], ["leaf", "inner", 2, 1, "10"]]
    assert pathspecs == 3 and parents == ["inner_join"]
    assert order == [f"item {i}/{j}" for i in range(3) for j in (0, 10)]


def test_a_flow_of_one_step_is_successful_and_has_data(project):
    project.run_flow("single", "run").succeeded()
    assert project.official("run = Flow('Single').latest_run; result = [run.successful, run.data.answer]") == [True, 42]


def test_endpoints_with_names_of_their_own_are_found(project):
    project.run_flow("recursion", "run").succeeded()
    assert project.official("""
        run = Flow('Recursion').latest_run
        result = [run.successful, run.end_task.pathspec.split('/')[-2], run.data.count]
    """) == [True, "finish", 3]


# Failure


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_failed_task_says_why(project, isolation):
    project.run_flow("misbehave", "run", "--how", "throw", "--isolation", isolation).failed()
    assert project.official("""
        run = Flow('Misbehave').latest_run
        task = run['work'].task
        result = [run.successful, run.finished, task.finished, task.successful, task.exception.type,
                  task.exception.exception, 'boom 0' in str(task.exception), task.data.before, run['start'].task.successful]
    """) == [False, False, False, False, "std::runtime_error", "boom 0", True, "set", True]


@pytest.mark.parametrize("how", ["exit0", "exit3", "quick_exit0", "abort", "fault", "kill"])
def test_a_task_that_died_is_not_done(project, how):
    project.run_flow("misbehave", "run", "--how", how).failed()
    assert project.official("""
        run = Flow('Misbehave').latest_run
        task = run['work'].task
        result = [run.successful, run.finished, task.finished, [a.id for a in task], run['start'].task.successful]
    """) == [False, False, False, [], True]


# Logs


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_thousand_lines_at_once_are_read_back_in_order(project, isolation):
    project.run_flow("misbehave", "run", "--how", "lines", "--isolation", isolation).succeeded()
    text = project.official("result = Flow('Misbehave').latest_run['work'].task.stdout")
    lines = text.split("\n")
    assert lines[:1000] == [f"line {i}" for i in range(1000)]
    assert lines[1000:1002] == ["  indented", ""]
    assert lines[1002].startswith("bad ") and lines[1002].endswith(" bytes")
    assert lines[1003:] in (["no newline at the end", ""], ["no newline at the end"])


def test_a_flood_of_bytes_is_cut_and_still_read(project):
    done = project.run_flow("misbehave", "run", "--how", "flood", "--max-log-size", "1").succeeded()
    assert done.stdout.count("TRUNCATED") <= 1
    assert project.official("""
        task = Flow('Misbehave').latest_run['work'].task
        result = ['TRUNCATED' in task.stdout, task.stdout_size < 1_000_200, task.successful]
    """) == [True, True, True]


def test_the_order_of_ids_of_quick_runs_is_that_of_their_creation(project):
    began = time.time_ns() // 1000
    for _ in range(3):
        project.run_flow("single", "run").succeeded()
    ids = [int(i) for i in project.official("result = [r.id for r in Flow('Single')]")]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == 3
    assert began <= ids[-1] <= time.time_ns() // 1000
