from greenroom.actors import Actor, handles


class Till(Actor):
    def __init__(self):
        self.cents = 0
        self.pin = "4711"                      # nobody sees this

    def describe(self):                        # what its page shows, and no more
        return {"euros": self.cents / 100}

    @handles("paid")
    async def paid(self, message):
        self.cents += message["cents"]
