# Who may be in trouble: nobody is missing, whoever has gone is not there, and how many is known.

import threading

import pytest
import trio
from helpers import running, settle, watch
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import ChildSpec, DynamicSpec, Options, SupervisorSpec
from greenroom.supervisor._look import Look


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Room(WebsocketConsumer):
    async def receive(self, text):
        raise ValueError


class Clerk(Actor):
    mailbox_capacity = 10

    @handles("boom")
    async def on_boom(self, message):
        raise ValueError

    @handles("nap")
    async def on_nap(self, message):
        await trio.sleep(3)

    @handles("work")
    async def on_work(self, message):
        pass


class Stubborn(Actor):
    shutdown_seconds = 1

    @handles("hang")
    async def on_hang(self, message):
        with trio.CancelScope(shield=True):
            await trio.sleep(500)


def unwell(server: ServerDriver) -> dict[str, str]:
    """Return what is unwell, by looking at every place; check that the register has it all."""
    look = Look(server.root)
    found = {path: why for _, path in look.walk("/") if (why := look.unwell(path))}
    assert found.keys() <= set(server.root.trouble.paths())
    return found


def send(server: ServerDriver, path: str, kind: str, times: int = 1) -> None:
    for _ in range(times):
        server.root.find(path).cast({"type": kind})


async def test_none_missed(clock: MockClock) -> None:
    """
    NONE MISSED: a slot that backs off, was restarted, is parked, suspended, behind, or is stuck.
    """
    options = Options(backoff_min_seconds=10, park_seconds=100, max_restarts=1)
    async with running(Clerk, Stubborn, options=options) as server:
        clerk, stubborn = "/residents/clerk", "/residents/stubborn"
        assert unwell(server) == {}
        send(server, clerk, "boom")
        await trio.sleep(0.01)  # the first restart is at once
        assert unwell(server) == {clerk: "restarted"}
        await trio.sleep(6)
        assert unwell(server) == {}
        send(server, clerk, "boom", 2)
        await trio.sleep(1)
        assert unwell(server) == {clerk: "parked"}
        server.root.wake(clerk)
        await trio.sleep(0.1)
        assert unwell(server) == {}
        server.root.suspensions.begin(clerk, 5)
        assert unwell(server) == {clerk: "suspended"}
        server.root.suspensions.end(clerk)
        await trio.sleep(0.1)
        send(server, clerk, "nap")
        await trio.sleep(0.1)
        send(server, clerk, "work", 9)
        assert unwell(server) == {clerk: "mailbox high"}
        await trio.sleep(10)
        assert unwell(server) == {}
        send(server, stubborn, "hang")
        await trio.sleep(0.1)
        with trio.move_on_after(60):
            await server.root.supervisor("/residents").stop_child("stubborn")
        assert unwell(server) == {stubborn: "unkillable"}
        await trio.sleep(600)
        assert unwell(server) == {}


async def test_none_missed_of_supervisors(clock: MockClock) -> None:
    """
    NONE MISSED: a group that waits for its restart, a supervisor that gave up, a child that ended.
    """
    group = SupervisorSpec(
        name="group",
        strategy="one_for_all",
        max_restarts=2,
        children=[ChildSpec(actor=Clerk, name="a"), ChildSpec(actor=Clerk, name="b")],
    )
    lost = ChildSpec(actor=Clerk, name="lost", max_restarts=0, on_exceeded="stop")
    options = Options(backoff_min_seconds=10)
    async with running(group, lost, options=options) as server:
        a, b = "/residents/group/a", "/residents/group/b"
        send(server, a, "boom")
        await trio.sleep(1)
        assert unwell(server) == {a: "restarted"}
        send(server, a, "boom")
        await trio.sleep(1)
        assert unwell(server) == {a: "waiting", b: "waiting"}
        await trio.sleep(30)
        send(server, a, "boom", 1)
        await trio.sleep(60)
        send(server, "/residents/lost", "boom")
        await trio.sleep(1)
        assert unwell(server)["/residents/lost"] == "crashed"
        assert server.root.readiness() == ["/residents/lost is not up"]
        await server.root.supervisor("/residents").delete_child("lost")
        assert "/residents/lost" not in server.root.trouble
        assert server.root.readiness() == []


async def test_none_missed_from_a_thread(clock: MockClock) -> None:
    """
    NONE MISSED: a mailbox that another thread fills is in trouble a turn of the loop later.
    """
    async with running(Clerk) as server:
        ref = server.root.find("/residents/clerk")
        ref.cast({"type": "nap"})
        await wait_all_tasks_blocked()  # it naps

        def fill() -> None:
            for _ in range(9):
                ref.cast({"type": "work"})

        thread = threading.Thread(target=fill)
        thread.start()
        thread.join()
        await settle(lambda: "/residents/clerk" in server.root.trouble)


async def test_bounded() -> None:
    """
    BOUNDED: with its end a connection, and a child that nobody keeps, is not there any more.
    """
    async with running(DynamicSpec(name="crew"), room=Room) as server:
        crew = server.root.supervisor("/residents/crew")
        for _ in range(3):
            async with server.websocket("/room") as one:
                one.send_text("boom")
                await one.wait_restarted(2)
                assert len(server.root.trouble) == 1
            path = await crew.add(Clerk)
            crashed = watch(server, "slot.restarted", path)
            send(server, path, "boom")
            await crashed.until()
            assert path in server.root.trouble
            await crew.stop_child(path.rpartition("/")[2])
        await settle(lambda: not server.root.connections.open)
        assert server.root.trouble.paths() == []
        assert server.root.trouble.restarted_since(0, 10) == []
        assert server.root.trouble.below("/") == 0


async def test_counted() -> None:
    """
    COUNTED: each place knows how many below it there are, of all levels.
    """
    group = SupervisorSpec(name="group", children=[Clerk])
    async with (
        running(group, room=Room) as server,
        server.websocket("/room") as one,
        server.websocket("/room") as two,
    ):
        below = server.root.trouble.below
        for each in (one, two):
            each.send_text("boom")
            await each.wait_restarted(2)
        restarted = watch(server, "slot.restarted", "/residents/group/clerk")
        send(server, "/residents/group/clerk", "boom")
        await restarted.until()
        counts = {path: below(path) for path in ("/", "/connections", "/connections/room")}
        assert counts == {"/": 3, "/connections": 2, "/connections/room": 2}
        assert below("/residents/group") == below("/residents") == 1
        server.root.trouble.let_go("/connections/room/1")
        assert (below("/"), below("/connections/room")) == (2, 1)


async def test_restarted_since(clock: MockClock) -> None:
    """
    Who has begun anew since a moment is known without looking, the last one first.
    """
    names = ["a", "b", "c"]
    residents = [ChildSpec(actor=Clerk, name=name) for name in names]
    async with running(*residents) as server:
        for name in names:
            send(server, f"/residents/{name}", "boom")
            await trio.sleep(10)
        since = server.root.trouble.restarted_since
        now = trio.current_time()
        assert since(now - 25, 10) == ["/residents/c", "/residents/b"]
        assert since(now - 25, 1) is None
        send(server, "/residents/a", "boom")
        await trio.sleep(0.1)
        assert since(now - 5, 10) == ["/residents/a"]
