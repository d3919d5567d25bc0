# The registry as actors use it: names that stand through restarts and end with the slot.

from typing import Any

import pytest
import trio
from helpers import happened, running, settle

from greenroom.actors import (
    Actor,
    ActorRef,
    AlreadyRegistered,
    NotRegistered,
    Stale,
    TooManyKeys,
    handles,
)
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import Options, Registration


class First(Actor):
    """Does what it is given, on trio."""

    restart = "transient"

    @handles("do")
    async def on_do(self, message):
        return message["what"](self)


class Second(First):
    """Does it in a worker thread."""

    max_keys = 2

    @handles("do")
    def on_do(self, message):
        return message["what"](self)


def find(server: ServerDriver, actor: type[Actor]) -> ActorRef:
    return server.root.find(f"/residents/{actor.__name__.lower()}")


async def do(server: ServerDriver, actor: type[Actor], what: Any) -> Any:
    return await find(server, actor).call({"type": "do", "what": what}, timeout=60)


@pytest.fixture(params=[First, Second])
def actor(request: pytest.FixtureRequest) -> type[Actor]:
    return request.param


async def test_a_name_leads_to_its_owner(actor: type[Actor]) -> None:
    """
    Once register() has returned everybody finds the actor by its name, until it gives it back.
    """

    def take(self: Actor) -> None:
        self.register("name", 1)
        assert self.whereis("name") == self.ref
        assert self.whereis("nobody") is None

    async with running(First, Second) as server:
        await do(server, actor, take)
        assert server.root.registry.lookup("name") == Registration("name", find(server, actor), 1)
        await do(server, actor, lambda self: self.unregister("name"))
        assert server.root.registry.find("name") is None


async def test_a_taken_name_is_refused() -> None:
    """
    Who comes second is told who has the name, and may not touch its value.
    """

    def lose(self: Actor) -> None:
        with pytest.raises(AlreadyRegistered) as refused:
            self.register("name")
        assert (refused.value.key, refused.value.owner) == ("name", "/residents/first")
        with pytest.raises(NotRegistered):
            self.update_registration("name", lambda value: 3)

    async with running(First, Second) as server:
        await do(server, First, lambda self: self.register("name", 1))
        await do(server, Second, lose)
        assert (
            await do(
                server,
                First,
                lambda self: self.update_registration("name", lambda value: value + 1),
            )
            == 2
        )
        assert (server.root.registry.lookup("name") or 0).value == 2  # type: ignore[union-attr]


async def test_names_stand_through_a_restart_and_end_with_the_slot(actor: type[Actor]) -> None:
    """
    A crash leaves the keys as they were; the end frees all of them, and nobody else's.
    """

    def take(self: Actor) -> None:
        self.register("name")
        self.enlist("service")

    async with running(First, Second, options=Options(backoff_min_seconds=0)) as server:
        ref, registry = find(server, actor), server.root.registry
        other = Second if actor is First else First
        await do(server, actor, take)
        await do(server, other, lambda self: self.enlist("service"))
        ref.cast({"type": "do", "what": lambda self: 1 / 0})
        await settle(lambda: happened(server, "slot.restarted", ref.path))
        assert registry.find("name") == ref
        assert [each.ref for each in registry.members("service")] == [ref, find(server, other)]
        assert server.root.snapshot().find(ref.path).names == ("name", "service")  # type: ignore[union-attr]
        assert "names name, service" in server.root.render()

        ref.stop()
        await ref.wait_ended(60)
        assert registry.find("name") is None
        assert [each.ref for each in registry.members("service")] == [find(server, other)]


async def test_an_actor_holds_so_many_keys_at_most() -> None:
    """
    max_keys of the class bounds unique and shared keys together.
    """

    def fill(self: Actor) -> None:
        self.register("one")
        self.enlist("two")
        with pytest.raises(TooManyKeys, match=r"may hold 2 keys.*max_keys in its class"):
            self.enlist("two")
        self.delist("two")
        self.register("three")

    async with running(Second) as server:
        await do(server, Second, fill)
        assert server.root.registry.names() == {"one": "/residents/second"} | {
            "three": "/residents/second"
        }


async def test_what_is_past_takes_no_name() -> None:
    """
    An incarnation that is over gets Stale, and its slot holds what it held.
    """
    async with running(First, options=Options(backoff_min_seconds=0)) as server:
        [old] = [await do(server, First, lambda self: self)]
        find(server, First).cast({"type": "do", "what": lambda self: 1 / 0})
        await settle(lambda: happened(server, "slot.restarted"))
        for act in (old.register, old.enlist, old.unregister, old.delist):
            with pytest.raises(Stale):
                act("name")
        assert server.root.registry.names() == {}


async def test_a_late_name_does_not_outlive_its_slot() -> None:
    """
    A name taken in the very moment in which the slot ends is free again when the call returns.
    """
    async with running(First) as server:
        me = await do(server, First, lambda self: self)
        life, ref = me._life, find(server, First)
        ref.stop()
        await ref.wait_ended(60)
        life.over = False  # as it was when the thread asked whether it may
        me.register("name")
        me.enlist("service")
        registry = repr(server.root.registry)

    assert registry == "<Registry 0 names, 0 shared keys, 0 owners>"


async def test_a_listing_may_be_sent_to_an_actor() -> None:
    """
    A subscriber may hand each listing to an actor: it hears of the end of who was listed.
    """
    heard: list[list[str]] = []

    class Client(Actor):
        @handles("offers")
        async def on_offers(self, message):
            heard.append([each.ref.path for each in message["members"]])

    async with running(First, Client) as server:
        client, first = find(server, Client), find(server, First)
        server.root.registry.subscribe(
            "service", lambda members: client.cast({"type": "offers", "members": members})
        )
        await do(server, First, lambda self: self.enlist("service"))
        first.stop()
        with trio.fail_after(60):
            await settle(lambda: len(heard) == 3)

    assert heard == [[], ["/residents/first"], []]
