import csv
import statistics
from pathlib import Path

from metaflow import FlowSpec, IncludeFile, step


def beside(name):
    """A file in the folder of this script, wherever the script is started from."""
    return str(Path(__file__).resolve().parent / name)


class PenguinStatsFlow(FlowSpec):
    """Statistics of body mass, one task for each species."""

    data = IncludeFile("data", help="Table of penguins", default=beside("penguins.csv"))

    @step
    def start(self):
        """Keeps who was weighed, and goes on with one task for each item of `species`, whatever their number."""
        self.penguins = [row for row in csv.DictReader(self.data.splitlines()) if row["body_mass_g"] != "NA"]
        self.species = sorted({row["species"] for row in self.penguins})
        self.next(self.compute, foreach="species")

    @step
    def compute(self):
        """Sees one species: the item is self.input."""
        self.kind = self.input
        masses = [int(row["body_mass_g"]) for row in self.penguins if row["species"] == self.kind]
        self.summary = {
            "count": len(masses),
            "mean": statistics.fmean(masses),
            "deviation": statistics.stdev(masses),
            "quartiles": statistics.quantiles(masses, n=4),
        }
        self.next(self.join)

    @step
    def join(self, inputs):
        """Collects the results of all tasks into one table."""
        self.table = {branch.kind: branch.summary for branch in inputs}
        self.next(self.end)

    @step
    def end(self):
        """Prints the table."""
        print(f"{'species':<10} {'count':>7} {'mean (g)':>10} {'dev. (g)':>10}")
        for species, row in self.table.items():
            print(f"{species:<10} {row['count']:>7} {row['mean']:>10.0f} {row['deviation']:>10.0f}")


if __name__ == "__main__":
    PenguinStatsFlow()
