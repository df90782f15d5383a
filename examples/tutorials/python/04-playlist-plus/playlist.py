import csv
import difflib
import platform
from importlib import metadata
from pathlib import Path

from metaflow import FlowSpec, IncludeFile, Parameter, step


def beside(name):
    """A file in the folder of this script, wherever the script is started from."""
    return str(Path(__file__).resolve().parent / name)


def version_of(package):
    """Nothing for a package that is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


class PlayListFlow(FlowSpec):
    """Makes a list of penguins to visit, of the species or island that a hint comes nearest to."""

    data = IncludeFile("data", help="Table of penguins", default=beside("penguins.csv"))
    hint = Parameter("hint", help="A species or an island, as far as you remember its name", default="dreem")
    count = Parameter("count", help="How many penguins to visit", default=5)

    @step
    def start(self):
        """Keeps the penguins of which all was measured, and which tools this run has."""
        self.penguins = [row for row in csv.DictReader(self.data.splitlines()) if "NA" not in row.values()]
        self.tools = {"python": platform.python_version(), "rapidfuzz": version_of("rapidfuzz")}
        self.next(self.guess)

    @step
    def guess(self):
        """Finds the name that is most like the hint. The package is imported in the step that needs it, and by no other."""
        if self.tools["rapidfuzz"]:
            from rapidfuzz.fuzz import ratio
        else:

            def ratio(one, other):
                return 100 * difflib.SequenceMatcher(None, one, other).ratio()

        columns = {row[column]: column for row in self.penguins for column in ("species", "island")}
        self.likeness = {name: round(ratio(self.hint.lower(), name.lower())) for name in sorted(columns)}
        self.meant = max(self.likeness, key=self.likeness.get)
        self.column = columns[self.meant]
        self.next(self.choose)

    @step
    def choose(self):
        """The heaviest penguins of that name."""
        found = [row for row in self.penguins if row[self.column] == self.meant]
        found.sort(key=lambda row: int(row["body_mass_g"]), reverse=True)
        self.playlist = found[: self.count]
        self.next(self.end)

    @step
    def end(self):
        """Prints the list."""
        judge = f"rapidfuzz {self.tools['rapidfuzz']}" if self.tools["rapidfuzz"] else "Python alone"
        print(f"'{self.hint}' should be the {self.column} {self.meant}, by the word of {judge}. Penguins to visit:")
        for number, row in enumerate(self.playlist, 1):
            print(f"  {number}. {row['species']} on {row['island']}, {row['sex']}, {row['body_mass_g']} g")


if __name__ == "__main__":
    PlayListFlow()
