# HTTP requests as slots: temporary, nothing is run twice.

from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.bridges.asgi import Application
from greenroom.bridges.asgi._http import plain
from greenroom.bridges.testing import serve, virtual_clock
from greenroom.supervisor import NodeSnapshot


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def http(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    if path == "/early":
        raise ValueError("early")
    if path == "/exit":
        raise SystemExit(3)
    if path == "/mute":
        return
    if path == "/hang":
        await trio.sleep_forever()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    if path == "/late":
        raise ValueError("late")
    if path == "/stream":
        await trio.sleep_forever()
    await send({"type": "http.response.body", "body": b"two"})


async def test_a_request_is_a_slot_of_the_tree() -> None:
    """
    While it runs a request has a path, a snapshot and a reference; afterwards it is gone.
    """
    seen: list[NodeSnapshot] = []

    async def look(scope, receive, send):
        node = server.root.snapshot().find("/connections/http/1")
        assert node is not None
        seen.append(node)
        ref = server.root.find("/connections/http/1")
        assert ref.cast({"type": "x"}) is False
        await plain(send, 200, "ok\n")

    async with running(http=look) as server:
        answer = await server.http("GET", "/x")
        assert (answer.status, answer.body, answer.complete) == (200, b"ok\n", True)
        (node,) = seen
        assert (node.kind, node.state, node.epoch, node.mailbox) == ("slot", "running", 1, (0, 0))
        assert node.facts["request"] == "GET /x"
        assert server.root.snapshot().find("/connections/http/1") is None
        assert server.root.connections.open == 0
        (letter,) = happened(server, "message.dead_letter")
        assert letter.facts["reason"] == "an HTTP request handles no messages"


async def test_a_crash_before_the_headers_is_a_500() -> None:
    """
    What is raised before the headers is a 500 and a crash on record; nothing runs again.
    """
    async with running(http=http) as server:
        answer = await server.http("GET", "/early")

        assert (answer.status, answer.body) == (500, b"Server Error\n")
        (crashed,) = happened(server, "slot.crashed")
        assert crashed.facts["error"] == "ValueError: early"
        assert crashed.facts["message"] == "GET /early"


async def test_a_crash_after_the_headers_cuts_the_response() -> None:
    """
    After the headers the response stays unfinished, so that the server cuts the connection.
    """
    async with running(http=http) as server:
        answer = await server.http("GET", "/late")

        assert (answer.status, answer.body, answer.complete) == (200, b"one", False)
        assert len(happened(server, "slot.crashed")) == 1


async def test_an_application_that_answers_nothing_is_a_500() -> None:
    """
    Returning without an answer is a 500 too.
    """
    async with running(http=http) as server:
        assert (await server.http("GET", "/mute")).status == 500


async def test_a_fatal_end_stays_in_its_request() -> None:
    """
    SystemExit in a request is a 500 and one slot.fatal event; the server goes on.
    """
    async with running(http=http) as server:
        assert (await server.http("GET", "/exit")).status == 500
        (fatal,) = happened(server, "slot.fatal")
        assert fatal.path == "/connections/http/1"
        assert (await server.http("GET", "/")).body == b"onetwo"


@pytest.mark.parametrize(("path", "status"), [("/hang", 503), ("/stream", 200)])
async def test_shutdown_ends_requests(path: str, status: int, clock: MockClock) -> None:
    """
    At shutdown a request has shutdown_seconds; then 503, or a cut where it has begun.
    """
    answers: list[Any] = []

    async def ask() -> None:
        answers.append(await server.http("GET", path))

    async with running(http=http) as server:
        server.start_soon(ask)
        await settle(lambda: server.root.connections.open == 1)
        began = trio.current_time()
        assert await server.root.drain()
        assert round(trio.current_time() - began) == 5
        await settle(lambda: answers)

        assert (await server.http("GET", "/")).status == 503
    (answer,) = answers
    assert (answer.status, answer.complete) == (status, status == 503)


async def test_a_servers_cancellation_goes_through() -> None:
    """
    A request cancelled by its server ends with that cancellation, and leaves the tree.
    """
    async with running(http=http) as server:
        with trio.move_on_after(0) as scope:
            await server.http("GET", "/hang")

        assert scope.cancelled_caught
        assert server.root.connections.open == 0
        assert happened(server, "slot.fatal") == []


async def test_an_answer_does_not_wait_for_an_unread_body() -> None:
    """
    An answer that is complete before a long body was read ends its request and its slot.
    """

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await wait_all_tasks_blocked()
        if scope["path"] == "/early":
            raise ValueError("before the body was read")
        await plain(send, 413, "too much\n")

    async with running(http=refuse) as server:
        for path, status in (("/early", 500), ("/", 413)):
            answer = await server.http("POST", path, body=b"x" * 2**20)

            assert (answer.status, answer.complete) == (status, True)
        assert server.root.connections.open == 0


@pytest.mark.parametrize("feeds", [True, False])
async def test_a_cut_answer_leaves_room_for_the_requests_end(feeds: bool, clock: MockClock) -> None:
    """
    Where the answer was cut the body is read on, but not for longer than close_seconds.
    """
    into, queue = trio.open_memory_channel[Any](10)
    part = {"type": "http.request", "body": b"x", "more_body": True}

    async def upload() -> None:
        for number in range(30):
            await into.send(part if feeds or number < 20 else await trio.sleep_forever())
        await into.send(part | {"more_body": False})

    async def sink(event: Any) -> None:
        await trio.sleep(0)

    application = Application(http=http)
    async with serve(application) as server, trio.open_nursery() as nursery:
        nursery.start_soon(upload)
        await wait_all_tasks_blocked()
        began = trio.current_time()
        scope = {"type": "http", "method": "POST", "path": "/late", "state": server.state}
        await application(scope, queue.receive, sink)

        assert trio.current_time() - began == (0 if feeds else 5)
        into.send_nowait({"type": "http.disconnect"})
        nursery.cancel_scope.cancel()


async def test_a_client_that_left_gets_no_500() -> None:
    """
    An application that answers nothing because the client has left is let alone.
    """
    sent: list[Any] = []

    async def read(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def receive() -> Any:
        await trio.sleep(0)
        return {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    application = Application(http=read)
    async with serve(application) as server:
        scope = {"type": "http", "method": "POST", "path": "/", "state": server.state}
        await application(scope, receive, send)

    assert sent == []
