# Where a bridged consumer may stand: behind Channels' own routers and middleware, on routes of
# either protocol, alone under a server, and below the live server of Channels' test class.

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from channels_support import Run
from helpers import happened

from greenroom.bridges.channels.auth import AuthMiddlewareStack
from greenroom.bridges.channels.consumer import AsyncConsumer
from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer
from greenroom.bridges.channels.routing import ProtocolTypeRouter, URLRouter
from greenroom.bridges.channels.testing import (
    ChannelsLiveServerTestCase,
    HttpCommunicator,
    WebsocketCommunicator,
)
from greenroom.bridges.django import Greenroom, path, re_path
from greenroom.bridges.testing import HandshakeRefused, serve


class Room(AsyncWebsocketConsumer):
    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "crash":
            raise KeyError("broken")
        room = self.scope["url_route"]["kwargs"]["room"]
        await self.send(f"{room}: {self.scope['user']}")


class Hello(AsyncHttpConsumer):
    async def handle(self, body: bytes) -> None:
        name = self.scope["url_route"]["kwargs"].get("name", "nobody")
        await self.send_response(200, f"hello {name}".encode())


class Both(AsyncConsumer):
    """
    Serves whatever comes, by a `dispatch` of its own.
    """

    async def dispatch(self, message: Any) -> None:
        if message["type"] == "websocket.connect":
            await self.send({"type": "websocket.accept"})
        elif message["type"] == "http.request":
            await self.send({"type": "http.response.start", "status": 204, "headers": []})
            await self.send({"type": "http.response.body", "body": b""})


def of_channels() -> ProtocolTypeRouter:
    rooms = URLRouter([path("room/<slug:room>/", Room.as_asgi())])
    pages = URLRouter([path("hello/<slug:name>/", Hello.as_asgi())])
    websocket = AuthMiddlewareStack(URLRouter([path("ws/", rooms)]))
    return ProtocolTypeRouter({"http": pages, "websocket": websocket})


async def test_behind_channels_own_routers() -> None:
    """
    Behind routers and the auth stack a consumer is the connection's one node, and restarted.
    """
    async with serve(of_channels()) as server:
        async with server.websocket("/ws/room/lobby/") as client:
            client.send_text("crash")
            client.send_text("who")
            assert await client.receive() == "lobby: AnonymousUser"
            assert server.root.connections.open == 1
            (crash,) = happened(server, "slot.crashed")
            assert crash.path == "/connections/room/2"
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/ws/nowhere/"):
                pass
        assert refused.value.status == 404
        assert (await server.http("GET", "/hello/eve/")).body == b"hello eve"


def test_the_same_in_communicators(run: Run) -> None:
    """
    A test calls the whole application, without a tree.
    """

    async def main() -> None:
        application = of_channels()
        communicator = WebsocketCommunicator(application, "/ws/room/lobby/")
        assert await communicator.connect() == (True, None)
        await communicator.send_to(text_data="who")
        assert await communicator.receive_from() == "lobby: AnonymousUser"
        await communicator.disconnect()
        response = await HttpCommunicator(application, "GET", "/hello/eve/").get_response()
        assert response["body"] == b"hello eve"

    run(main)


def test_a_route_of_the_wrong_protocol() -> None:
    """
    A consumer of WebSockets among the routes of HTTP is refused when the application is made.
    """
    for wrong in (
        {"http": [path("a", Room.as_asgi())]},
        {"websocket": [path("a", Hello.as_asgi())]},
    ):
        with pytest.raises(TypeError, match="does not serve"):
            Greenroom(**wrong)  # type: ignore[arg-type]


async def test_one_that_serves_both() -> None:
    """
    A class that finds its handlers itself may stand on routes of both, and alone.
    """
    routes = {"http": [re_path("", Both.as_asgi())], "websocket": [re_path("", Both.as_asgi())]}
    for application in (Greenroom(**routes), Both.as_asgi()):  # type: ignore[arg-type]
        async with serve(application) as server:
            assert (await server.http("GET", "/")).status == 204
            async with server.websocket("/") as client:
                assert client.slot.actor == "Both"


async def test_http_alone() -> None:
    """
    An HTTP consumer alone under a server answers each path, and no WebSocket.
    """

    class Everywhere(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await self.send_response(200, self.scope["path"].encode())

    async with serve(Everywhere.as_asgi()) as server:
        assert (await server.http("GET", "/some/path")).body == b"/some/path"
        with pytest.raises(HandshakeRefused):
            async with server.websocket("/"):
                pass


def test_the_live_server(tmp_path: Path) -> None:
    """
    Channels' live server class runs the real server, with a database in memory.
    """
    (tmp_path / "mine.py").write_text(
        textwrap.dedent("""
            from django.conf import settings
            settings.configure(
                ASGI_APPLICATION="mine.application", ALLOWED_HOSTS=[], SECRET_KEY="x",
                DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
                INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
            )
            import django
            django.setup()
            from django.contrib.auth.models import User
            from django.urls import path
            from greenroom.bridges.channels.generic.websocket import WebsocketConsumer
            from greenroom.bridges.channels.testing import ChannelsLiveServerTestCase
            from greenroom.bridges.django import Greenroom

            class Count(WebsocketConsumer):
                def receive(self, text_data=None, bytes_data=None):
                    self.send(str(User.objects.count()))

            application = Greenroom(websocket=[path("count/", Count.as_asgi())])

            class Tests(ChannelsLiveServerTestCase):
                def test_count(self):
                    from websockets.sync.client import connect
                    User.objects.create(username="eve")
                    assert self.live_server_url.startswith("http://localhost:")
                    with connect(self.live_server_ws_url + "/count/") as client:
                        client.send("?")
                        assert client.recv(timeout=30) == "1"
        """)
    )
    code = "import mine; from django.test.runner import DiscoverRunner as R; "
    code += "raise SystemExit(R().run_tests(['mine']))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 1 test" in done.stderr


def test_a_server_process_of_ones_own() -> None:
    """
    A class that names another server process is told that there is none.
    """
    with pytest.raises(TypeError, match="ProtocolServerProcess has no meaning"):
        type("Wrong", (ChannelsLiveServerTestCase,), {"ProtocolServerProcess": object})
