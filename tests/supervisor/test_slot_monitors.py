# Monitors of living actors: when Down comes, to whom, and when it does not.

import gc
import weakref
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch

from greenroom.actors import (
    Actor,
    ActorRef,
    Down,
    Monitor,
    Restarted,
    UndeclaredMessage,
    WebsocketConsumer,
    handles,
)
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import Options


class Target(Actor):
    """Ends, or crashes, as it is told."""

    restart = "transient"
    on_exceeded = "stop"
    max_restarts = 1

    @handles("crash")
    async def on_crash(self, message):
        raise message.get("error", ValueError("no room"))

    @handles("name")
    async def on_name(self, message):
        self.register("the name")
        self.join("the group")


class Other(Target):
    pass


class Watcher(Actor):
    """Monitors what it is given, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.monitors: list[Monitor] = []

    keep = ["heard"]

    @handles("do")
    async def on_do(self, message):
        return message["what"](self)

    @handles(Down, Restarted)
    async def on_news(self, message):
        self.heard.append(message)


class InThreads(Watcher):
    @handles("do")
    def on_do(self, message):
        return message["what"](self)

    @handles(Down, Restarted)
    def on_news(self, message):
        self.heard.append(message)


@pytest.fixture(params=[Watcher, InThreads])
def watcher(request: pytest.FixtureRequest) -> type[Watcher]:
    return request.param


def find(server: ServerDriver, actor: type[Actor]) -> ActorRef:
    return server.root.find(f"/residents/{actor.__name__.lower()}")


async def do(server: ServerDriver, actor: type[Actor], what: Any) -> Any:
    return await find(server, actor).call({"type": "do", "what": what}, timeout=60)


async def heard(server: ServerDriver, actor: type[Actor]) -> list[Any]:
    return await do(server, actor, lambda self: list(self.heard))


async def test_one_down(watcher: type[Watcher]) -> None:
    """
    A slot that ends in peace is told once, without an error; twice monitored is one monitor.
    """
    async with running(Target, watcher) as server:
        target = find(server, Target)

        assert await do(server, watcher, lambda self: self.monitor(target) is self.monitor(target))
        target.stop("enough")
        down = await target.wait_ended(60)
        assert await heard(server, watcher) == [down]

    assert down == Down(target, "/residents/target", "enough", "stopped", "")


async def test_one_down_of_the_dead(watcher: type[Watcher]) -> None:
    """
    Who has ended already is told through the mailbox, once; monitored anew, once more.
    """
    async with running(Target, watcher) as server:
        target = find(server, Target)
        target.stop("enough")
        await target.wait_ended(60)

        def monitor(self: Watcher) -> None:
            assert self.monitor(target) is self.monitor(target)
            assert self.heard == before

        for times in (0, 1):
            before = await heard(server, watcher)
            assert len(before) == times
            await do(server, watcher, monitor)
        assert [each.reason for each in await heard(server, watcher)] == ["enough"] * 2


async def test_a_failure_is_told_with_its_error() -> None:
    """
    The crash that spends the budget is told with its error; the one before it is not told.
    """
    async with running(Target, Watcher, options=Options(backoff_min_seconds=0)) as server:
        target = find(server, Target)
        await do(server, Watcher, lambda self: self.monitor(target))
        target.cast({"type": "crash"})
        await settle(lambda: happened(server, "slot.restarted"))
        assert await heard(server, Watcher) == []
        target.cast({"type": "crash"})
        await target.wait_ended(60)
        [down] = await heard(server, Watcher)

    assert (down.kind, down.error) == ("crashed", "ValueError: no room")


async def test_a_fatal_end_is_told_as_such() -> None:
    """
    SystemExit out of a handler ends the slot at once, and is told as fatal.
    """
    async with running(Target, Watcher) as server:
        target = find(server, Target)
        await do(server, Watcher, lambda self: self.monitor(target))
        target.cast({"type": "crash", "error": SystemExit("out")})
        await target.wait_ended(60)
        [down] = await heard(server, Watcher)

    assert (down.kind, down.error) == ("fatal", "SystemExit: out")


async def test_the_end_of_a_connection_is_an_end_in_peace() -> None:
    """
    A consumer whose peer leaves has stopped: no error.
    """

    class Chat(WebsocketConsumer):
        pass

    async with running(Watcher, chat=Chat) as server, server.websocket("/chat") as ws:
        ref = server.root.find(ws.slot.path)
        await do(server, Watcher, lambda self: self.monitor(ref))
        ws.disconnect(1001, "away")
        down = await ref.wait_ended(60)
        assert await heard(server, Watcher) == [down]

    assert (down.kind, down.error) == ("stopped", "")


async def test_restarts_are_told_to_who_asks() -> None:
    """
    With incarnations=True each new incarnation is told with the crash before it, then the end.
    """
    async with running(Target, Watcher, options=Options(backoff_min_seconds=0)) as server:
        target = find(server, Target)
        await do(server, Watcher, lambda self: self.monitor(target))
        await do(server, Watcher, lambda self: self.monitor(target, incarnations=True))
        target.cast({"type": "crash"})
        await settle(lambda: happened(server, "slot.restarted"))
        target.stop("enough")
        down = await target.wait_ended(60)

        assert await heard(server, Watcher) == [
            Restarted(target, "/residents/target", 2, "ValueError: no room"),
            down,
        ]


async def test_down_comes_last(watcher: type[Watcher]) -> None:
    """
    When Down is handled the groups are left, the name is free and the reference is dead.
    """
    found: list[Any] = []

    class Heir(watcher):
        async def on_news(self, message):
            found.append((message.ref.alive, self.whereis("the name")))
            self.register("the name")

        on_news = handles(Down, Restarted)(on_news)

    async with running(Target, Heir) as server:
        target = find(server, Target)
        target.cast({"type": "name"})
        await do(server, Heir, lambda self: self.monitor(target))
        await settle(lambda: server.root.registry.find("the name") == target)
        target.stop()
        await target.wait_ended(60)
        await heard(server, Heir)

        assert found == [(False, None)]
        assert server.root.registry.find("the name") == find(server, Heir)
        assert server.root.groups.names() == {}


async def test_withdrawn(watcher: type[Watcher]) -> None:
    """
    After demonitor() nothing comes: of one that lives on, nor a Down that waits already.
    """
    async with running(Target, Other, watcher) as server:
        target, other = find(server, Target), find(server, Other)
        other.stop()
        await other.wait_ended(60)

        def change_its_mind(self: Watcher) -> None:
            for ref in (target, other):
                monitor = self.monitor(ref)
                self.demonitor(monitor)
                self.demonitor(monitor)
                assert repr(monitor) == f"<Monitor of {ref.path} over>"

        await do(server, watcher, change_its_mind)
        target.stop()
        await target.wait_ended(60)
        assert await heard(server, watcher) == []
        assert happened(server, "work.stale") == []
        assert await do(server, watcher, lambda self: self.monitor(other).cancelled) is False
        assert len(await heard(server, watcher)) == 1


async def test_inert() -> None:
    """
    A crash ends the monitors of its incarnation; a Down that waits then is dropped, and noted.
    """
    async with running(Target, Watcher, options=Options(backoff_min_seconds=0)) as server:
        target, ref = find(server, Target), find(server, Watcher)

        def crash(self: Watcher) -> None:
            self.monitor(target)
            raise ValueError("crash")

        stale = watch(server, "work.stale", ref.path)
        target.stop()
        await target.wait_ended(60)
        ref.cast({"type": "do", "what": crash})
        assert (await stale.until()).facts["what"] == "monitor of an older epoch"
        assert await heard(server, Watcher) == []


async def test_bounded() -> None:
    """
    Downs do not count against the capacity; of many restarts that wait only the last is told.
    """

    held, holds = trio.Event(), trio.Event()

    class Small(Watcher):
        mailbox_capacity = 1

        @handles("hold")
        async def hold(self, message):
            holds.set()
            await held.wait()

    class Often(Target):
        max_restarts = None

    async with running(Often, Target, Small, options=Options(backoff_min_seconds=0)) as server:
        often, target, small = (find(server, each) for each in (Often, Target, Small))
        await do(server, Small, lambda self: self.monitor(often, incarnations=True))
        await do(server, Small, lambda self: self.monitor(target))
        small.cast({"type": "hold"})
        with trio.fail_after(60):
            await holds.wait()
        for epoch in range(2, 5):
            often.cast({"type": "crash"})
            await settle(lambda epoch=epoch: len(happened(server, "slot.restarted")) == epoch - 1)
        assert small.cast({"type": "do", "what": lambda self: None})
        target.stop()
        down = await target.wait_ended(60)
        assert not small.cast({"type": "do", "what": lambda self: None})  # full, and Down is in
        held.set()

        assert await heard(server, Small) == [
            Restarted(often, "/residents/often", 4, "ValueError: no room"),
            down,
        ]


async def test_a_handler_is_needed() -> None:
    """
    Who declares no handler for what would come is told at once which one to declare.
    """

    class Deaf(Actor):
        @handles("do")
        async def on_do(self, message):
            with pytest.raises(UndeclaredMessage, match=r"@handles\(Down\)"):
                self.monitor(message["ref"])
            return True

    class HearsDown(Actor):
        @handles("do")
        async def on_do(self, message):
            with pytest.raises(UndeclaredMessage, match=r"@handles\(Restarted\)"):
                self.monitor(message["ref"], incarnations=True)
            return True

        @handles(Down)
        async def on_down(self, down: Down):
            pass

    async with running(Target, Deaf, HearsDown) as server:
        for actor in (Deaf, HearsDown):
            assert await find(server, actor).call({"type": "do", "ref": find(server, Target)})


async def test_what_cannot_be_monitored_is_refused() -> None:
    """
    What is no reference, and the actor itself, are refused with what to write.
    """

    def wrong(self: Watcher) -> bool:
        with pytest.raises(TypeError, match=r"takes a reference.*Got: '/residents/target'"):
            self.monitor("/residents/target")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"can't monitor itself.*stopped\(reason\).*Got: <"):
            self.monitor(self.ref)
        return True

    async with running(Watcher) as server:
        assert await do(server, Watcher, wrong)


async def test_no_trace() -> None:
    """
    Once told, withdrawn, or ended with its incarnation, a monitor is in no table of either side.
    """
    async with running(Target, Other, Watcher, options=Options(backoff_min_seconds=0)) as server:
        target, other = find(server, Target), find(server, Other)
        monitors = server.root.monitors

        def begin(self: Watcher) -> weakref.ref[Monitor]:
            self.demonitor(self.monitor(target))
            self.monitor(other)
            return weakref.ref(self.monitor(target))

        kept = await do(server, Watcher, begin)
        assert repr(monitors) == "<Monitors 2 watched>"
        other.stop()
        await other.wait_ended(60)
        assert repr(monitors) == "<Monitors 1 watched>"
        find(server, Watcher).cast({"type": "do", "what": lambda self: 1 / 0})
        await settle(lambda: happened(server, "slot.restarted"))
        assert repr(monitors) == "<Monitors 0 watched>"
        gc.collect()
        assert kept() is None
