# With pytest and pytest-trio (trio_mode = true). Here a token says who it is: see feed_by_token.py.
import json
from types import SimpleNamespace

import pytest
from trio.testing import MockClock
from who_is_online import RoomConsumer

from greenroom.bridges.asgi import TokenAuthentication
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import serve


def user_named(token, scope):
    return SimpleNamespace(is_authenticated=True, get_username=lambda: token)


room = TokenAuthentication(RoomConsumer, user_named, header=True)
application = Greenroom(websocket=[path("ws/room/<slug:room>/", room)])


@pytest.fixture
def clock():
    return MockClock(autojump_threshold=0)


def enter(server, name):
    headers = [("authorization", f"Bearer {name}"), ("origin", "http://127.0.0.1")]
    return server.websocket("/ws/room/lobby/", headers=headers)


async def news(client):
    told = json.loads(await client.receive_text(timeout=60))
    return list(told["joined"]), told["left"], list(told["changed"])


async def test_only_who_stays_away_has_left(clock):
    async with serve(application, threads="inline") as server, enter(server, "ann") as ann:
        assert await news(ann) == ([], [], [])
        assert await news(ann) == (["ann"], [], [])
        async with enter(server, "ben") as ben:
            assert await news(ann) == (["ben"], [], [])
            ben.crash()
            await ben.wait_restarted()
            ben.send_text('{"type": "status", "text": "tea"}')
            assert await news(ann) == ([], [], ["ben"])
        async with enter(server, "ben"):    # he comes back at once, and is "here" again
            assert await news(ann) == ([], [], ["ben"])
        assert await news(ann) == ([], ["ben"], [])  # and this is the next that she hears
