# What of an actor's state survives a crash: by itself, and through a real restart.

import functools
import gc
import threading
import weakref
from types import SimpleNamespace

import pytest
from helpers import running, settle

from greenroom.actors import WebsocketConsumer
from greenroom.actors._state import Handed, Keeper
from greenroom.supervisor import Options


class Plain(WebsocketConsumer):
    pass


class Keeping(WebsocketConsumer):
    keep = ["name", "missing"]


class Snapping(WebsocketConsumer):
    def snapshot(self):
        return {"name": self.name}

    async def restored(self, state):
        self.name = state["name"].upper()


def test_a_plain_class_hands_on_what_its_opening_left() -> None:
    """
    Without a declaration the attributes after the opening survive, later changes do not.
    """
    handed = Handed()
    keeper, old = Keeper(Plain, handed), Plain()
    old.name = "Anonymous"
    keeper.opened(old)
    old.name = "Bob"
    old.extra = 1
    keeper.succeeded(old)

    new = Plain()
    assert Keeper(Plain, handed).fill(new, restored=True) is False
    assert vars(new) == {"name": "Anonymous"}


def test_kept_attributes_are_the_latest() -> None:
    """
    What `keep` names survives as the last successful message left it, others as opened.
    """
    handed = Handed()
    keeper, old = Keeper(Keeping, handed), Keeping()
    old.name, old.other = "Anonymous", ["opened"]
    keeper.opened(old)
    old.name = "Bob"
    keeper.succeeded(old)
    old.name = "half done"

    new = Keeping()
    Keeper(Keeping, handed).fill(new, restored=True)
    assert vars(new) == {"name": "Bob", "other": ["opened"]}


def test_kept_values_are_copies() -> None:
    """
    A kept list is copied: what the crashing handler did to it is not seen.
    """
    handed = Handed()
    keeper, old = Keeper(Keeping, handed), Keeping()
    old.name = ["a"]
    keeper.opened(old)
    old.name.append("half done")

    new = Keeping()
    Keeper(Keeping, handed).fill(new, restored=True)
    assert new.name == ["a"]


def test_a_snapshot_takes_over_the_whole_state() -> None:
    """
    A class with snapshot() gets no attributes, but its state through restored().
    """
    handed = Handed()
    keeper, old = Keeper(Snapping, handed), Snapping()
    assert keeper.fill(Snapping(), restored=True) is False  # nothing was taken yet
    old.name = "Bob"
    keeper.opened(old)

    new = Snapping()
    again = Keeper(Snapping, handed)
    assert again.fill(new, restored=True) is True
    assert vars(new) == {}
    assert again.state == {"name": "Bob"}
    assert again.fill(new, restored=False) is False


def test_nothing_is_taken_from_nobody() -> None:
    """
    An incarnation that has no instance any more gives and takes nothing.
    """
    keeper = Keeper(Keeping, handed := Handed())
    keeper.opened(None)
    keeper.succeeded(None)

    assert keeper.fill(None, restored=True) is False
    assert handed == Handed()


class Calling(WebsocketConsumer):
    keep = ["kept"]

    def hi(self):
        return self

    def __init__(self):
        self.kept = self.hi


def placed(host: object) -> Calling:
    """Return an instance that has a place in the slot *host*."""
    instance = Calling()
    instance.attach_life(SimpleNamespace(host=host))
    return instance


def test_bound_methods_are_bound_to_the_next_instance() -> None:
    """
    A method of its own that an attribute holds, itself, in a partial or one level deep in a plain
    container, is the next instance's there; what was handed over is not changed.
    """
    host = object()
    first = placed(host)
    first.own, first.partial = first.hi, functools.partial(first.hi)
    first.table, first.both = {"hi": first.hi, "n": 1}, [first.hi, functools.partial(first.hi)]
    first.pair, first.several = (1, first.hi), {first.hi}
    table = dict(first.table)
    Keeper(Calling, handed := Handed()).opened(first)

    second, third = placed(host), placed(host)
    Keeper(Calling, handed).fill(second, restored=True)
    Keeper(Calling, handed).fill(third, restored=True)
    for new in (second, third):
        found = [
            new.own, new.partial, new.table["hi"], *new.both, new.pair[1], *new.several, new.kept,
        ]  # fmt: skip
        assert [method() for method in found] == [new] * 8
        assert (new.table["n"], new.pair[0]) == (1, 1)
    assert first.table == table
    assert first.own() is first


def test_what_binds_to_nobody_before_is_handed_on_as_it_is() -> None:
    """
    Containers without such methods, and methods of other actors and things, stay what they are.
    """
    host = object()
    first, other, made_by_hand = placed(host), placed(object()), Calling()
    first.plain, first.deep = [1, "a"], [[first.hi]]
    first.others = [other.hi, made_by_hand.hi, "a".upper, functools.partial(other.hi)]
    first.function = functools.partial(len, "ab")
    Keeper(Calling, handed := Handed()).opened(first)

    new = placed(host)
    Keeper(Calling, handed).fill(new, restored=True)
    assert new.plain is first.plain
    assert new.deep is first.deep
    assert new.function is first.function
    assert new.others is first.others
    assert [each() for each in new.others[:2]] == [other, made_by_hand]


def test_methods_do_not_hold_an_instance_that_has_a_successor() -> None:
    """
    Once the next instance is filled, the state handed on does not keep the one before alive.
    """
    host = object()
    first = placed(host)
    first.table = {"hi": first.hi}
    Keeper(Calling, handed := Handed()).opened(first)
    gone, new = weakref.ref(first), placed(host)
    Keeper(Calling, handed).fill(new, restored=True)
    del first
    gc.collect()

    assert gone() is None
    assert new.table["hi"]() is new


@pytest.mark.parametrize("when", ["connect", "receive"])
async def test_what_cannot_be_copied_cannot_be_kept(when: str) -> None:
    """
    keep of an attribute that can't be copied is a crash that names class, attribute and keep.
    """

    class Chat(WebsocketConsumer):
        keep = ["lock"]
        max_restarts = 0

        async def connect(self):
            self.lock = threading.Lock() if when == "connect" else None
            self.accept()

        async def receive(self, text):
            self.lock = threading.Lock()

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("a")
        await ws.closed()

        (crash,) = ws.slot.crashes
        assert crash.exception == "TypeError"
        assert "Chat.keep: 'lock' can't be copied (TypeError: cannot pickle" in crash.text


class Founding(WebsocketConsumer):
    def connect(self, message):
        self.username = "Anonymous"
        self.accept()
        self.send(text="[Welcome %s!]" % self.username)

    def receive(self, text, bytes=None):
        if text.startswith("/name"):
            self.username = text[5:].strip()
            self.send(text="[set your username to %s]" % self.username)
        else:
            self.send(text=self.username + ": " + text)

    def disconnect(self, message):
        pass


class FoundingAsync(WebsocketConsumer):
    async def connect(self, message):
        self.username = "Anonymous"
        await self.accept()
        await self.send(text="[Welcome %s!]" % self.username)

    async def receive(self, text, bytes=None):
        if text.startswith("/name"):
            self.username = text[5:].strip()
            await self.send(text="[set your username to %s]" % self.username)
        else:
            await self.send(text=self.username + ": " + text)

    async def disconnect(self, message):
        pass


class FoundingMixed(WebsocketConsumer):
    def connect(self, message):
        Founding.connect(self, message)  # type: ignore[arg-type]

    async def receive(self, text, bytes=None):
        await FoundingAsync.receive(self, text, bytes)  # type: ignore[arg-type]


@pytest.mark.parametrize("chat", [Founding, FoundingAsync, FoundingMixed])
@pytest.mark.parametrize("kept", [False, True])
async def test_the_founding_example_after_a_crash(chat: type, kept: bool) -> None:
    """
    /name Bob, a binary frame that crashes, hi: Anonymous answers, or Bob where declared kept.
    """
    served = type("Kept", (chat,), {"keep": ["username"]}) if kept else chat
    async with running(chat=served) as server, server.websocket("/chat") as ws:
        assert await ws.receive() == "[Welcome Anonymous!]"
        ws.send_text("/name Bob")
        ws.send_bytes(b"\x00")
        ws.send_text("hi")

        assert await ws.receive() == "[set your username to Bob]"
        assert await ws.receive() == ("Bob: hi" if kept else "Anonymous: hi")
        assert ws.slot.epoch == 2
        assert [crash.exception for crash in ws.slot.crashes] == ["AttributeError"]


@pytest.mark.parametrize("sync", [False, True])
async def test_hooks_of_a_restart_run_in_order(sync: bool) -> None:
    """
    After a crash: __init__, restored(state), restarted(reason), started(), each def or async.
    """
    calls: list[object] = []

    class Sync(WebsocketConsumer):
        def __init__(self):
            calls.append("init")
            self.count = 0

        def snapshot(self):
            return self.count

        def started(self):
            calls.append("started")

        def restarted(self, reason):
            calls.append(f"restarted {reason}")

        def restored(self, state):
            calls.append(f"restored {state}")
            self.count = state

        def receive(self, text):
            self.count += 1
            if text == "boom":
                raise ValueError("boom")
            self.send(text=str(self.count))

    class Async(Sync):
        async def started(self):
            super().started()

        async def restarted(self, reason):
            super().restarted(reason)

        async def restored(self, state):
            super().restored(state)

        async def receive(self, text):
            super().receive(text)

    async with running(chat=Sync if sync else Async) as server, server.websocket("/chat") as ws:
        for text in ("a", "b", "boom", "c"):
            ws.send_text(text)
        assert [await ws.receive() for _ in range(3)] == ["1", "2", "3"]

    assert calls == [
        "init", "started", "init", "restored 2", "restarted boom", "started",
    ]  # fmt: skip


async def test_a_method_kept_by_connect_works_after_a_crash() -> None:
    """
    self.callback = self.hi, and a table of such, call the incarnation that lives.
    """

    class Chat(WebsocketConsumer):
        async def connect(self):
            self.callback, self.table = self.hi, {"hi": self.hi}
            self.accept()

        async def hi(self):
            await self.send(text=f"hi from {self.epoch}")

        async def receive(self, text):
            if text == "boom":
                raise ValueError(text)
            await (self.table["hi"]() if text == "table" else self.callback())

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        for text in ("callback", "boom", "callback", "boom", "table"):
            ws.send_text(text)

        assert [await ws.receive() for _ in range(3)] == ["hi from 1", "hi from 2", "hi from 3"]


async def test_what_a_late_thread_leaves_behind_is_not_kept() -> None:
    """
    INERT: a thread abandoned with its incarnation cannot change the state that is handed on.
    """
    begun, go, left = threading.Event(), threading.Event(), threading.Event()

    class Chat(WebsocketConsumer):
        keep = ["name"]
        shutdown_seconds = 0.01

        def receive(self, text):
            if text == "late":
                self.name = "late"
                begun.set()
                go.wait(10)
                left.set()
                return
            self.name = text

        def connect(self, message):
            self.name = "nobody"
            self.accept()

    options = Options(backoff_min_seconds=0, backoff_max_seconds=0)
    async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
        ws.send_text("late")
        await settle(begun.is_set)
        ws.crash()
        await ws.wait_restarted(2)
        ws.send_text("new")
        await settle(lambda: ws.slot.facts["handled"] == 1)
        go.set()
        await settle(left.is_set)
        await settle(lambda: server.root.pool.statistics().abandoned == ())
        ws.crash()
        await ws.wait_restarted(3)

        assert ws._slot._life.instance.name == "new"  # type: ignore[union-attr]
