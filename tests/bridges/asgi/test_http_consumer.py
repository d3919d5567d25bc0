# HttpConsumer: one request as an actor, from its head to the end of its response.

from typing import Any

import pytest
import trio
from helpers import happened, requested
from trio.testing import MockClock

from greenroom.actors import HttpConsumer, handles
from greenroom.bridges.testing import ResponseCut, virtual_clock
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Echo(HttpConsumer):
    async def handle(self, body: bytes) -> None:
        self.respond(text=f"{self.method} {body.decode()} {self.query.get('x', '-')}")


class Threaded(HttpConsumer):
    def handle(self, body: bytes) -> None:
        self.respond(201, json={"size": len(body)}, headers=[("x-kind", "def")])


async def test_a_whole_body_is_handled() -> None:
    """
    handle(body) is given the whole body, and respond() sends a whole response.
    """
    async with requested(echo=Echo) as server:
        answer = await server.http("POST", "/echo?x=1", body=b"hello" * 30000)

        assert answer.status == 200
        assert answer.body == b"POST " + b"hello" * 30000 + b" 1"
        assert dict(answer.headers)[b"content-type"] == b"text/plain; charset=utf-8"
        assert dict(answer.headers)[b"content-length"] == str(len(answer.body)).encode()
        assert answer.complete
        assert server.root.connections.open == 0


async def test_def_handlers_run_in_threads() -> None:
    """
    A def handler answers from its thread, in JSON, with headers of its own.
    """
    async with requested(echo=Threaded) as server:
        answer = await server.http("POST", "/echo", body=b"abc")

        assert (answer.status, answer.body) == (201, b'{"size":3}')
        assert dict(answer.headers)[b"content-type"] == b"application/json"
        assert dict(answer.headers)[b"x-kind"] == b"def"


async def test_answer_later(clock: MockClock) -> None:
    """
    A handler returns without an answer, and a message ends the response.
    """

    class Later(HttpConsumer):
        async def handle(self) -> None:
            self.send_after(3, {"type": "tick"})

        @handles("tick")
        def tick(self) -> None:
            self.respond(text="later")

        async def disconnect(self, reason: str) -> None:
            ends.append(reason)

    ends: list[str] = []
    async with requested(later=Later) as server:
        assert (await server.http("GET", "/later")).body == b"later"
    assert ends == ["answered"]


async def test_a_crash_before_the_head_is_a_500() -> None:
    """
    What raises before the head is a 500 on record; disconnect runs, nothing runs twice.
    """

    class Broken(HttpConsumer):
        async def handle(self) -> None:
            runs.append("handle")
            raise ValueError("no")

        def disconnect(self, reason: str) -> None:
            runs.append(reason)

    runs: list[str] = []
    async with requested(broken=Broken) as server:
        answer = await server.http("GET", "/broken")
        assert (answer.status, answer.body, answer.complete) == (500, b"Server Error\n", True)
        assert len(happened(server, "slot.crashed")) == 1
    assert runs == ["handle", "crashed"]


async def test_a_crash_behind_the_head_cuts() -> None:
    """
    What was sent before a crash is delivered, then the response is cut.
    """

    class Broken(HttpConsumer):
        async def handle(self) -> None:
            self.start(200, [("content-type", "text/csv")])
            self.send("one")
            raise ValueError("no")

    async with requested(broken=Broken) as server:
        answer = await server.http("GET", "/broken")
        assert (answer.status, answer.body, answer.complete) == (200, b"one", False)


async def test_who_does_not_answer_is_answered_for(clock: MockClock) -> None:
    """
    After answer_seconds the client gets 504, and disconnect is told why.
    """

    class Mute(HttpConsumer):
        answer_seconds = 7

        async def handle(self) -> None:
            pass

        async def disconnect(self, reason: str) -> None:
            ends.append(reason)

    ends: list[str] = []
    async with requested(mute=Mute) as server:
        answer = await server.http("GET", "/mute")
        assert answer.status == 504
        assert ends == ["no answer within 7 s"]
        assert len(happened(server, "request.unanswered")) == 1


async def test_a_large_body_is_refused() -> None:
    """
    A body above body_bytes is a 413, and handle does not run.
    """

    class Small(HttpConsumer):
        body_bytes = 10

        async def handle(self, body: bytes) -> None:
            raise AssertionError("it ran")

    async with requested(small=Small) as server:
        assert (await server.http("POST", "/small", body=b"x" * 11)).status == 413
        length = [("content-length", "11")]
        assert (await server.http("POST", "/small", body=b"x", headers=length)).status == 413


async def test_parts_come_in_order() -> None:
    """
    chunk(data, last) is given each part, and last with the last of them.
    """

    class Upload(HttpConsumer):
        def connect(self) -> None:
            self.sizes: list[int] = []

        def chunk(self, data: bytes, last: bool) -> None:
            self.sizes.append(len(data))
            if last:
                self.respond(json=self.sizes)

    async with requested(upload=Upload) as server:
        answer = await server.http("POST", "/upload", body=b"x" * 150000)
        assert answer.body == b"[65536,65536,18928,0]"


def test_both_are_refused() -> None:
    """
    A class with handle and chunk is refused at import, and one with neither at its route.
    """
    both: dict[str, Any] = {"handle": lambda self: None, "chunk": lambda self, data: None}
    with pytest.raises(TypeError, match="Keep one"):
        type("Both", (HttpConsumer,), both)
    with pytest.raises(TypeError, match="nothing would answer a request"):
        type("Neither", (HttpConsumer,), {}).as_asgi()  # type: ignore[attr-defined]


async def test_limits_of_the_tree() -> None:
    """
    What a class does not set is the tree's option.
    """
    async with requested(echo=Echo, options=Options(body_bytes=3)) as server:
        assert (await server.http("POST", "/echo", body=b"abcd")).status == 413
        with trio.fail_after(5):
            assert (await server.http("POST", "/echo", body=b"abc")).status == 200


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_a_fatal_end_stays_in_its_request(error: type[BaseException]) -> None:
    """
    SystemExit in a handler is a 500 and one slot.fatal event; the server goes on.
    """

    class Exits(HttpConsumer):
        def handle(self, body: bytes) -> None:
            if not body:
                raise error
            self.respond(text="fine")

    async with requested(exits=Exits) as server:
        assert (await server.http("GET", "/exits")).status == 500
        assert len(happened(server, "slot.fatal")) == 1
        assert (await server.http("POST", "/exits", body=b"x")).body == b"fine"


async def test_a_group_before_the_head() -> None:
    """
    What a group sends to a response that was not begun is a dead letter, and no part of it.
    """

    class Early(HttpConsumer):
        async def handle(self) -> None:
            self.join("all")
            self.group_send("all", text="too early")
            self.start(200)
            self.group_send("all", text="in time")
            self.finish()

    async with requested(early=Early) as server:
        assert (await server.http("GET", "/early")).body == b"in time"
        (letter,) = happened(server, "message.dead_letter")
        assert "not accepted yet" in str(letter.facts["reason"])


async def test_a_thread_waits_for_room() -> None:
    """
    send() in a def handler waits in its thread while the client reads nothing.
    """

    class Pump(HttpConsumer):
        def handle(self) -> None:
            self.start()
            for number in range(300):
                sent.append(number)
                self.send(bytes=b"x" * 1000)
            self.finish()

    sent: list[int] = []
    options = Options(output_high_water_bytes=5000)
    async with (
        requested(pump=Pump, options=options) as server,
        server.request("GET", "/pump") as request,
    ):
        request.pause_reading()
        await request.begun()
        seen = -1
        while seen != len(sent):
            seen = len(sent)
            await trio.sleep(0.05)
        assert seen < 100
        request.resume_reading()
        assert len(await request.read()) == 300_000


async def test_state_outlives_a_restart_where_it_is_asked_for() -> None:
    """
    A class may be transient: then an unanswered request goes on after a crash, and is answered.
    """

    class Stubborn(HttpConsumer):
        restart = "transient"

        async def handle(self) -> None:
            self.join("stubborn")
            self.send_after(0, {"type": "fail"})

        @handles("fail")
        async def fail(self) -> None:
            raise ValueError("no")

        def restarted(self, reason: BaseException) -> None:
            self.respond(text=f"after {reason}")

    async with requested(stubborn=Stubborn) as server:
        answer = await server.http("GET", "/stubborn")
        assert (answer.status, answer.body) == (200, b"after no")


async def test_head_has_no_body() -> None:
    """
    HEAD gets the head that GET would get; a stream is over with it.
    """

    class Both(HttpConsumer):
        async def handle(self) -> None:
            if "stream" in self.query:
                self.start(200, [("x-kind", "stream")])
                while True:
                    await self.send("body")  # it must not go on for ever: nobody reads it
            else:
                self.respond(text="body")

    async with requested(both=Both) as server:
        answer = await server.http("HEAD", "/both")
        assert (answer.status, answer.body, answer.complete) == (200, b"", True)
        assert dict(answer.headers)[b"content-length"] == b"4"
        answer = await server.http("HEAD", "/both?stream")
        assert (answer.status, answer.body, answer.complete) == (200, b"", True)
        assert dict(answer.headers)[b"x-kind"] == b"stream"


async def test_trailers() -> None:
    """
    Trailers go out where the server has them, if they were announced.
    """

    class Summed(HttpConsumer):
        async def handle(self) -> None:
            self.start(200, trailers=True)
            self.send("body")
            self.finish(trailers=[("X-Sum", "4")])

    class Sudden(HttpConsumer):
        async def handle(self) -> None:
            self.start(200)
            self.finish(trailers=[("x-sum", "4")])

    async with requested(summed=Summed, sudden=Sudden) as server:
        async with server.request("GET", "/summed") as request:
            assert await request.read() == b"body"
            assert request.trailers == [(b"x-sum", b"4")]
        answer = await server.http("GET", "/summed")  # from a server that has none
        assert (answer.body, answer.complete) == (b"body", True)
        async with server.request("GET", "/sudden") as request:
            with pytest.raises(ResponseCut):
                await request.read()
        assert "announced" in str(happened(server, "slot.crashed")[0].facts["exception"])
