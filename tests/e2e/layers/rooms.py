# Consumers, written as for Channels.

from greenroom.bridges.channels.consumer import AsyncConsumer, SyncConsumer
from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer


class Room(AsyncWebsocketConsumer):
    groups = ["room"]

    async def say(self, message):
        await self.send(text_data=message["text"])

    async def layer_down(self, message):
        await self.send(text_data="down")

    async def layer_up(self, message):
        await self.send(text_data="up")


class Job(AsyncConsumer):
    async def job(self, message):
        if message["text"] == "fail":
            raise KeyError("this job failed")
        text = f"job {message['text']}"
        await self.channel_layer.group_send("room", {"type": "say", "text": text})


class Blocking(SyncConsumer):
    def job(self, message):
        from asgiref.sync import async_to_sync

        text = f"blocking {message['text']}"
        async_to_sync(self.channel_layer.group_send)("room", {"type": "say", "text": text})
