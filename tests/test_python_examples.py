"""The example on real data, run from a clean environment with the wheel, pandas and scikit-learn; the official client looks."""

import os

import pytest
from conftest import BUILD, REPOSITORY, Project, missing

TUNING = REPOSITORY / "examples/python/tuning.py"
SCIENCE = BUILD.parent / "science"

pytestmark = pytest.mark.builds

LOOK = """
from pathlib import Path
run = Flow("TuningFlow").latest_successful_run
judged = [task.data for task in run["judge"]]
end = run.data
measures = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
result = {
    "types": {name: type(getattr(end, name)).__module__ for name in ("training", "test", "scores")},
    "penguins": [len(end.training), len(end.test)],
    "settings": len(end.scores),
    "best": [end.scores["score"].max(), end.scores["score"][0], max(each.score for each in judged)],
    "final": [end.final_score, end.model.score(end.test[measures], end.test["species"])],
    "apart": not set(end.training.index) & set(end.test.index),
}
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory, wheel_environment) -> Project:
    if not SCIENCE.exists():
        missing(f"{SCIENCE} does not exist; `./dev setup test` installs it")
    # One thread for each task: several at a time share the cores.
    variables = {"PYTHONPATH": str(SCIENCE), "OMP_NUM_THREADS": "1"}
    variables |= {name: os.environ[name] for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ}
    project = Project(tmp_path_factory.mktemp("tuning") / "project", variables)
    project.said = project.run(wheel_environment.python, TUNING, "run").succeeded().stdout
    return project


def test_tuning_keeps_tables_that_pandas_reads(played):
    seen = played.official(LOOK)
    assert {module.partition(".")[0] for module in seen["types"].values()} == {"pandas"}
    assert seen["penguins"] == [256, 86]
    assert seen["apart"]


def test_tuning_finds_the_best_of_all_settings(played):
    seen = played.official(LOOK)
    assert seen["settings"] == 11
    assert len(set(seen["best"])) == 1


def test_tuning_judges_the_model_it_keeps_by_penguins_nobody_has_seen(played):
    reported, recomputed = played.official(LOOK)["final"]
    assert reported == recomputed
    assert reported > 0.9
    assert f"Held-out penguins told right: {reported:.1%}" in played.said
