"""Flows with configs, mutators and decorators of their own, run by our package and by the official one: what the official client says
about both runs is the same."""

import json

import pytest
from conftest import flow_file


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("configured", []),
        ("configured", ["--config-value", "plain_text", "other"]),
        ("decorated", []),
        ("mutated", []),
        ("mutated", ["--config", "settings", "settings.json"]),
    ],
)
def test_a_run_is_what_it_officially_is(python_project, official_project, name, options):
    stories = []
    for project, run in ((python_project, python_project.ours), (official_project, official_project.officially)):
        (project.folder / "settings.json").write_text(json.dumps({"number": 11, "text": "from a file"}))
        run(name, *options, "run").succeeded()
        stories.append(project.story(name, name.title()))
    assert stories[0] == stories[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--config", "section", "gone.json"], "gone.json"),
        (["--config-value", "section", "{bad"], "section"),
        (["--config-value", "nobody", "{}"], "nobody"),
        (["--config", "section", "x", "--config-value", "section", "{}"], "section"),
    ],
)
def test_wrong_configs_are_usage_errors_as_they_officially_are(python_project, official_project, options, said):
    for result in (
        python_project.ours("configured", *options, "run"),
        official_project.officially("configured", *options, "run"),
    ):
        assert result.exit == 2
        assert "Error:" in result.stderr
        assert said in result.stderr


def test_help_shows_the_options_for_configs(python_project):
    said = python_project.ours("configured", "--help").succeeded().stdout
    assert "--config " in said
    assert "--config-value " in said
    assert "--config" not in python_project.ours("decorated", "--help").succeeded().stdout


def test_a_decorator_of_ones_own_comes_from_the_command_line(python_project):
    python_project.ours("decorated", "run", "--with", "Timing:unit=m").succeeded()
    notes = python_project.official("result = Flow('Decorated').latest_run['end'].task.data.notes")
    assert "timing skipped ((), {'unit': 'm'})" not in notes  # skipped from the outside
    assert "timing end ((), {'unit': 'm'})" in notes


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_resume_takes_the_configs_of_its_origin(python_project, isolation):
    settings, fail = python_project.folder / "settings.json", python_project.folder / "fail"
    settings.write_text('{"text": "old"}')
    fail.touch()
    python_project.ours("reconfigured", "run").failed()
    settings.write_text('{"text": "new"}')
    fail.unlink()
    assert "has old old" in python_project.ours("reconfigured", "resume", "--isolation", isolation).succeeded().stdout
    assert "has new new" in python_project.ours("reconfigured", "run", "--isolation", isolation).succeeded().stdout
    refused = python_project.ours("reconfigured", "--config", "settings", "settings.json", "resume")
    assert (refused.exit, "leave out --config" in refused.stderr) == (2, True)


def test_configs_of_a_run_stay_while_their_file_changes(python_project):
    """Tasks in fresh processes do not read it again."""
    settings = python_project.folder / "settings.json"
    settings.write_text('{"text": "old"}')
    changing = python_project.folder / "changing.py"
    source = flow_file("reconfigured").read_text()
    changing.write_text(
        source.replace("self.next(", "open('settings.json', 'w').write('{\"text\": \"new\"}'); self.next(")
    )
    assert "has old old" in python_project.ours(changing, "run", "--isolation", "spawn").succeeded().stdout
    assert "new" in settings.read_text()
