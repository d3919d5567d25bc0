# How tests fail: with the consumer's own error, or with what is waited for, and where.

import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trio
from helpers import Routes
from trio.testing import MockClock

from greenroom.actors import WebsocketConsumer, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import (
    HandshakeRefused,
    NothingCame,
    NotStopped,
    ServerDriver,
    SocketClosed,
    run_server,
    serve,
    virtual_clock,
)
from greenroom.supervisor import Options

GO = threading.Event()


class Frail(WebsocketConsumer):
    async def connect(self, message):
        if self.scope["query_string"] == b"no":
            raise LookupError("no such room")
        await self.accept()

    async def receive(self, text):
        if text == "hang":
            await trio.sleep_forever()
        if text == "boom":
            raise ValueError("boom")
        if text == "exit":
            raise SystemExit(3)
        await self.send(text=text)

    @handles("known")
    async def on_known(self, message):
        await self.send(text="known")


class Stuck(WebsocketConsumer):
    def receive(self, text):
        self.send(text="in it")
        GO.wait(60)


def application(**options: Any) -> Application:
    routes = Routes({"frail": Frail, "stuck": Stuck})
    return Application(router=routes, options=Options(backoff_jitter=0, **options))


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture
async def server() -> AsyncIterator[ServerDriver]:
    """Its crashes are no errors."""
    async with serve(application()) as server:
        yield server


@pytest.fixture(autouse=True)
def go_on() -> Iterator[None]:
    """No thread is left for the next test."""
    GO.clear()
    yield
    GO.set()


def frames_of(error: BaseException) -> list[str]:
    names, trace = [], error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return names


async def test_a_crash_comes_out_of_what_waits(clock: MockClock) -> None:
    """
    A consumer's error is raised by the receive() that waits, at once, down to the consumer's line.
    """
    with pytest.raises(ValueError, match="boom") as failed:
        async with serve(application(), crashes="raise") as server:
            async with server.websocket("/frail") as client:
                client.send_text("boom")
                await client.receive(timeout=1000)
    assert trio.current_time() < 1000
    assert frames_of(failed.value)[-1] == "receive"
    [note] = failed.value.__notes__
    assert note.startswith("raised in /connections/frail/1, which handled text frame of 4")


async def test_a_crash_that_nothing_waits_for_fails_the_test_at_its_end() -> None:
    """
    A test that looks at something else does not pass while a consumer crashes.
    """
    with pytest.raises(ValueError, match="boom"):
        async with serve(application(), crashes="raise") as server:
            async with server.websocket("/frail") as client:
                client.send_text("boom")


async def test_a_crash_is_told_beside_what_a_test_fails_with() -> None:
    """
    Where an assertion fails first, the crash that may be its cause is in a note.
    """
    with pytest.raises(AssertionError, match="mine") as failed:
        async with serve(application(), crashes="raise") as server:
            async with server.websocket("/frail") as client:
                client.send_text("boom")
                with trio.fail_after(10):
                    while not server.journal.failures:
                        await trio.lowlevel.checkpoint()
                raise AssertionError("mine")
    [note] = failed.value.__notes__
    assert note.startswith("The test did not ask for this crash either:")
    assert "ValueError: boom" in note


async def test_a_fatal_crash_is_an_error_of_the_test_alone() -> None:
    """
    SystemExit in a handler fails the test and does not end the whole run.
    """
    with pytest.raises(AssertionError, match=r"SystemExit\(3\) was raised in /connections/frail/1"):
        async with serve(application(), crashes="raise") as server:
            async with server.websocket("/frail") as client:
                client.send_text("exit")
                await client.receive()


async def test_crashes_that_are_asked_for(clock: MockClock) -> None:
    """
    crash(), wait_crash() and allow_crashes() take theirs; each wait_crash() takes one.
    """
    async with serve(application(), crashes="raise") as server:
        async with server.websocket("/frail") as client:
            client.crash(KeyError("x"))
            await client.wait_restarted()
            client.send_text("boom")
            error = await client.wait_crash(ValueError, match="bo+m")
            assert str(error) == "boom"
            with pytest.raises(NothingCame) as failed:
                await server.wait_crash(ValueError, path=client.slot.path, timeout=1)
            assert "a crash of /connections/frail/1 with ValueError did not come" in str(
                failed.value
            )
            server.allow_crashes(ValueError)
            client.send_text("boom")
            client.send_text("on")
            assert await client.receive_text() == "on"


async def test_wait_crash_says_what_crashed_instead(clock: MockClock) -> None:
    """
    A crash with something else is named, and still the test's error at its end.
    """
    with pytest.raises(ValueError, match="boom"):
        async with serve(application(), crashes="raise") as server:
            async with server.websocket("/frail") as client:
                client.send_text("boom")
                with pytest.raises(
                    NothingCame, match=r"Other crashes: ValueError\('boom'\) in /conn"
                ):
                    await client.wait_crash(KeyError, timeout=1)


async def test_a_hang_names_the_handler(server: ServerDriver, clock: MockClock) -> None:
    """
    A receive() in vain says what came before, which handler runs, and in which line it waits.
    """
    async with server.websocket("/frail") as client:
        client.send_text("one")
        await client.receive()
        client.send_text("hang")
        with pytest.raises(NothingCame) as failed:
            await client.receive(timeout=9)
        first, second, third = str(failed.value).splitlines()
        client.crash()
    assert first == "a message did not come within 9 s."
    assert second == "Received before: 'one'."
    assert third.startswith("/connections/frail/1 (Frail) handles text frame of 4; it waits at ")
    assert third.endswith("in receive")
    assert __file__ in third


async def test_a_hang_in_a_thread_names_the_line(server: ServerDriver) -> None:
    """
    Of a `def` handler the line is told in which its thread waits.
    """
    async with server.websocket("/stuck") as client:
        client.send_text("go")
        assert await client.receive() == "in it"
        with pytest.raises(NothingCame) as failed:
            await client.receive(timeout=0.01)
        GO.set()
    assert f"it waits at {__file__}:" in str(failed.value)
    assert "in receive, in thread consumers-" in str(failed.value)


async def test_a_request_that_hangs_is_named(clock: MockClock) -> None:
    """
    So is the line of the application in which it waits.
    """

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep_forever()

    async with serve(Application(http=late)) as server:
        with pytest.raises(NothingCame) as failed:
            await server.http("GET", "/late")
    named = r"http/1 answers GET /late; it waits at .*test_failures.py:\d+ in late$"
    assert re.search(named, str(failed.value))


async def test_nothing_runs(server: ServerDriver, clock: MockClock) -> None:
    """
    Where no handler runs that is said, and a crash before is the cause.
    """
    async with server.websocket("/frail") as client:
        client.send_text("boom")
        with pytest.raises(NothingCame, match="No handler runs") as failed:
            await client.receive(timeout=9)
    assert isinstance(failed.value.__cause__, ValueError)


async def test_the_cause_of_a_refusal_and_of_a_close(server: ServerDriver) -> None:
    """
    A handshake refused, and a socket closed, because of a crash are raised from that.
    """
    with pytest.raises(HandshakeRefused) as refused:
        async with server.websocket("/frail?no"):
            pass
    assert (refused.value.status, repr(refused.value.__cause__)) == (
        500,
        "LookupError('no such room')",
    )
    async with server.websocket("/frail") as client:
        for _ in range(4):
            client.send_text("boom")
        with pytest.raises(SocketClosed) as closed:
            await client.receive()
    assert closed.value.code == 1011
    assert isinstance(closed.value.__cause__, ValueError)


@pytest.mark.parametrize("messages", [[], ["boom"] * 4])
async def test_a_crash_comes_before_what_it_leads_to(messages: list[str]) -> None:
    """
    Where crashes are errors, the refusal or the close that one leads to is not told instead.
    """
    with pytest.raises((LookupError, ValueError), match="no such room|boom"):
        async with serve(application(), crashes="raise") as server:
            async with server.websocket("/frail" if messages else "/frail?no") as client:
                for text in messages:
                    client.send_text(text)
                await client.closed()


async def test_the_cause_is_that_of_this_socket(server: ServerDriver, clock: MockClock) -> None:
    """
    What was asked for, and what another socket's consumer raised, is no cause.
    """
    async with server.websocket("/frail") as other, server.websocket("/frail") as client:
        other.send_text("boom")
        await server.wait_event("slot.crashed")
        for _ in range(4):
            client.crash(KeyError("asked for"))
            await server.sleep(1)
        with pytest.raises(SocketClosed) as closed:
            await client.receive()
    assert closed.value.code == 1011
    assert closed.value.__cause__ is None


async def test_what_is_left_behind() -> None:
    """
    A thread that works on when the server has stopped fails the test, and is named.
    """
    options = {"shutdown_seconds": 0.05, "total_shutdown_seconds": 0.2}
    with pytest.raises(NotStopped) as failed:
        async with serve(application(**options), crashes="raise") as server:
            client = server.dial("/stuck")
            await client.handshake()
            client.send_text("go")
            await client.receive()
            client.disconnect()
    assert "/connections/stuck/1#1 receive" in str(failed.value)
    assert re.search(r"in a thread of consumers; it waits at .* in receive", str(failed.value))
    assert "No handler runs" not in str(failed.value)


async def test_events_and_dead_letters(server: ServerDriver, clock: MockClock) -> None:
    """
    They can be waited for and asserted; what fails lists those that were.
    """
    async with server.websocket("/frail") as client:
        server.assert_no_dead_letters()
        server.assert_no_event("slot.crashed")
        opened = await server.wait_event("connection.opened", path=client.slot.path)
        assert server.assert_event("connection.opened") == opened
        server.root.find(client.slot.path).cast({"type": "unknown"})
        letter = await server.wait_dead_letter("unknown")
        assert letter.target_path == client.slot.path
        with pytest.raises(
            AssertionError, match="messages reached nobody:\n  .*unknown.* to /conn"
        ):
            server.assert_no_dead_letters()
        with pytest.raises(AssertionError, match="event slot.crashed of /x has not happened. The"):
            server.assert_event("slot.crashed", path="/x")
        with pytest.raises(AssertionError, match="these events happened:\n  connection.opened /c"):
            server.assert_no_event("connection.opened")
        with pytest.raises(NothingCame, match="2 times event slot.crashed with x=1 did not come"):
            await server.wait_event("slot.crashed", count=2, timeout=1, x=1)
        with pytest.raises(NothingCame, match=r"Dead letters:\n  .*unknown"):
            await server.wait_dead_letter("known", timeout=1)
    await server.wait_closed()


async def test_an_event_that_never_happens(server: ServerDriver) -> None:
    """
    A kind that is none is refused: nobody would wait for it with success, or ever miss it.
    """
    with pytest.raises(ValueError, match=r"Write 'slot.crashed'. Got: 'slot.chrashed'"):
        await server.wait_event("slot.chrashed")
    with pytest.raises(ValueError, match="Got: 'nonsense'"):
        server.assert_no_event("nonsense")


async def test_an_actor_that_is_not_there(server: ServerDriver) -> None:
    """
    Asked to crash nobody the driver lists who there is.
    """
    with pytest.raises(LookupError, match="no actor is at '/residents/x'. There are: none"):
        server.crash("/residents/x")


async def test_a_peer_that_does_not_read(clock: MockClock) -> None:
    """
    Past what a socket takes the sender waits, and goes on when the peer reads again.
    """
    sent: list[int] = []

    class Much(WebsocketConsumer):
        async def receive(self, text):
            for number in range(100):
                await self.send(bytes=bytes(16384))
                sent.append(number)

    app = Application(router=Routes({"much": Much}), options=Options(output_high_water_bytes=16384))
    async with serve(app, crashes="raise") as server, server.websocket("/much") as client:
        client.pause_reading()
        client.send_text("go")
        await server.sleep(1)
        assert 3 < len(sent) < 20
        client.resume_reading()
        for _ in range(100):
            await client.receive()
        await client.receive_nothing()
    assert len(sent) == 100


def test_a_call_that_never_returns_has_an_end() -> None:
    """
    Past its patience a blocking call says where the tasks of the loop wait.
    """
    with run_server(application()) as server:
        server._portal.patience = 0.2
        with pytest.raises(NothingCame, match=r"(?s)sleep did not return within 0.2 s.*sleep"):
            server.sleep(3600)
        server._portal.patience = 60
