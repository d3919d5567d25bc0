# A basket in the session: what the socket puts in, the pages see.

from greenroom.actors import WebsocketConsumer


class BasketConsumer(WebsocketConsumer):
    def receive(self, text):
        basket = self.session.setdefault("basket", [])
        basket.append(text)
        self.session.modified = True  # Django can't see into the list
        self.send(text=f"{len(basket)} things")  # the session is saved behind this handler


class BasketOnTrio(WebsocketConsumer):
    async def receive(self, text):
        await self.load_session()  # once is enough; the second time it is there
        basket = [*self.session.get("basket", ()), text]
        self.session["basket"] = basket
        await self.save_session()  # now, not behind the handler
        await self.send(text=f"{len(basket)} things")
