# Presence as actors use it: it stands through restarts and ends with the slot.

from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorRef,
    Presence,
    PresenceDiff,
    Stale,
    TooManyPresences,
    UndeclaredMessage,
    handles,
)
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import Options

OPTIONS = Options(backoff_min_seconds=0)


class First(Actor):
    """Does what it is given, on trio; keeps what it is told over its incarnations."""

    restart = "transient"
    keep = ["told"]

    def __init__(self) -> None:
        self.told: list[Any] = []

    @handles("do")
    async def on_do(self, message):
        return message["what"](self)

    @handles(PresenceDiff)
    async def on_presence(self, diff):
        self.told.append((list(diff.joined), list(diff.left), list(diff.changed)))


class Second(First):
    """Does it in a worker thread."""

    max_presences = 2

    @handles("do")
    def on_do(self, message):
        return message["what"](self)

    @handles(PresenceDiff)
    def on_presence(self, diff):
        self.told.append((list(diff.joined), list(diff.left), list(diff.changed)))


class Deaf(Actor):
    """Has no handler for what watching brings."""

    @handles("do")
    async def on_do(self, message):
        return message["what"](self)


def find(server: ServerDriver, actor: type[Actor]) -> ActorRef:
    return server.root.find(f"/residents/{actor.__name__.lower()}")


async def do(server: ServerDriver, actor: type[Actor], what: Any) -> Any:
    return await find(server, actor).call({"type": "do", "what": what}, timeout=60)


async def told(server: ServerDriver, actor: type[Actor], count: int) -> list[Any]:
    """What *actor* was told, once it is *count* messages."""
    found: list[Any] = []
    with trio.fail_after(60):
        while len(found) < count:
            found = await do(server, actor, lambda self: self.told)
    return found


@pytest.fixture(params=[First, Second])
def actor(request: pytest.FixtureRequest) -> type[Actor]:
    return request.param


async def test_who_is_there(actor: type[Actor]) -> None:
    """
    An actor is listed once it has said that it is there, in its words, until it says no more.
    """

    def come(self: Actor) -> list[Presence]:
        self.presence_track("room", "ann", {"name": "Ann"})
        self.presence_track("hall", "ann")
        self.presence_update("room", "ann", {"name": "A."})
        return [each for [each] in self.presence_list("room").values()]

    async with running(First, Second) as server:
        [presence] = await do(server, actor, come)
        assert (presence.key, presence.meta) == ("ann", {"name": "A."})
        assert presence.path == find(server, actor).path
        assert server.root.presences.listed("room") == {"ann": (presence,)}
        await do(server, actor, lambda self: self.presence_untrack("room"))
        assert server.root.presences.listed("room") == {}
        assert list(server.root.presences.listed("hall")) == ["ann"]


async def test_who_watches_is_told(actor: type[Actor]) -> None:
    """
    Who watches has a diff for each change from then on, until he watches no more.
    """
    async with running(First, Second) as server:
        other = Second if actor is First else First
        await do(server, other, lambda self: self.presence_track("room", "ann"))
        watch = await do(server, actor, lambda self: self.presence_watch("room"))
        assert list(watch) == ["ann"]
        await do(server, other, lambda self: self.presence_untrack("room", "ann"))
        assert (await told(server, actor, 1))[-1] == ([], ["ann"], [])
        await do(server, actor, lambda self: self.presence_unwatch("room"))
        assert server.root.presences.tally("room") in (None, (0, 0, 0))


async def test_the_slots(actor: type[Actor]) -> None:
    """
    A crash leaves who is present, and who watches, as they were, and nobody is told of anything.
    """

    def come(self: Actor) -> None:
        self.presence_track("room", "ann")
        self.presence_watch("hall")

    async with running(First, Second, options=OPTIONS) as server:
        ref, presences = find(server, actor), server.root.presences
        other = Second if actor is First else First
        await do(server, actor, come)
        await do(server, other, lambda self: self.presence_watch("room"))
        before = presences.listed("room")
        ref.cast({"type": "do", "what": lambda self: 1 / 0})
        await settle(lambda: happened(server, "slot.restarted", ref.path))
        assert presences.listed("room") == before
        await do(server, actor, come)  # as the next incarnation may
        assert presences.listed("room") == before

        await do(server, other, lambda self: self.presence_track("hall", "bob"))
        assert await told(server, actor, 2) == [([], [], []), (["bob"], [], [])]
        assert [each for each in await told(server, other, 0) if each[1]] == []


async def test_the_end_of_the_slot(autojump_clock: MockClock) -> None:
    """
    The end of a slot ends what it watches at once, and what it is present as after the grace.
    """

    def come(self: Actor) -> None:
        self.presence_track("room", "ann")
        self.presence_watch("hall")

    async with running(First, options=Options(presence_grace_seconds=7)) as server:
        ref, presences = find(server, First), server.root.presences
        await do(server, First, come)
        ref.stop()
        await ref.wait_ended(60)
        assert presences.count == 0
        assert (presences.tally("hall") or (0, 0, 0))[2] == 0
        await trio.sleep(6)
        assert list(presences.listed("room")) == ["ann"]
        await trio.sleep(2)
        assert presences.listed("room") == {}


async def test_limits_and_hints() -> None:
    """
    One presence too many, a watch without a handler and an incarnation that is over are refused.
    """

    def come(self: Actor) -> Actor:
        self.presence_track("room", "ann")
        self.presence_track("room", "bob")
        with pytest.raises(TooManyPresences, match=r"may be present 2 times.*max_presences"):
            self.presence_track("room", "cem")
        return self

    def listen(self: Actor) -> None:
        with pytest.raises(UndeclaredMessage, match="PresenceDiff"):
            self.presence_watch("room")

    async with running(Second, Deaf, options=OPTIONS) as server:
        past = await do(server, Second, come)
        await do(server, Deaf, listen)
        assert (server.root.presences.tally("room") or (0, 0, 0))[2] == 0
        find(server, Second).cast({"type": "do", "what": lambda self: 1 / 0})
        await settle(lambda: happened(server, "slot.restarted"))
        for late in (
            lambda: past.presence_track("room", "dan"),
            lambda: past.presence_update("room", "ann"),
            lambda: past.presence_untrack("room"),
            lambda: past.presence_list("room"),
            lambda: past.presence_watch("room"),
            lambda: past.presence_unwatch("room"),
        ):
            with pytest.raises(Stale):
                late()
