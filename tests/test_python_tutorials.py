"""The tutorials in Python, pulled from the wheel and played from a clean environment, leave what they leave under the official
Metaflow, as its client sees it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import REPOSITORY, Project, judge

EPISODES = REPOSITORY / "examples/tutorials/python"

pytestmark = pytest.mark.builds

# Everything public that a run has left. A task is known by its place in the foreach, as ids need not be the same.
SNAPSHOT = """
def seen(task):
    values = {artifact.id: [str(type(artifact.data)), repr(artifact.data)] for artifact in task}
    return {"index": task.index, "artifacts": values, "stdout": task.stdout, "successful": task.successful}
run = Run(pathspec)
steps = {step.id: sorted((seen(task) for task in step), key=lambda each: each["index"] or 0) for step in run}
result = {"steps": steps, "successful": run.successful, "code": run.code is not None}
"""

RUN_CELLS = """
import json, sys
with open(sys.argv[1]) as file:
    cells = json.load(file)["cells"]
variables = {}
for cell in cells:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), variables)
"""


@dataclass
class Play:
    """One way to play an episode."""

    episode: str
    script: str
    flow: str
    arguments: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join([self.episode, *self.arguments])


PLAYS = [
    Play("00-helloworld", "helloworld.py", "HelloFlow", ["--who", "Ada"]),
    Play("01-playlist", "playlist.py", "PlayListFlow"),
    Play("01-playlist", "playlist.py", "PlayListFlow", ["--island", "Dream", "--count", "3"]),
    Play("02-statistics", "stats.py", "PenguinStatsFlow"),
    Play("03-playlist-redux", "playlist.py", "PlayListFlow", ["--species", "Chinstrap"]),
    Play("04-playlist-plus", "playlist.py", "PlayListFlow", ["--hint", "jento"]),
]


def without_ids(seen, run: str):
    """The same, with a word in place of the run's id and of the ids of runs it names."""
    text = json.dumps(seen, sort_keys=True)
    return json.loads(re.sub(r"(?<=Flow/)\d+", "RUN", text).replace(run, "RUN"))


class Player:
    """Plays episodes with one of the two packages, in a folder of its own, and lets the official client look."""

    def __init__(self, project: Project, python: Path, episodes: Path):
        self.project, self.python, self.episodes = project, python, episodes

    def play(self, play: Play):
        script = self.episodes / play.episode / play.script
        return self.project.run(self.python, script, "run", *play.arguments)

    def snapshot(self, play: Play):
        self.play(play).succeeded()
        run = self.project.latest_run(play.flow)
        return without_ids(self.project.official(SNAPSHOT, pathspec=f"{play.flow}/{run}"), run)

    def read_notebook(self, name: str) -> str:
        result = self.project.run(self.python, "-c", RUN_CELLS, self.episodes / name, PYTHONIOENCODING="utf-8")
        return re.sub(r"(?<=Flow/)\d+", "RUN", result.succeeded().stdout)


@pytest.fixture(scope="module")
def official(tmp_path_factory) -> Player:
    return Player(Project(tmp_path_factory.mktemp("official") / "project"), judge(), EPISODES)


@pytest.fixture(scope="module")
def ours(tmp_path_factory, wheel_environment) -> Player:
    project = Project(tmp_path_factory.mktemp("ours") / "project")
    project.run(wheel_environment.program, "tutorials", "pull").succeeded()
    return Player(project, wheel_environment.python, project.folder / "metaflow-tutorials")


@pytest.mark.parametrize("play", PLAYS, ids=str)
def test_an_episode_leaves_what_it_leaves_under_official(official, ours, play):
    if play.episode == "03-playlist-redux":  # it rests on a run of another
        for player in (official, ours):
            player.play(Play("02-statistics", "stats.py", "PenguinStatsFlow")).succeeded()
    expected = official.snapshot(play)
    assert expected["successful"]
    assert ours.snapshot(play) == expected


@pytest.mark.parametrize(
    ("episode", "script", "flow", "notebook"),
    [
        ("01-playlist", "playlist.py", "PlayListFlow", "playlist.ipynb"),
        ("02-statistics", "stats.py", "PenguinStatsFlow", "stats.ipynb"),
    ],
)
def test_a_notebook_reads_the_same_from_a_run(official, ours, episode, script, flow, notebook):
    for player in (official, ours):
        player.play(Play(episode, script, flow)).succeeded()
    said = official.read_notebook(f"{episode}/{notebook}")
    assert said
    assert ours.read_notebook(f"{episode}/{notebook}") == said


def test_a_wrong_value_is_refused_before_the_first_step(official, ours):
    wrong = Play("01-playlist", "playlist.py", "PlayListFlow", ["--count", "many"])
    for player in (official, ours):
        result = player.play(wrong)
        assert result.exit == 2
        assert "--count" in result.stderr
        assert "many" in result.stderr


def test_an_island_without_penguins_fails_the_run_with_those_there_are(official, ours):
    wrong = Play("01-playlist", "playlist.py", "PlayListFlow", ["--island", "Iceland"])
    for player in (official, ours):
        result = player.play(wrong).failed()
        assert "try one of Biscoe, Dream, Torgersen" in result.stdout + result.stderr


@pytest.mark.parametrize("notebook", sorted(EPISODES.glob("*/*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_kept_without_output(notebook):
    book = json.loads(notebook.read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
    for cell in book["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
