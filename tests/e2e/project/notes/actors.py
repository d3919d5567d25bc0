from greenroom.actors import Actor, handles


class Counter(Actor):
    """Counts what it is told to count."""

    count = 0

    @handles("count")
    async def on_count(self, message: dict) -> int:
        self.count += 1
        return self.count
