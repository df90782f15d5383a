"""Tunes a model that tells the species of a penguin from what was measured: a task for each setting, tables as artifacts.

Needs pandas and scikit-learn: python -m pip install pandas scikit-learn
"""

import io
from pathlib import Path

import pandas
from metaflow import FlowSpec, IncludeFile, Parameter, step
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PENGUINS = Path(__file__).resolve().parent.parent / "data" / "penguins.csv"
MEASURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]

# Settings by kind of model, from the simplest to the most flexible.
GRID = {
    "logistic": [{"C": strength} for strength in (0.01, 0.1, 1.0, 10.0)],
    "neighbours": [{"n_neighbors": number} for number in (1, 5, 15, 45)],
    "forest": [{"max_depth": depth} for depth in (2, 4, 8)],
}


def make_model(kind, setting, seed):
    """A model that has seen nothing yet. Measures are brought to one scale, learnt from the penguins it is fitted to."""
    if kind == "logistic":
        model = LogisticRegression(max_iter=1000, **setting)
    elif kind == "neighbours":
        model = KNeighborsClassifier(**setting)
    else:
        model = RandomForestClassifier(n_estimators=50, random_state=seed, **setting)
    return make_pipeline(StandardScaler(), model)


class TuningFlow(FlowSpec):
    """Finds the best of several models, and judges it by penguins that none of them has seen."""

    data = IncludeFile("data", help="Table of penguins", default=str(PENGUINS))
    folds = Parameter("folds", help="Parts of the cross-validation", default=5)
    held_out = Parameter("held_out", help="Share of the penguins kept for the final score", default=0.25)
    seed = Parameter("seed", help="Of whatever is drawn by chance", default=1)

    @step
    def start(self):
        """Puts some penguins aside, and lays out the grid."""
        penguins = pandas.read_csv(io.StringIO(self.data)).dropna(subset=MEASURES)
        self.training, self.test = train_test_split(
            penguins, test_size=self.held_out, random_state=self.seed, stratify=penguins["species"]
        )
        self.grid = [(kind, setting) for kind, settings in GRID.items() for setting in settings]
        self.next(self.judge, foreach="grid")

    @step
    def judge(self):
        """Scores one setting by cross-validation; sees the training penguins only."""
        self.kind, self.setting = self.input
        model = make_model(self.kind, self.setting, self.seed)
        scores = cross_val_score(model, self.training[MEASURES], self.training["species"], cv=self.folds)
        self.score, self.spread = float(scores.mean()), float(scores.std())
        self.next(self.choose)

    @step
    def choose(self, inputs):
        """Puts the scores into one table, best first, and takes over what all tasks have in common."""
        rows = [(branch.kind, str(branch.setting), branch.score, branch.spread) for branch in inputs]
        table = pandas.DataFrame(rows, columns=["kind", "setting", "score", "spread"])
        self.scores = table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
        best = max(inputs, key=lambda branch: branch.score)
        self.kind, self.setting = best.kind, best.setting
        self.merge_artifacts(inputs, include=["training", "test"])
        self.next(self.end)

    @step
    def end(self):
        """Fits the best model once more, and lets it meet the penguins that were held out."""
        self.model = make_model(self.kind, self.setting, self.seed)
        self.model.fit(self.training[MEASURES], self.training["species"])
        self.final_score = float(self.model.score(self.test[MEASURES], self.test["species"]))
        print(self.scores.to_string())
        print(f"Best: {self.kind} {self.setting}. Held-out penguins told right: {self.final_score:.1%}")


if __name__ == "__main__":
    TuningFlow()
