"""Parameters of every type, with and without defaults."""

import json
from datetime import date

from metaflow import FlowSpec, IncludeFile, JSONType, Parameter, current, step


def computed(context):
    return f"{context.flow_name}/{context.parameter_name}/{context.user_name}"


class Parameters(FlowSpec):
    whole = Parameter("whole", default=3, help="A whole number")
    real = Parameter("real", default=0.5)
    text = Parameter("text", default="none")
    truth = Parameter("truth", default=False)
    flag = Parameter("flag", default=False, is_flag=True)
    wanted = Parameter("wanted", type=int, required=True)
    absent = Parameter("absent", type=int)
    tree = Parameter("tree", type=JSONType, default='{"a": [1, null]}')
    listed = Parameter("listed", type=JSONType, default=[1, 2])
    words = Parameter("words", default="a,b", separator=",")
    told = Parameter("told-apart", default=computed)
    counted = Parameter("counted", type=int, default=lambda context: 7)
    planned = Parameter("planned", type=JSONType, default=lambda context: json.dumps({"on": str(date(2020, 1, 2))}))
    notes = IncludeFile("notes", default="notes.txt")
    raw = IncludeFile("raw", is_text=False, default="notes.txt")
    parsed = IncludeFile("parsed", default="notes.txt", parser=str.upper)
    unused = IncludeFile("unused", required=False)

    @step
    def start(self):
        names = current.parameter_names
        self.names = sorted(names)
        self.values = [
            self.whole,
            self.real,
            self.text,
            self.truth,
            self.flag,
            self.wanted,
            self.absent,
            self.tree,
            self.listed,
            self.words,
            self.told,
            self.counted,
            self.planned,
        ]
        self.files = [self.notes, self.raw, self.parsed, self.unused]
        try:
            self.whole = 4
        except AttributeError:
            self.refused = True
        self.next(self.end)

    @step
    def end(self):
        self.again = self.whole, self.notes


if __name__ == "__main__":
    Parameters()
