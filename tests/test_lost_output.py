"""Standard output that takes no more: a full disk, a reader that has left; and standard streams that are closed from the start."""

import pytest
from conftest import program


def run_into(project, output: str, *words, name: str = "single"):
    return project.run("sh", "-c", f'"$@" {output}', "sh", program(name), *words)


def assert_all_is_stored(project):
    assert project.official("""
        run = Flow('Single').latest_run
        result = [run.successful, run.data.answer]
    """) == [True, 42]


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_run_whose_log_finds_no_room_is_stored_and_says_so(project, isolation):
    said = run_into(project, "> /dev/full", "run", "--isolation", isolation).failed().stderr
    assert "    Cannot write to standard output:\n    the run went to its end and is stored" in said
    assert "no space left on device" in said
    assert_all_is_stored(project)


def test_a_failed_run_whose_log_finds_no_room_says_both(project):
    said = run_into(project, "> /dev/full", "run", "--how", "throw", name="misbehave").failed().stderr
    assert "    Step failure:\n    Step work (task-id 2) failed" in said
    assert "    Cannot write to standard output:\n" in said


@pytest.mark.parametrize("words", [["show"], ["help"], ["run", "--help"], ["output-dot"], ["output-raw", "--json"]])
def test_a_result_that_finds_no_room_is_an_error(project, words):
    said = run_into(project, "> /dev/full", *words).failed().stderr
    assert said.count("    Cannot write to standard output:\n    not all of the output could be written: no space") == 1


@pytest.mark.parametrize("words", [["dump"], ["logs"]])
def test_more_than_a_buffer_of_results_is_an_error_too(project, words):
    project.run_flow("misbehave", "run", "--how", "lines").succeeded()
    path = f"{project.latest_run('Misbehave')}/work"
    said = run_into(project, "> /dev/full", *words, path, name="misbehave").failed().stderr
    assert "    Cannot write to standard output:\n    not all of the output could be written: no space" in said


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_run_whose_reader_leaves_goes_on_and_is_no_error(project, isolation):
    process = project.start_flow("single", "run", "--isolation", isolation)
    process.stdout.close()
    process.stdout = None
    assert "Cannot write" not in project.finish(process).succeeded().stderr
    assert_all_is_stored(project)


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
@pytest.mark.parametrize("closed", ["<&-", "2>&-"])
def test_a_run_goes_on_without_a_standard_stream(project, closed, isolation):
    assert "Done!" in run_into(project, closed, "run", "--isolation", isolation).succeeded().stdout
    assert_all_is_stored(project)


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_run_whose_output_is_closed_is_stored_and_says_so(project, isolation):
    said = run_into(project, ">&-", "run", "--isolation", isolation).failed().stderr
    assert "    Cannot write to standard output:\n    the run went to its end and is stored" in said
    assert_all_is_stored(project)
