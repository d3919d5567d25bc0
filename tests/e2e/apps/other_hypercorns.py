# An echo behind a hypercorn that looks different inside: before anything of Greenroom's is
# imported, what OTHER_HYPERCORN names is taken away or renamed, in a way that hypercorn itself
# can go on without it.

import importlib.metadata
import os
import sys

import hypercorn.events
import hypercorn.protocol.h11
import hypercorn.trio.worker_context
from django.conf import settings
from hypercorn.trio.tcp_server import TCPServer


def version():
    importlib.metadata.version = lambda name: "0.99.0"


def event():
    del hypercorn.events.RawData


def method():
    send = TCPServer.protocol_send
    del TCPServer.protocol_send
    names = {"protocol_send": lambda self: lambda event: send(self, event)}

    def renamed(self, name):
        if name not in names:
            raise AttributeError(name)
        return names[name](self)

    TCPServer.__getattr__ = renamed


def parameter():
    init = TCPServer.__init__

    def other(self, app, config, context, lifespan_state, stream):
        init(self, app, config, context, lifespan_state, stream)

    TCPServer.__init__ = other


def wrapper():
    del hypercorn.trio.worker_context.EventWrapper


def module():
    sys.modules["hypercorn.trio.tcp_server"] = None


def protocols():
    del hypercorn.protocol.h11.H11Protocol
    sys.modules["hypercorn.protocol.ws_stream"] = None


globals()[os.environ["OTHER_HYPERCORN"]]()
settings.configure()

import greenroom.bridges.django as django_bridge
from _base import Paths, http
from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.bridges.hypercorn import install

assert django_bridge.Greenroom
assert not install()  # and says so no second time


class Echo(WebsocketConsumer):
    async def receive(self, text, bytes=None):
        await self.send(text=text, bytes=bytes)


application = Application(http=http(), router=Paths(echo=Echo))
