import trio
from django.urls import path

from greenroom.actors import Actor, CallFailed, WebsocketConsumer, handles
from greenroom.bridges.django import Greenroom

SKIES = {"Rome": "sunny", "Oslo": "rain"}


class Weather(Actor):

    def __init__(self):
        self.waiting = {}
        self.lookups = 0

    @handles("weather")
    async def weather(self, message):
        place = message["place"]
        if place not in self.waiting:
            self.waiting[place] = []
            self.start_soon(self.look_up, place)
        self.waiting[place].append(self.reply_later())

    async def look_up(self, place):
        self.lookups += 1
        await trio.sleep(0.5)               # an answer that takes its time
        for reply in self.waiting.pop(place):
            if place in SKIES:
                reply.send(SKIES[place])
            else:
                reply.fail(LookupError("no such place"))

    @handles("lookups")
    async def how_many(self, message):      # answered at once, whatever is under way
        return self.lookups


class Traveller(WebsocketConsumer):

    async def receive(self, text):
        self.weather, self.told = self.find("/residents/weather"), {}
        places = list(enumerate(text.split()))
        try:
            async with trio.open_nursery() as nursery:
                for number, place in places:
                    nursery.start_soon(self.ask, number, place)
        except* CallFailed as errors:
            await self.send(text=f"no answer: {errors.exceptions[0].problem}")
        else:
            skies = ", ".join(f"{place}: {self.told[number]}" for number, place in places)
            lookups = await self.weather.call({"type": "lookups"})
            await self.send(text=f"{skies}; looked up {lookups} times")

    async def ask(self, number, place):
        self.told[number] = await self.weather.call({"type": "weather", "place": place}, timeout=2)


application = Greenroom(websocket=[path("ws/", Traveller)], children=[Weather])
