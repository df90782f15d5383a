"""A store on a full disk: a small file system of its own, in a mount namespace that nobody else sees."""

import re
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
    words = r"\d+/work/\d+: cannot write '[^']*': no space left on device; free some space and try again$"
    assert re.search(words, result.stderr, re.MULTILINE)
    assert "its log says why" not in result.stderr
    # The last task has no record, so that `logs` does not know it.
    assert " logs " not in result.stderr and "Its log could not be stored" in result.stderr
    assert "exit 1\n" in result.stdout
    assert "successful False\n" in result.stdout
    assert "before {'set'}\n" in result.stdout


# Full to the last byte while a task runs.
LOG_SCRIPT = """
mount -t tmpfs -o size=4m none "$1" || exit 99
cd "$1" && mkdir .metaflow && mkfifo pipe
WAIT=end PIPE=pipe "$2" run --width 1 --depth 1 &
exec 3>pipe
cat /dev/zero >fill
echo "go on" >&3
wait $!
echo "exit $?"
"""


def test_a_log_that_the_disk_does_not_take_is_not_pointed_at(project, namespace):
    folder = project.folder / "disk"
    folder.mkdir()
    result = project.run(*namespace, "sh", "-c", LOG_SCRIPT, "sh", folder, program("resumable"))
    assert "exit 1\n" in result.stdout
    assert result.stdout.count("What is printed cannot be stored: cannot write ") == 1
    assert re.search(r"/end/\d+: cannot write '[^']*': no space left on device", result.stderr)
    assert "Its log could not be stored; what it printed is above.\n" in result.stderr
    assert " logs " not in result.stderr
    assert "resume --origin-run-id" in result.stderr
