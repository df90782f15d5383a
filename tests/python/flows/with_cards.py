"""Steps with cards, and one for elsewhere."""

from metaflow import FlowSpec, card, current, step
from metaflow.cards import Artifact, Image, Markdown, Table


class WithCards(FlowSpec):
    @card(id="first")
    @card
    @step
    def start(self):
        current.card.append(Markdown("# Title"))
        current.card["first"].extend([Table([[Artifact(1)]], headers=["a"]), Image(b"")])
        current.card.refresh()
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WithCards()
