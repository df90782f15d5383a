"""Thousands of tasks of a flow in Python, some of which leak, crash or are killed, leave nothing behind."""

import os

COUNT = 5_000 if os.environ.get("METAFLOW_TEST_ALL") else 2_000
KILOBYTES_OF_A_TASK = 1  # that the scheduler may keep, as it has to know what is done
KILOBYTES_ANYWAY = 4_000


def test_thousands_of_tasks_leave_nothing_behind(python_project):
    temporary = python_project.folder.parent / "temporary"
    temporary.mkdir()
    options = ("--count", str(COUNT), "--max-num-splits", str(COUNT), "--max-workers", "8")
    process = python_project.start_ours("ample", "run", *options, TMPDIR=temporary)
    said = python_project.finish(process, deadline=600).succeeded()
    assert said.stdout.count("Task failed") == said.stdout.count("Task is starting (retry).") == 10
    python_project.wait_for_no_process()
    before, after = python_project.official("""
        namespace(None)
        end = Flow('Ample').latest_run['end'].task
        result = [end.data.before, end.data.after]
    """)
    assert after["descriptors"] <= before["descriptors"]
    assert after["dead"] <= before["dead"]
    assert after["files"] == before["files"]
    assert list(temporary.iterdir()) == []
    assert after["memory"] - before["memory"] < KILOBYTES_ANYWAY + KILOBYTES_OF_A_TASK * COUNT
