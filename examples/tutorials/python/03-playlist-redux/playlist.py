from metaflow import Flow, FlowSpec, Parameter, step


class PlayListFlow(FlowSpec):
    """Makes a list of the most typical penguins, with the statistics that another flow has left behind."""

    species = Parameter("species", help="Adelie, Chinstrap or Gentoo", default="Gentoo")
    count = Parameter("count", help="How many penguins to visit", default=5)

    @step
    def start(self):
        """Reads the latest successful run of the other flow, and keeps its name, so that one can tell later what this
        list rests on."""
        run = Flow("PenguinStatsFlow").latest_successful_run
        if run is None:
            raise RuntimeError("no run of PenguinStatsFlow was successful yet; run episode 02-statistics first")
        self.rests_on = run.pathspec
        self.table = run.data.table  # what the last step has left
        self.penguins = run["start"].task.data.penguins  # what the first step has left
        if self.species not in self.table:
            raise ValueError(f"'{self.species}' is none of the species {', '.join(self.table)}")
        self.next(self.choose)

    @step
    def choose(self):
        """The penguins whose weight is nearest to the mean of their species."""
        mean = self.table[self.species]["mean"]
        mine = [row for row in self.penguins if row["species"] == self.species]
        mine.sort(key=lambda row: abs(int(row["body_mass_g"]) - mean))
        self.playlist = mine[: self.count]
        self.next(self.end)

    @step
    def end(self):
        """Prints the list."""
        mean = self.table[self.species]["mean"]
        print(f"By {self.rests_on}, a {self.species} penguin weighs {mean:.0f} g. The most typical ones:")
        for number, row in enumerate(self.playlist, 1):
            print(f"  {number}. {row['sex']}, {row['body_mass_g']} g, on {row['island']}")


if __name__ == "__main__":
    PlayListFlow()
