import csv
from pathlib import Path

from metaflow import FlowSpec, IncludeFile, Parameter, step


def beside(name):
    """A file in the folder of this script, wherever the script is started from."""
    return str(Path(__file__).resolve().parent / name)


class PlayListFlow(FlowSpec):
    """Makes a list of penguins to visit: the heaviest of one island, and a surprise from another."""

    data = IncludeFile("data", help="Table of penguins", default=beside("penguins.csv"))
    island = Parameter("island", help="Biscoe, Dream or Torgersen", default="Biscoe")
    count = Parameter("count", help="How many penguins of the island to visit", default=5)

    @step
    def start(self):
        """Keeps the penguins of which all was measured, and goes on with two steps at the same time."""
        rows = csv.DictReader(self.data.splitlines())
        self.penguins = [row for row in rows if "NA" not in row.values()]
        islands = sorted({row["island"] for row in self.penguins})
        if self.island not in islands:
            raise ValueError(f"no penguin lives on '{self.island}'; try one of {', '.join(islands)}")
        self.next(self.find_heaviest, self.find_surprise)

    @step
    def find_heaviest(self):
        """Of the island, in order of weight."""
        here = [row for row in self.penguins if row["island"] == self.island]
        here.sort(key=lambda row: int(row["body_mass_g"]), reverse=True)
        self.heaviest = here[: self.count]
        self.next(self.join)

    @step
    def find_surprise(self):
        """The penguin with the longest bill that lives somewhere else."""
        elsewhere = [row for row in self.penguins if row["island"] != self.island]
        self.surprise = max(elsewhere, key=lambda row: float(row["bill_length_mm"]))
        self.next(self.join)

    @step
    def join(self, inputs):
        """Waits for both, and takes from each what it made."""
        self.playlist = inputs.find_heaviest.heaviest
        self.surprise = inputs.find_surprise.surprise
        self.next(self.end)

    @step
    def end(self):
        """Prints the list."""
        print(f"Penguins to visit on {self.island}:")
        for number, row in enumerate(self.playlist, 1):
            print(f"  {number}. {row['species']}, {row['sex']}, {row['body_mass_g']} g")
        row = self.surprise
        print(f"And a surprise on {row['island']}: {row['species']} with a bill of {row['bill_length_mm']} mm")


if __name__ == "__main__":
    PlayListFlow()
