from greenroom.actors import WebsocketConsumer


class Forgetful(WebsocketConsumer):
    """Says nothing about its state: the next one begins as `connect` left it."""

    async def connect(self):
        self.score = 0
        await self.accept()

    async def receive(self, text):
        self.score += int(text)
        await self.send(text=str(self.score))


class Keeping(Forgetful):
    """Names what is to survive."""

    keep = ["score"]


class Saving(Forgetful):
    """Decides itself what the state is, and how it comes back."""

    def snapshot(self):
        return {"score": self.score}

    async def restored(self, state):
        self.score = state["score"]
        await self.send(text=f"back at {self.score}")


class Apologetic(Forgetful):
    """Starts afresh on purpose, and says so."""

    async def restarted(self, reason):
        self.score = 0
        await self.send(text=f"sorry ({type(reason).__name__}), back to 0")
