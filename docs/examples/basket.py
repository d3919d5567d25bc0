# An actor that shows an operator what it holds, and not for whom.
from greenroom.actors import Actor, handles


class Basket(Actor):
    def __init__(self):
        self.items, self.card = {}, None

    @handles("add")
    def on_add(self, message):
        self.items[message["item"]] = self.items.get(message["item"], 0) + 1
        self.card = message["card"]

    def describe(self):
        return {"items": self.items, "card": "known" if self.card else "none"}
