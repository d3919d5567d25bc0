# max_connections and connections_per_address of consumers that are no WebSockets; and limits that
# no such consumer could keep, refused when its class is created.

from typing import Any

import pytest
import trio.testing
from helpers import happened, requested, settle

from greenroom.actors import EventStreamConsumer, HttpConsumer, LongPollConsumer
from greenroom.supervisor import Options


class OneStream(EventStreamConsumer):
    max_connections = 1


class OnePerAddress(EventStreamConsumer):
    connections_per_address = 1


class OneRequest(HttpConsumer):
    max_connections = 1

    async def connect(self) -> None:
        """Answer nothing yet."""


class Poll(LongPollConsumer):
    pass


class Stream(EventStreamConsumer):
    pass


@pytest.mark.parametrize(
    ("consumer", "status"), [(OneStream, 503), (OnePerAddress, 429), (OneRequest, 503)]
)
async def test_caps_of_a_class(consumer: Any, status: int) -> None:
    """
    One more is refused before any of its handlers runs; an end makes room.
    """
    async with requested(capped=consumer) as server:
        for _ in range(2):
            async with server.request("GET", "/capped"):
                await settle(lambda: server.root.connections.open)
                answer = await server.http("GET", "/capped")
                assert answer.status == status
                assert dict(answer.headers)[b"retry-after"] == b"5"
            await settle(lambda: not server.root.connections.open)
        refused = happened(server, "connection.refused")
        assert len(refused) == 2
        assert server.root.connections.caps._taken == {}


async def test_caps_of_the_tree() -> None:
    """
    The tree's option counts event streams and long-poll sessions together.
    """
    options = Options(connections_per_address=2)
    async with requested(stream=Stream, poll=Poll, options=options) as server:
        async with server.event_stream("/stream"), server.long_poll("/poll"):
            assert (await server.http("GET", "/stream")).status == 429
            assert (await server.http("POST", "/poll")).status == 429
        await settle(lambda: not server.root.connections.open)
        assert server.root.connections.caps._taken == {}


@pytest.mark.parametrize("base", [HttpConsumer, EventStreamConsumer, LongPollConsumer])
@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"subprotocols": ["chat"]}, "Made.subprotocols is for WebSockets"),
        ({"message_bytes": 10}, "Made.message_bytes is for WebSockets"),
        ({"messages_per_second": 10}, "Made.messages_per_second is for WebSockets"),
        ({"idle_limit_seconds": 10}, "Made.idle_limit_seconds is for WebSockets"),
        ({"lifetime_seconds": 10}, "Made.lifetime_seconds is for WebSockets"),
        ({"connections_per_user": 0}, "Made.connections_per_user must be a whole number from 1"),
    ],
)
def test_limits_that_nobody_keeps(base: Any, names: dict[str, Any], message: str) -> None:
    """
    Each with its name, for it would be silently without effect.
    """
    with pytest.raises((TypeError, ValueError), match=message):
        type("Made", (base,), names)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("max_connections", "max_sessions"), ("connections_per_address", "sessions_per_address")],
)
def test_names_of_long_polling(name: str, ours: str) -> None:
    """
    Sessions are limited by names of their own, which the refusal says.
    """
    with pytest.raises(TypeError, match=f"Write {ours} = 3"):
        type("Made", (LongPollConsumer,), {name: 3})


class OneSession(LongPollConsumer):
    max_sessions = 1


async def test_sessions_that_open_at_once() -> None:
    """
    Openings whose bodies are still under way are no way around the number of sessions.
    """
    async with (
        requested(poll=OneSession) as server,
        server.request("POST", "/poll", body=None) as one,
        server.request("POST", "/poll", body=None) as other,
    ):
        await trio.testing.wait_all_tasks_blocked()
        one.send_part(b"", last=True)
        assert await one.begun() == 201
        other.send_part(b"", last=True)
        assert await other.begun() == 503
