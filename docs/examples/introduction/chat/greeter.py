import msgspec

from greenroom.actors import Actor, Request, handles


class Greet(msgspec.Struct, Request[str], frozen=True):
    name: str


class Greeter(Actor):
    """Lives as long as the server. Says how many it has greeted, also after a crash."""

    keep = ["greeted"]

    def __init__(self):
        self.greeted = 0

    @handles(Greet)
    async def greet(self, message: Greet) -> str:
        self.greeted += 1
        return f"Hello {message.name}, you are number {self.greeted}."
