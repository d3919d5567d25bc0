# Consumers that crash in every way there is, in each kind of handler, and neighbours that
# should notice nothing of it.

import json
import threading
from typing import Any

import trio
from _base import COUNTS, GATE, Paths, http, record

from greenroom.actors import WebsocketConsumer, handles
from greenroom.bridges.asgi import Application
from greenroom.supervisor import Options

SELVES: list[object] = []
"""Every incarnation that has answered, kept alive so that no id is used twice."""
STALE_GATE = threading.Event()
HELD: list[trio.Event] = []


def number(instance: object) -> int:
    """Which object this is, counted from 1 in order of appearance."""
    for at, each in enumerate(SELVES, 1):
        if each is instance:
            return at
    SELVES.append(instance)
    return len(SELVES)


class Boom(Exception):
    """What these consumers raise."""


async def explode(why: str) -> None:
    """Raise, as a task."""
    raise Boom(why)


class Crasher(WebsocketConsumer):
    """The order of its messages, who crashes where, and who answers."""

    def reply(self, text: str) -> None:
        """Answer who is answering what."""
        self.send(text=json.dumps([text, self.epoch, number(self)]))

    def act(self, text: str) -> None:
        """Do what *text* asks for, or answer it."""
        COUNTS[f"{type(self).__name__} {text}"] += 1
        if text == "boom":
            self.send(text="last words")  # what was sent before it raised is delivered
            raise Boom("by a frame")
        if text == "group":
            self.join(self.path)
            self.group_send(self.path, {"type": "crash"})
        elif text == "timer":
            self.send_after(0, {"type": "crash"})
        elif text == "task":
            self.start_soon(explode, "in a task")
        elif text == "where":
            self.send(text=self.path)
        else:
            self.reply(text)

    async def linger(self) -> None:
        """Stay until the incarnation ends."""
        await trio.sleep_forever()


class DefCrasher(Crasher):
    def started(self):
        self.start_soon(self.linger)

    def connect(self, message):
        self.accept()

    def receive(self, text, bytes=None):
        self.act(text)

    @handles("crash")
    def crash(self, message):
        COUNTS["DefCrasher crash"] += 1
        raise Boom("by a message")

    @handles("note")
    def note(self, message):
        self.reply(message["text"])


class AsyncCrasher(Crasher):
    async def started(self):
        self.start_soon(self.linger)

    async def connect(self, message):
        await self.accept()

    async def receive(self, text, bytes=None):
        self.act(text)

    @handles("crash")
    async def crash(self, message):
        COUNTS["AsyncCrasher crash"] += 1
        raise Boom("by a message")

    @handles("note")
    async def note(self, message):
        self.reply(message["text"])


class MixedCrasher(Crasher):
    async def started(self):
        self.start_soon(self.linger)

    def connect(self, message):
        self.accept()

    async def receive(self, text, bytes=None):
        self.act(text)

    @handles("crash")
    def crash(self, message):
        COUNTS["MixedCrasher crash"] += 1
        raise Boom("by a message")

    @handles("note")
    def note(self, message):
        self.reply(message["text"])


class Echo(WebsocketConsumer):
    async def receive(self, text, bytes=None):
        await self.send(text=text)


class Caster(WebsocketConsumer):
    """Casts what it is told to whom it is told, by a reference taken once."""

    async def connect(self, message):
        self.target: Any = None
        await self.accept()

    async def receive(self, text, bytes=None):
        if text.startswith("/connections/"):
            self.target = self.find(text)
        else:
            for word in text.split():
                self.target.cast({"type": "note", "text": word})
        await self.send(text="done")


class Late(WebsocketConsumer):
    """
    A thread of an old epoch that sends late.

    ``block`` runs in a thread and waits; meanwhile a task crashes the incarnation. The
    slot waits ``shutdown_seconds`` for the thread, then gives it up.
    """

    shutdown_seconds = 0.2

    def receive(self, text, bytes=None):
        if text == "block":
            self.start_soon(explode, "while a thread works")
            STALE_GATE.wait()
            try:
                self.send(text="from the dead")
            except BaseException as error:
                COUNTS[f"late {type(error).__name__}"] += 1
                raise
        else:
            self.send(text=f"{text} {self.epoch}")


class Blocker(WebsocketConsumer):
    def receive(self, text, bytes=None):
        COUNTS["blocked"] += 1
        GATE.wait()
        self.send(text="unblocked")


class Fatal(WebsocketConsumer):
    """Raises what should never end a process, in a thread and on trio."""

    async def connect(self, message):
        await self.accept()

    async def receive(self, text, bytes=None):
        if text == "task":
            self.start_soon(leave_by_exit)
        elif text == "thread":
            self.cast(self.ref, {"type": "fatal"})
        else:
            await raise_fatal(text)

    @handles("fatal")
    def in_thread(self, message):
        raise SystemExit(3)

    def disconnect(self, message, code):
        record(f"fatal {code}")
        COUNTS["fatal disconnect"] += 1


async def leave_by_exit() -> None:
    """End as a task that wants to end the process."""
    raise SystemExit(4)


async def raise_fatal(kind: str) -> None:
    """Raise what *kind* names."""
    if kind == "keyboard":
        raise KeyboardInterrupt
    if kind == "exit":
        raise SystemExit(5)
    if kind == "group":
        raise BaseExceptionGroup("two", [ValueError("one"), SystemExit(6)])
    raise await foreign_cancelled()


async def foreign_cancelled() -> BaseException:
    """Return a Cancelled of a scope that is none of the runtime's."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep(0)
        except trio.Cancelled as error:
            return error
    raise AssertionError("not cancelled")


class Refuser(WebsocketConsumer):
    """Opens badly in the way that the query asks for."""

    async def connect(self, message):
        how = self.scope["query_string"].decode()
        if how == "accept":
            await self.accept()
            await self.send(text="accepted")
        if how in ("accept", "raise"):
            raise Boom("in connect")
        if how == "close":
            await self.close()
        if how == "exit":
            raise SystemExit(8)
        if how == "cancelled":
            raise await foreign_cancelled()

    def disconnect(self, message, code):
        COUNTS["refuser disconnect"] += 1


class Leaver(WebsocketConsumer):
    """Ends as badly as one can."""

    async def disconnect(self, message, code):
        COUNTS["leaver disconnect"] += 1
        how = self.scope["query_string"].decode()
        if how == "raise":
            raise Boom("in disconnect")
        if how == "exit":
            raise SystemExit(9)
        raise await foreign_cancelled()


async def hold(scope: Any, receive: Any, send: Any) -> None:
    """Answer half, wait for /release, answer the rest."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half ", "more_body": True})
    HELD.append(trio.Event())
    await HELD[-1].wait()
    await send({"type": "http.response.body", "body": b"whole"})


async def release(scope: Any, receive: Any, send: Any) -> None:
    """Let the held requests go on."""
    for held in HELD:
        held.set()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def early(scope: Any, receive: Any, send: Any) -> None:
    """Crash before the headers."""
    COUNTS["early"] += 1
    raise Boom("before the headers")


async def late(scope: Any, receive: Any, send: Any) -> None:
    """Crash after the headers."""
    COUNTS["late"] += 1
    headers = [(b"content-length", b"100")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"half ", "more_body": True})
    raise Boom("after the headers")


async def leave(scope: Any, receive: Any, send: Any) -> None:
    """Raise what ends processes."""
    raise SystemExit(7)


async def open_stale(scope: Any, receive: Any, send: Any) -> None:
    """Let the late thread go on."""
    STALE_GATE.set()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


application = Application(
    # Hundreds of crashes a second are what these tests are about: no storm, nobody is refused.
    options=Options(storm_restarts=None),
    http=http(hold=hold, release=release, early=early, late=late, leave=leave, stale=open_stale),
    router=Paths(
        **{"def": DefCrasher, "async": AsyncCrasher, "mixed": MixedCrasher},
        echo=Echo,
        caster=Caster,
        late=Late,
        blocker=Blocker,
        fatal=Fatal,
        refuser=Refuser,
        leaver=Leaver,
    ),
)
