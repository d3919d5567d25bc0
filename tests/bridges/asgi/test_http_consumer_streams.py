# HttpConsumer with bodies and responses in parts: back-pressure both ways, and every way out.

import pytest
import trio
from helpers import happened, requested
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import HttpConsumer, handles
from greenroom.bridges.testing import NothingCame, ResponseCut, virtual_clock
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Gated(HttpConsumer):
    """Takes a part only when it is told to."""

    async def connect(self) -> None:
        self.join("gate")
        self.open = trio.Event()
        self.total = 0

    async def chunk(self, data: bytes, last: bool) -> None:
        if data:
            await self.open.wait()
        self.total += len(data)
        if last:
            self.respond(text=str(self.total))


async def test_parts_are_read_no_further_than_ahead() -> None:
    """
    While chunk() is busy only so much is read ahead; the rest stays with the client.
    """
    doors: list[Gated] = []

    class Watched(Gated):
        async def connect(self) -> None:
            await super().connect()
            doors.append(self)

    options = Options(read_ahead_messages=4, read_ahead_bytes=1 << 20)
    async with (
        requested(gated=Watched, options=options) as server,
        server.request("POST", "/gated", body=None) as request,
    ):
        for _ in range(100):
            request.send_part(b"x" * 10)
        await wait_all_tasks_blocked()
        # One is handled, four wait, one is on its way, and ten are in the server's queue.
        assert request.unsent >= 100 - 1 - 4 - 1 - 10 - 1
        doors[0].open.set()
        request.send_part(b"", last=True)
        assert await request.begun() == 200
        assert await request.read() == b"1000"


class Stream(HttpConsumer):
    async def handle(self) -> None:
        self.join("stream")
        self.start(200, [("content-type", "text/plain")])
        self.send("begin ")

    @handles("more")
    def more(self) -> None:
        self.send(bytes=b"more ")

    @handles("end")
    async def end(self) -> None:
        self.finish("end", trailers=())

    def disconnect(self, reason: str) -> None:
        ENDS.append(reason)


ENDS: list[str] = []


@pytest.fixture(autouse=True)
def _no_ends() -> None:
    ENDS.clear()


async def test_a_response_goes_out_in_parts() -> None:
    """
    start(), send() and finish() from several handlers make one response; groups add to it.
    """
    async with requested(stream=Stream) as server, server.request("GET", "/stream") as request:
        assert await request.receive() == b"begin "
        assert request.slot.facts["response"] == "begun"
        server.root.groups.send("stream", {"type": "more"})
        assert await request.receive() == b"more "
        server.root.groups.send("stream", text="grouped ")
        assert await request.receive() == b"grouped "
        server.root.groups.send("stream", {"type": "end"})
        assert await request.read() == b"end"
        await request.application_done.wait()
        assert ENDS == ["answered"]


async def test_a_sender_waits_for_room() -> None:
    """
    An awaited send() waits while the client reads nothing, and goes on when it reads.
    """

    class Pump(HttpConsumer):
        async def handle(self) -> None:
            self.start()
            for number in range(300):
                sent.append(number)
                await self.send(bytes=b"x" * 1000)
            self.finish()

    sent: list[int] = []
    async with (
        requested(pump=Pump, options=Options(output_high_water_bytes=5000)) as server,
        server.request("GET", "/pump") as request,
    ):
        request.pause_reading()
        await request.begun()
        with pytest.raises(NothingCame):
            while True:
                await request.receive(0.1)
        assert len(sent) < 100
        request.resume_reading()
        await request.read()
        assert len(sent) == 300


async def test_a_reader_that_stalls_is_dropped(clock: MockClock) -> None:
    """
    Who makes no room for output_stall_seconds is cut off, and disconnect is told why.
    """

    class Pump(HttpConsumer):
        async def handle(self) -> None:
            self.start()
            while True:
                await self.send(bytes=b"x" * 1000)

        def disconnect(self, reason: str) -> None:
            ENDS.append(reason)

    options = Options(output_high_water_bytes=5000, output_stall_seconds=20)
    async with requested(pump=Pump, options=options) as server:
        async with server.request("GET", "/pump") as request:
            request.pause_reading()
            await request.application_done.wait()
            assert trio.current_time() >= 20
            with pytest.raises(ResponseCut):
                await request.read()
        assert len(happened(server, "output.slow")) == 1
        assert ENDS == ["reads too slowly"]


async def test_a_large_response_has_its_time(clock: MockClock) -> None:
    """
    A client that reads slowly, but reads, gets all of a large body, however long that takes.
    """

    class Large(HttpConsumer):
        def handle(self) -> None:
            self.respond(bytes=b"x" * 1_000_000)

    async with (
        requested(large=Large, options=Options(output_stall_seconds=10)) as server,
        server.request("GET", "/large") as request,
    ):
        request.pause_reading()
        await request.begun()
        for _ in range(40):
            await trio.sleep(8)
            request.resume_reading()
            await trio.sleep(0)
            request.pause_reading()
        request.resume_reading()
        assert len(await request.read()) == 1_000_000


async def test_the_client_leaves_an_open_request() -> None:
    """
    disconnect() is told of a client that has left, and later sends are refused quietly.
    """
    async with requested(stream=Stream) as server, server.request("GET", "/stream") as request:
        await request.receive()
        request.leave()
        await request.application_done.wait()
        assert ENDS == ["client left"]
        assert server.root.connections.open == 0
        assert not happened(server, "slot.crashed")


@pytest.mark.parametrize("cancels", [True, False])
async def test_the_client_leaves_a_running_handler(cancels: bool, clock: MockClock) -> None:
    """
    The running handler goes on, or is cancelled where the class asks for that.
    """

    class Slow(HttpConsumer):
        cancel_on_disconnect = cancels

        async def handle(self) -> None:
            began.set()
            await trio.sleep(20)
            ENDS.append("handled")
            self.respond()

        def disconnect(self, reason: str) -> None:
            ENDS.append(reason)

    began = trio.Event()
    async with requested(slow=Slow) as server:
        async with server.request("GET", "/slow", timeout=60) as request:
            await began.wait()
            request.leave()
            await request.application_done.wait()
        assert (["client left"] if cancels else ["handled", "client left"]) == ENDS
        assert not happened(server, "slot.crashed")


async def test_the_client_leaves_while_connect_runs() -> None:
    """
    A connect() that is cancelled, or sends to a client that has left, ends as any other.
    """

    class Slow(HttpConsumer):
        cancel_on_disconnect = True

        async def connect(self) -> None:
            began.set()
            await trio.sleep_forever()

        def disconnect(self, reason: str) -> None:
            ENDS.append(reason)

    began = trio.Event()
    async with requested(slow=Slow) as server, server.request("GET", "/slow") as request:
        await began.wait()
        request.leave()
        await request.application_done.wait()
        assert ENDS == ["client left"]
        assert not happened(server, "slot.crashed")


@pytest.mark.parametrize(("path", "status"), [("/later", 503), ("/stream", 200)])
async def test_shutdown(path: str, status: int, clock: MockClock) -> None:
    """
    At a shutdown what was not begun gets 503, what was is cut, and disconnect runs.
    """

    class Later(HttpConsumer):
        async def handle(self) -> None:
            pass

        def disconnect(self, reason: str) -> None:
            ENDS.append(reason)

    async with requested(later=Later, stream=Stream) as server:
        async with server.request("GET", path) as request:
            await wait_all_tasks_blocked()
            server.root.stop()
            assert await request.begun() == status
            if status == 503:
                assert await request.read() == b"Shutting down\n"
                assert (b"retry-after", b"5") in request.headers
            else:
                with pytest.raises(ResponseCut):
                    await request.read()
    assert len(ENDS) == 1


async def test_a_body_is_refused_before_it_is_asked_for() -> None:
    """
    With Expect: 100-continue nothing is read before connect() is through; it may refuse.
    """

    class Guarded(HttpConsumer):
        async def connect(self) -> None:
            await door.wait()
            self.respond(401)

        def handle(self, body: bytes) -> None:
            raise AssertionError("it ran")

    door = trio.Event()
    expect = [("expect", "100-continue"), ("content-length", "5")]
    async with (
        requested(guarded=Guarded) as server,
        server.request("POST", "/guarded", headers=expect, body=None) as request,
    ):
        request.send_part(b"hel")
        request.send_part(b"lo", last=True)
        for _ in range(20):
            request.send_part(b"")
        await wait_all_tasks_blocked()
        assert request.unsent > 10  # none of them was taken
        door.set()
        assert await request.begun() == 401


async def test_an_upload_that_grows_too_large() -> None:
    """
    A chunk() class that sets body_bytes gets parts up to it; then 413, or a cut behind a head.
    """

    class Upload(HttpConsumer):
        body_bytes = 10

        async def chunk(self, data: bytes, last: bool) -> None:
            sizes.append(len(data))
            if "early" in self.query and len(sizes) == 1:
                self.start(200)

        def disconnect(self, reason: str) -> None:
            ENDS.append(reason)

    sizes: list[int] = []
    async with requested(upload=Upload) as server:
        for path in ("/upload", "/upload?early"):
            sizes.clear()
            async with server.request("POST", path, body=None) as request:
                for _ in range(8):
                    request.send_part(b"1234")
                    await wait_all_tasks_blocked()
                if path == "/upload":
                    assert await request.begun() == 413
                else:
                    with pytest.raises(ResponseCut):
                        await request.read()
            assert sizes == [4, 4]
    assert ENDS == ["its body has more than 10 bytes"] * 2


async def test_the_deadline_begins_anew_with_each_part(clock: MockClock) -> None:
    """
    An upload may take longer than answer_seconds, as long as it goes on.
    """

    class Upload(HttpConsumer):
        answer_seconds = 5

        async def chunk(self, data: bytes, last: bool) -> None:
            if last:
                self.respond(text="thanks")

    async with (
        requested(upload=Upload) as server,
        server.request("POST", "/upload", body=None) as request,
    ):
        for _ in range(10):
            request.send_part(b"x")
            await trio.sleep(4)
        request.send_part(b"", last=True)
        assert await request.begun() == 200
        async with server.request("POST", "/upload", body=None) as silent:
            assert await silent.begun(timeout=10) == 504
