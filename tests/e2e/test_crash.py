# The promise: a consumer that raises is restarted while its socket stays open, and nobody
# else notices. Seen from outside, on real sockets of the real server.

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
from e2e._rude import Ended, RudeClient, text
from e2e._server import Server, ask, close_code, dial, in_thread

KINDS = ["def", "async", "mixed"]
CLASSES = {"def": "DefCrasher", "async": "AsyncCrasher", "mixed": "MixedCrasher"}


pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for the whole file: all these crashes happen to one process."""
    with Server("crashers:application") as server:
        pid = server.worker_pid()
        yield server
        assert server.worker_pid() == pid


# -- one socket ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_poison_between_two_messages(server: Server, kind: str) -> None:
    """
    m1, a message that raises and m3 in one segment: m1's and m3's answers on one connection.
    """
    before = server.count(f"{CLASSES[kind]} boom")
    async with RudeClient(server, f"/{kind}") as client:
        assert await client.handshake() == 101
        await client.send(text("m1", "boom", "m3"))
        replies = [await client.text() for _ in range(3)]
        slot = await in_thread(server.slot, kind)

    (first, epoch, one), (third, next_epoch, two) = json.loads(replies[0]), json.loads(replies[2])
    assert (first, epoch, third, next_epoch) == ("m1", 1, "m3", 2)
    assert one != two, "the next incarnation is a new object"
    assert replies[1] == "last words", "what was sent before it raised is delivered"
    # These three text frames and nothing else: no close frame, no second connection.
    assert client.received == b"".join(bytes([0x81, len(each)]) + each.encode() for each in replies)
    assert server.count(f"{CLASSES[kind]} boom") == before + 1, "the bad message ran once"
    assert slot["epoch"] == 2
    (crash,) = slot["crashes"]
    assert (crash["exception"], crash["text"], crash["epoch"]) == ("Boom", "by a frame", 1)
    assert 'raise Boom("by a frame")' in crash["traceback"]
    assert crash["message"] == "text frame of 4"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["group", "timer", "task"])
async def test_crash_elsewhere(server: Server, kind: str, where: str) -> None:
    """
    A crash in a group message, a timer or a background task: new object, same open socket.
    """
    async with dial(server, f"/{kind}") as socket:
        _, epoch, one = json.loads(await ask(socket, "m1"))
        assert epoch == 1
        await socket.send_message(where)
        slot = await in_thread(
            server.until, "epoch 2", lambda: (s := server.slot(kind))["epoch"] == 2 and s
        )
        answer, epoch, two = json.loads(await ask(socket, "m3"))
        assert (answer, epoch) == ("m3", 2)
        assert one != two
        assert socket.closed is None

    (crash,) = slot["crashes"]
    assert crash["exception"] == "Boom"
    assert "raise Boom(" in crash["traceback"]
    assert slot["groups"] == ([slot["path"]] if where == "group" else [])


@pytest.mark.parametrize("kind", KINDS)
async def test_tasks_end_with_their_incarnation(server: Server, kind: str) -> None:
    """
    After a crash trio's task tree holds the new incarnation's task, and not the old one's.
    """
    async with dial(server, f"/{kind}") as socket:
        path = await ask(socket, "where")
        assert await _lingering(server, path) == [f"{path}#1 Crasher.linger"]
        assert await ask(socket, "boom") == "last words"
        assert json.loads(await ask(socket, "m3"))[1] == 2
        assert await _lingering(server, path) == [f"{path}#2 Crasher.linger"]

    await in_thread(server.until, "no task left", lambda: not _of(server.facts()["tasks"], path))


async def _lingering(server: Server, path: str) -> list[str]:
    tasks = (await in_thread(server.facts))["tasks"]
    return [task for task in _of(tasks, path) if "linger" in task]


def _of(tasks: list[str], path: str) -> list[str]:
    return [task for task in tasks if task.startswith((f"{path}#", f"{path} "))]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reference_outlives_the_crash(server: Server, kind: str) -> None:
    """
    Another actor's reference, taken before the crash, delivers its casts after it, in order.
    """
    async with dial(server, f"/{kind}") as socket, dial(server, "/caster") as caster:
        path = await ask(socket, "where")
        assert await ask(caster, path) == "done"
        await socket.send_message("boom")
        assert await ask(caster, "a b c d") == "done"
        assert await socket.get_message() == "last words"
        assert await ask(caster, "e f") == "done"
        answers = [json.loads(await socket.get_message()) for _ in range(6)]

    assert [name for name, _, _ in answers] == list("abcdef")
    assert {epoch for _, epoch, _ in answers if epoch > 1} == {2}


async def test_a_late_thread_reaches_nobody(server: Server) -> None:
    """
    A thread that the crash outlived sends late: nothing arrives, and it is counted.
    """
    async with dial(server, "/late") as socket:
        assert await ask(socket, "m1") == "m1 1"
        before = (await in_thread(server.facts))["events"]
        await socket.send_message("block")
        assert await ask(socket, "m3") == "m3 2"
        assert await in_thread(server.get, "/stale") == (204, b"")
        facts = await in_thread(
            server.until,
            "the late send is refused",
            lambda: (f := server.facts())["counts"].get("late Stale") and f,
        )
        assert await ask(socket, "m4") == "m4 2", "the late frame would have come first"

    assert facts["events"]["work.stale"] == before.get("work.stale", 0) + 1
    assert facts["events"]["thread.abandoned"] == before.get("thread.abandoned", 0) + 1


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_or_done_twice(server: Server, seed: int) -> None:
    """
    60 sockets, 60 messages each, 3 crashes anywhere: one answer to each, in order, epochs right.
    """
    chance = random.Random(seed)

    async def converse(kind: str, plan: list[str], cuts: list[int]) -> None:
        async with RudeClient(server, f"/{kind}") as client, trio.open_nursery() as nursery:
            await open_up(client)

            async def send_in_pieces() -> None:
                for begin, end in itertools.pairwise(cuts):
                    await client.send(text(*plan[begin:end]))
                    await trio.sleep(0)

            nursery.start_soon(send_in_pieces)
            epoch = 1
            for message in plan:
                answer = await client.text()
                if message == "boom":
                    assert answer == "last words"
                    epoch += 1
                else:
                    assert json.loads(answer)[:2] == [message, epoch]

    async with trio.open_nursery() as nursery:
        for _ in range(60):
            plan = [f"m{nth}" for nth in range(60)]
            for _ in range(3):
                plan.insert(chance.randrange(len(plan) + 1), "boom")
            cuts = [0, *sorted(chance.sample(range(1, len(plan)), 6)), len(plan)]
            nursery.start_soon(converse, chance.choice(KINDS), plan, cuts)


# -- the budget, and the others -------------------------------------------------------------


async def test_budget_is_the_sockets_own(server: Server) -> None:
    """
    Four crashes close their socket with 1011; 200 others answer before, during and after.
    """
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(RudeClient(server, "/echo")) for _ in range(200)]
        await at_once(crowd, open_up)
        await at_once(crowd, echo, "before")
        async with dial(server, "/async") as socket, trio.open_nursery() as nursery:
            nursery.start_soon(at_once, crowd, echo, "during")
            path = await ask(socket, "where")
            for _ in range(4):
                await socket.send_message("boom")
            assert await close_code(socket) == 1011
        await at_once(crowd, echo, "after")
        assert len(await in_thread(server.slots, "echo")) == 200

    words = [word.encode() for word in ("before", "during", "after")]
    answers = b"".join(bytes([0x81, len(word)]) + word for word in words)
    assert {client.received for client in crowd} == {answers}
    await in_thread(server.until, "the crowd has left", lambda: not server.slots("echo"))
    await in_thread(server.wait_for_line, re.escape(f"slot.gave_up: {path}"))


async def at_once(crowd: list[RudeClient], act: Callable[..., Any], *args: str) -> None:
    """Have every client of *crowd* do *act* at the same time."""
    async with trio.open_nursery() as nursery:
        for client in crowd:
            nursery.start_soon(act, client, *args)


async def open_up(client: RudeClient) -> None:
    """Make a WebSocket of it."""
    assert await client.handshake() == 101


async def echo(client: RudeClient, word: str) -> None:
    """Have *word* echoed."""
    await client.send(text(word))
    assert await client.text() == word


async def test_blocked_threads_delay_no_async_handler(server: Server) -> None:
    """
    `def` handlers block in 20 sockets; 100 echoes on a 21st arrive before the first returns.
    """
    async with trio.open_nursery() as nursery:
        done = trio.Event()
        blocked: list[RudeClient] = []

        async def block() -> None:
            async with RudeClient(server, "/blocker") as client:
                assert await client.handshake() == 101
                await client.send(text("block"))
                blocked.append(client)
                assert await client.text() == "unblocked"
                assert done.is_set()

        for _ in range(20):
            nursery.start_soon(block)
        facts = await in_thread(
            server.until,
            "every thread is taken, the other calls queue visibly",
            lambda: (
                (f := server.tree()["facts"]["threads"]["consumers"])["running"] == f["size"]
                and f["running"] + f["queued"] == 20
                and f
            ),
        )
        assert facts["size"] == 8
        async with dial(server, "/echo") as socket:
            for count in range(100):
                assert await ask(socket, f"echo {count}") == f"echo {count}"
        assert all(not client.received for client in blocked)
        done.set()
        assert await in_thread(server.get, "/open") == (200, b'"open"')


@pytest.mark.parametrize("how", ["keyboard", "exit", "group", "cancelled", "task", "thread"])
async def test_fatal_ends_its_socket_alone(server: Server, how: str) -> None:
    """
    KeyboardInterrupt, SystemExit, a foreign Cancelled: 1011 for that socket, no restart.
    """
    pid = await in_thread(server.worker_pid)
    mark = server.mark()
    before = server.count("fatal disconnect")
    async with dial(server, "/echo") as neighbour, dial(server, "/fatal") as socket:
        assert await ask(neighbour, "before") == "before"
        await socket.send_message(how)
        assert await close_code(socket) == 1011
        assert await ask(neighbour, "after") == "after"

    assert await in_thread(server.worker_pid) == pid
    await in_thread(server.until_count, "fatal disconnect", before + 1)
    assert await in_thread(server.wait_for_line, "slot.fatal: /connections/fatal/", mark)


@pytest.mark.parametrize("how", ["raise", "exit", "cancelled"])
async def test_disconnect_raises(server: Server, how: str) -> None:
    """
    disconnect() that raises is reported and not run again; the neighbours notice nothing.
    """
    pid = await in_thread(server.worker_pid)
    mark = server.mark()
    before = server.count("leaver disconnect")
    async with dial(server, "/echo") as neighbour:
        async with dial(server, f"/leaver?{how}"):
            assert await ask(neighbour, "before") == "before"
        await in_thread(server.wait_for_line, "disconnect.failed|slot.fatal", mark)
        await in_thread(server.until, "the slot is gone", lambda: not server.slots("leaver"))
        assert await ask(neighbour, "after") == "after"

    assert server.count("leaver disconnect") == before + 1
    assert await in_thread(server.worker_pid) == pid


# -- opening and ending ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "status"),
    [("raise", 500), ("exit", 500), ("cancelled", 500), ("close", 403), ("neither", 403)],
)
async def test_refused(server: Server, how: str, status: int) -> None:
    """
    connect() that raises, whatever it is, is a 500; one that closes, or does nothing, a 403.
    """
    async with RudeClient(server, f"/refuser?{how}") as client:
        assert await client.handshake() == status
        assert not (await client.end()).reset
    await in_thread(server.until, "the slot is gone", lambda: not server.slots("refuser"))


async def test_connect_raises_after_accept(server: Server) -> None:
    """
    connect() that raises once it has accepted: its frames, then 1011, and no restart.
    """
    before = server.count("refuser disconnect")
    async with dial(server, "/refuser?accept") as socket:
        assert await socket.get_message() == "accepted"
        assert await close_code(socket) == 1011
    await in_thread(server.until_count, "refuser disconnect", before + 1)


async def test_unknown_path(server: Server) -> None:
    """
    A path without a consumer is a 404 with a sentence, and nothing in the log: scanners are many.
    """
    mark = server.mark()
    async with RudeClient(server, "/nowhere") as client:
        assert await client.handshake() == 404
        await client.end()
        assert client.received == b"No WebSocket here.\n"

    await in_thread(server.facts)  # what it had to say is said
    assert "connection." not in server.said(mark)
    assert "Traceback" not in server.said(mark)


# -- HTTP -----------------------------------------------------------------------------------


async def test_a_request_is_a_slot(server: Server) -> None:
    """
    A request that is being answered stands in the tree, and is gone when it was answered.
    """
    async with RudeClient(server, "/hold") as client:
        await client.send(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.answer() == 200
        held = [
            s for s in await in_thread(server.slots, "http") if "/hold" in s["facts"]["request"]
        ]
        assert [slot["facts"]["request"] for slot in held] == ["GET /hold"]
        await in_thread(server.get, "/release")
        await client.read_until(b"whole")
    await in_thread(
        server.until,
        "the slot is gone",
        lambda: held[0]["path"] not in [slot["path"] for slot in server.slots("http")],
    )


async def test_a_request_crashes(server: Server) -> None:
    """
    A crash before the headers is a 500, one after them cuts the connection; nothing runs twice.
    """
    mark = server.mark()
    assert await in_thread(server.get, "/early") == (500, b"Server Error\n")
    async with RudeClient(server, "/late") as client:
        await client.send(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.answer() == 200
        assert isinstance(await client.end(), Ended)
        assert client.received == b"half "
    assert (await in_thread(server.get, "/leave"))[0] == 500
    assert (server.count("early"), server.count("late")) == (1, 1)
    await in_thread(server.wait_for_line, "slot.fatal: /connections/http/", mark)
