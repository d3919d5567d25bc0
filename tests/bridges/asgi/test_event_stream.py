# EventStreamConsumer: server-sent events, from the head of the request to the end of the stream.

from typing import Any

import pytest
from helpers import requested, watch
from trio.testing import MockClock

from greenroom.actors import Actor, EventHistory, EventStreamConsumer, handles
from greenroom.bridges.testing import (
    NothingCame,
    ResponseCut,
    StreamEnded,
    StreamEvent,
    StreamRefused,
    virtual_clock,
)
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Room(EventStreamConsumer):
    def connect(self, last_event_id: str) -> None:
        self.join("room")
        self.accept(retry=2500)
        self.send(f"hello {last_event_id or 'stranger'}", id="1")

    @handles("say")
    async def say(self, message: Any) -> None:
        self.send(json=message["what"], event="said")

    @handles("raise")
    def fail(self) -> None:
        raise ValueError("no")


async def test_events_are_sent() -> None:
    """
    accept() and send() reach the client as a browser reads them, from def and async handlers.
    """
    async with requested(room=Room) as server, server.event_stream("/room") as stream:
        assert await stream.next_event() == StreamEvent("hello stranger", id="1")
        assert (stream.retry, stream.last_event_id) == (2500, "1")
        server.root.groups.send("room", {"type": "say", "what": {"a": [1, None]}})
        assert await stream.next_event() == StreamEvent('{"a":[1,null]}', "said", "1")
        server.root.groups.send("room", text="two\nlines")
        assert await stream.next_event() == StreamEvent("two\nlines", id="1")


async def test_the_head_of_a_stream() -> None:
    """
    Nothing between holds it back or keeps it: the headers say so, and may be replaced.
    """

    class Own(EventStreamConsumer):
        def connect(self) -> None:
            self.accept([("Cache-Control", "private"), ("x-own", "1")])

    async with requested(room=Room, own=Own) as server:
        async with server.event_stream("/room") as stream:
            assert stream.headers == [
                (b"content-type", b"text/event-stream"),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),
            ]
        async with server.event_stream("/own") as stream:
            assert dict(stream.headers)[b"cache-control"] == b"private"
            assert dict(stream.headers)[b"x-own"] == b"1"


async def test_who_comes_back_says_where_it_was() -> None:
    """
    connect() is given Last-Event-ID, in UTF-8.
    """
    async with (
        requested(room=Room) as server,
        server.event_stream("/room", last_event_id="é7") as stream,
    ):
        assert (await stream.next_event()).data == "hello é7"


async def test_a_crash_leaves_the_stream_open() -> None:
    """
    A handler that raises is restarted, and the stream goes on.
    """
    async with requested(room=Room) as server, server.event_stream("/room") as stream:
        await stream.next_event()
        server.root.groups.send("room", {"type": "raise"})
        await stream.wait_restarted()
        server.root.groups.send("room", {"type": "say", "what": 1})
        assert (await stream.next_event()).data == "1"
        assert stream.slot.epoch == 2


async def test_beyond_the_budget_the_stream_ends() -> None:
    """
    Too many crashes end the stream as a whole response, with a time to come back after.
    """

    class Frail(Room):
        max_restarts = 0

    async with requested(room=Frail) as server, server.event_stream("/room") as stream:
        await stream.next_event()
        server.root.groups.send("room", {"type": "raise"})
        with pytest.raises(StreamEnded):
            await stream.next_event()
        assert stream.retry is not None
        assert 500 <= stream.retry <= 5500


@pytest.mark.parametrize("status", [204, 403, 503])
async def test_a_stream_is_refused(status: int) -> None:
    """
    respond() before accept() refuses with any status; 204 has neither body nor type.
    """

    class Shut(EventStreamConsumer):
        async def connect(self) -> None:
            self.respond(status, text="" if status == 204 else "no")

        async def disconnect(self, reason: str) -> None:
            ends.append(reason)

    ends: list[str] = []
    async with requested(shut=Shut) as server:
        with pytest.raises(StreamRefused) as refused:
            async with server.event_stream("/shut"):
                pass
    assert refused.value.status == status
    assert refused.value.body == (b"" if status == 204 else b"no")
    assert bool(refused.value.headers) is (status != 204)
    assert ends == ["answered"]


async def test_who_neither_accepts_nor_refuses() -> None:
    """
    A connect() that returns without either is a 500, not a stream that never begins.
    """

    class Mute(EventStreamConsumer):
        def connect(self) -> None:
            pass

    async with requested(mute=Mute) as server:
        with pytest.raises(StreamRefused, match="500"):
            async with server.event_stream("/mute"):
                pass


async def test_without_connect_it_is_accepted() -> None:
    """
    A class without connect() accepts; a task of it may send.
    """

    class Clock(EventStreamConsumer):
        def started(self) -> None:
            self.send_every(1, {"type": "tick"})

        @handles("tick")
        async def tick(self) -> None:
            self.send("tick")

    async with requested(clock=Clock) as server, server.event_stream("/clock") as stream:
        assert await stream.next_event() == StreamEvent("tick")


async def test_silence_is_broken_by_comments(clock: MockClock) -> None:
    """
    After heartbeat_seconds of silence a comment goes out, again and again.
    """
    async with (
        requested(room=Room, options=Options(heartbeat_seconds=10)) as server,
        server.event_stream("/room") as stream,
    ):
        await stream.next_event()
        await stream.no_event(45)
        assert stream.comments == ["", "", "", ""]


async def test_the_end_of_the_server_is_clean() -> None:
    """
    At a shutdown the stream ends whole, and each client is told a time of its own.
    """
    retries: list[int | None] = []
    async with requested(room=Room, options=Options(seed=1, reconnect_seconds=100)) as server:
        async with server.event_stream("/room") as one, server.event_stream("/room") as two:
            await one.next_event()
            await two.next_event()
            server.root.stop()
            for stream in (one, two):
                with pytest.raises(StreamEnded):
                    await stream.next_event()
                retries.append(stream.retry)
    first, second = retries
    assert first != second
    assert all(retry is not None and 500 <= retry <= 100500 for retry in retries)


async def test_the_client_leaves() -> None:
    """
    disconnect() is told that the client has left, once, and the groups are left.
    """

    class Told(Room):
        def disconnect(self, reason: str) -> None:
            ends.append(reason)

    ends: list[str] = []
    async with requested(room=Told) as server:
        async with server.event_stream("/room") as stream:
            await stream.next_event()
            stream.leave()
            await stream.application_done.wait()
            assert ends == ["client left"]
            assert server.root.groups.members("room") == ()
            assert server.root.connections.open == 0


async def test_close_ends_it() -> None:
    """
    close() ends the stream behind what was sent, and says when to come back.
    """

    class Short(EventStreamConsumer):
        def connect(self) -> None:
            self.accept()
            self.send("only")
            self.close(retry=60000)
            self.close()

        def disconnect(self, reason: str) -> None:
            ends.append(reason)

    ends: list[str] = []
    async with requested(short=Short) as server, server.event_stream("/short") as stream:
        assert (await stream.next_event()).data == "only"
        with pytest.raises(StreamEnded):
            await stream.next_event()
        assert stream.retry == 60000
        await stream.application_done.wait()
    assert ends == ["closed by itself"]


async def test_a_slow_reader_is_dropped(clock: MockClock) -> None:
    """
    A client that reads nothing is cut off when the limit is met; the others have all of it.
    """
    options = Options(output_high_water_bytes=1000, output_limit_bytes=200_000)
    async with requested(room=Room, options=options) as server:
        async with server.event_stream("/room") as slow, server.event_stream("/room") as fast:
            await slow.next_event()
            await fast.next_event()
            slow.pause_reading()
            ended = watch(server, "output.slow")
            for _ in range(40):
                server.root.groups.send("room", text="x" * 10_000)
                assert len((await fast.next_event()).data) == 10_000
            await ended.until()
            with pytest.raises(ResponseCut):
                while True:
                    await slow.next_event()


async def test_a_sender_waits_for_room() -> None:
    """
    An awaited send() waits while much output waits, so that a loop does not run away.
    """

    class Pump(EventStreamConsumer):
        async def connect(self) -> None:
            self.accept()
            for number in range(1000):
                sent.append(number)
                await self.send("x" * 1000)

    sent: list[int] = []
    async with requested(pump=Pump, options=Options(output_high_water_bytes=5000)) as server:
        async with server.event_stream("/pump") as stream:
            stream.pause_reading()
            with pytest.raises(NothingCame):
                while True:
                    await stream.next_event(0.1)
            assert len(sent) < 100
            stream.resume_reading()
            while len(sent) < 1000:
                await stream.next_event()


async def test_what_a_client_has_missed_is_replayed() -> None:
    """
    With a history a client that comes back is sent what it missed, and then what is new, once.
    """
    log = EventHistory(events=3)

    class Feed(EventStreamConsumer):
        history = log

        def connect(self, missed: bool) -> None:
            asked.append(missed)
            self.join("feed")
            self.accept()

    asked: list[bool] = []
    async with requested(feed=Feed) as server:
        async with server.event_stream("/feed") as stream:
            server.root.groups.send("feed", bytes=log.add("one", event="news"))
            event = await stream.next_event()
            assert (event.data, event.event) == ("one", "news")
            last = stream.last_event_id
        for word in ("two", "three"):
            log.add(word)
        async with server.event_stream("/feed", last_event_id=last) as stream:
            assert [(await stream.next_event()).data for _ in range(2)] == ["two", "three"]
            server.root.groups.send("feed", bytes=log.add("four"))
            assert (await stream.next_event()).data == "four"
        log.add("five")
        async with server.event_stream("/feed", last_event_id=last) as stream:
            assert [(await stream.next_event()).data for _ in range(3)] == ["three", "four", "five"]
    assert asked == [False, False, True]


async def test_head_is_answered_with_the_head() -> None:
    """
    HEAD gets the stream's head and an end, with connect() or without.
    """

    class Plain(EventStreamConsumer):
        pass

    async with requested(room=Room, plain=Plain) as server:
        for path in ("/room", "/plain"):
            answer = await server.http("HEAD", path)
            assert (answer.status, answer.body, answer.complete) == (200, b"", True)
            assert dict(answer.headers)[b"content-type"] == b"text/event-stream"


async def test_a_posted_body_is_given_to_connect() -> None:
    """
    A connect() that asks for the body gets it, whole; one above body_bytes is a 413.
    """

    class Ask(EventStreamConsumer):
        body_bytes = 10

        async def connect(self, body: bytes, method: str) -> None:
            self.accept()
            self.send(f"{method} {body.decode()}")

    async with requested(ask=Ask) as server:
        async with server.event_stream("/ask", method="POST", body=b"prompt") as stream:
            assert (await stream.next_event()).data == "POST prompt"
        with pytest.raises(StreamRefused, match="413"):
            async with server.event_stream("/ask", method="POST", body=b"x" * 11):
                pass


async def test_it_stands_in_the_tree() -> None:
    """
    A stream is a slot with its facts, and its history of crashes.
    """
    async with requested(room=Room) as server, server.event_stream("/room") as stream:
        await stream.next_event()
        facts = stream.slot.facts
        assert stream.slot.actor == "Room"
        assert (facts["response"], facts["status"], facts["method"]) == ("begun", 200, "GET")
        assert facts["url"] == "/room"
        assert stream.slot.groups == ("room",)


def test_mistakes_are_refused_at_import() -> None:
    """
    A history or a number of seconds that is none is refused when the class is created.
    """
    with pytest.raises(TypeError, match="must be an EventHistory"):
        type("Wrong", (EventStreamConsumer,), {"history": 100})
    with pytest.raises(ValueError, match="heartbeat_seconds must be"):
        type("Wrong", (EventStreamConsumer,), {"heartbeat_seconds": -1})


async def test_a_resident_reaches_streams() -> None:
    """
    Any actor sends to a group of streams as to one of WebSockets.
    """

    class Ticker(Actor):
        async def started(self) -> None:
            self.send_every(0.01, {"type": "tick"})

        @handles("tick")
        async def tick(self) -> None:
            self.group_send("room", text="tick")

    async with requested(Ticker, room=Room) as server, server.event_stream("/room") as stream:
        await stream.next_event()
        assert (await stream.next_event()).data == "tick"
