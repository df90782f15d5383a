"""Artifacts of more bytes than 32 bits can count, by `./dev test --all`; by default large ones."""

import os

GIBIBYTE = 2**30
LENGTH = 4 * GIBIBYTE + 12345 if os.environ.get("METAFLOW_TEST_ALL") else GIBIBYTE // 8


def test_an_enormous_artifact_arrives_whole_in_later_steps_and_in_the_official_client(python_project):
    process = python_project.start_ours("enormous", "run", "--length", str(LENGTH))
    python_project.finish(process, deadline=600).succeeded()
    found = python_project.official("""
        namespace(None)
        run = Flow('Enormous').latest_run
        content = run['change'].task.data.content
        result = [run['end'].task.data.found, [len(content), content[0], content[-1], sum(content[:10])]]
    """)
    assert found == [[LENGTH, 2, 1, 2]] * 2
