"""A store on a full disk: a small file system of its own, in a mount namespace that nobody else sees."""

import subprocess

import pytest
from conftest import judge, missing, program

# Fills up while the tasks run, one at a time so that some finish before; then, in the same namespace, the official client
# reads what was finished.
SCRIPT = """
mount -t tmpfs -o size=700k none "$1" || exit 99
cd "$1" && mkdir .metaflow
"$2" run --how well --width 90 --max-workers 1
echo "exit $?"
"$3" -c "
from metaflow import Flow
run = Flow('Misbehave').latest_run
print('successful', run.successful)
print('before', {task.data.before for task in run['work'] if task.finished})
"
"""


@pytest.fixture
def namespace():
    command = ["unshare", "--mount", "--map-root-user", "true"]
    if subprocess.run(command, capture_output=True).returncode != 0:
        missing("no mount namespace can be made here: unshare --mount --map-root-user fails")
    return command[:-1]


def test_a_full_disk_fails_the_run_in_words_and_loses_nothing_finished(project, namespace):
    folder = project.folder / "disk"
    folder.mkdir()
    result = project.run(*namespace, "sh", "-c", SCRIPT, "sh", folder, program("misbehave"), judge())
    assert "no space left on device; free some space" in result.stdout + result.stderr
    assert "exit 1\n" in result.stdout
    assert "successful False\n" in result.stdout
    assert "before {'set'}\n" in result.stdout
