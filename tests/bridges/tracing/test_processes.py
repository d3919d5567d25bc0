# A trace that goes on in another process, through Redis; and what processes get that know nothing
# of that.

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from helpers import settle
from layer_mailbox import until
from recorded_spans import Spans, is_below
from redis_server import RedisServer, running_redis

from greenroom.actors import Actor, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.engines._redis_engine import RedisEngine
from greenroom.bridges.engines._redis_wire import msgpack, packed_with, unpacked_with
from greenroom.bridges.testing import serve
from greenroom.bridges.testing._recorder import Recorder
from greenroom.bridges.tracing._groups import ContextCarrier
from greenroom.bridges.tracing._span import Tracer

OTHER_PROCESS = Path(__file__).with_name("other_process.py")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


class Listener(Actor):
    """Hears what is said in the group."""

    groups = ["news"]

    @handles("news")
    async def on_news(self, message):
        self.heard = message


def application(redis: RedisServer, *children: Any) -> Application:
    return Application(children=children, engine=lambda: RedisEngine([redis.url]))


async def test_between_two_trees(spans: Spans, redis: RedisServer) -> None:
    """
    A message to a group is below its sender's span in every tree that it reaches through Redis.
    """
    async with serve(application(redis, Listener)) as one, serve(application(redis)) as two:
        await until(lambda: one.root._engine.peers() and two.root._engine.peers())
        await settle(lambda: one.root._engine.statistics().connected)
        two.root.groups.send("news", {"type": "news", "text": "hello"})
        await until(lambda: spans.named("process Listener news"))

    assert is_below(spans.one("process Listener news"), spans.one("send to group"))
    assert spans.named("send Listener") == []


@pytest.mark.slow
async def test_between_two_processes(spans: Spans, redis: RedisServer) -> None:
    """
    The handler in this process is part of the trace that a process beside it has begun.
    """
    async with serve(application(redis, Listener)) as server:
        await until(lambda: server.root._engine.statistics().connected)
        command = [sys.executable, "-W", "error", str(OTHER_PROCESS), redis.url]
        done = await trio.to_thread.run_sync(
            partial(subprocess.run, command, capture_output=True, text=True, env={**os.environ})
        )
        assert done.returncode == 0, done.stderr
        await until(lambda: spans.named("process Listener news"))
    sent = json.loads(done.stdout)
    handled = spans.one("process Listener news")

    assert f"{handled.context.trace_id:032x}" == sent["trace"]
    assert f"{handled.parent.span_id:016x}" == sent["span"]
    assert handled.parent.is_remote


async def test_who_knows_nothing_of_it(spans: Spans, redis: RedisServer) -> None:
    """
    A process that is not traced gets the same message, and one that is takes what is not traced.
    """
    traced, plain = RedisEngine([redis.url]), RedisEngine([redis.url])
    traced.carry(ContextCarrier(Tracer()))
    message = {"type": "news", "n": 1, "of": {"type": "inner"}}
    heard = [Recorder(), Recorder()]
    async with trio.open_nursery() as nursery:
        for engine, recorder in zip((traced, plain), heard, strict=True):
            engine.subscribe("topic")
            await nursery.start(engine.run, recorder)
        await until(lambda: traced.peers() and plain.peers())
        with spans.tracer().start_as_current_span("outside"):
            traced.publish("topic", message)
            traced.publish("topic", "a frame")
        plain.publish("topic", message)
        await heard[1].heard("topic", "a frame")
        await heard[0].heard("topic", message)
        nursery.cancel_scope.cancel()

    assert heard[1].of("topic") == [message, "a frame"]
    assert heard[0].of("topic") == [message]


@pytest.mark.parametrize(
    "payload", [{"type": "x"}, {"n": [1, {"m": b"x"}], "type": "y", "z": None}]
)
def test_beside_a_message(payload: dict[str, Any]) -> None:
    """
    What goes beside a message changes nothing of it for who reads plain msgpack.
    """
    data = packed_with(b"beside", "me", payload)
    plain = msgpack.packb(["me", payload])

    assert msgpack.unpackb(data, strict_map_key=False) == ["me", payload]
    assert unpacked_with(data) == (["me", payload], b"beside")
    assert unpacked_with(plain) == (["me", payload], b"")


def test_what_cannot_be_carried_is_refused_as_ever() -> None:
    """
    A value that would arrive as another one is a TypeError in a traced tree, too.
    """
    for payload in ({"x": (1, 2)}, {"x": {1, 2}}):
        with pytest.raises(TypeError):
            packed_with(b"beside", "me", payload)


@pytest.mark.parametrize("said", [b"", b"no json", b"[]", b'{"traceparent": 1}', b"{}"])
def test_nonsense_from_outside(said: bytes) -> None:
    """
    What is no context of another process is none, and the message is delivered all the same.
    """
    delivered = False
    with ContextCarrier(Tracer()).within(said):
        delivered = True

    assert delivered


def test_too_much_baggage(spans: Spans) -> None:
    """
    Of a context of more than 8 KiB the baggage does not go along, and the trace does.
    """
    from opentelemetry import baggage, context

    carrier = ContextCarrier(Tracer())
    with spans.tracer().start_as_current_span("outside"):
        assert b"traceparent" in carrier.said()
        full = context.get_current()
        for name in ("a", "b"):  # no more than the propagator itself lets through
            full = baggage.set_baggage(name, "x" * 4090, full)
        token = context.attach(full)
        try:
            said = carrier.said()
        finally:
            context.detach(token)

    assert len(said) <= 8192
    assert list(json.loads(said)) == ["traceparent"]
