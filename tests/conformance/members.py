# The members of a tree, as actors of Greenroom: with `async def` handlers, and with `def` ones.
#
# What a command does is written once, as a plain function; both classes are made from it.

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import trio
from conformance.script import FATAL, Journal, Script, crash

from greenroom.actors import (
    Actor,
    AlreadyRegistered,
    CallTimeout,
    Decline,
    Down,
    NotRegistered,
    Restarted,
    UndeclaredMessage,
    WebsocketConsumer,
    handles,
)
from greenroom.supervisor import TaskDone, TaskFailed, TaskTimeout

Command = Callable[[Any, Any], object]


class Base(Actor):
    """A child that writes its life into the journal, and does as told."""

    restart = "permanent"

    def __init__(self, journal: Journal, name: str, returns: object = None, **script: Any) -> None:
        self.journal, self.name, self.returns, self.count = journal, name, returns, 0
        self.script = Script(journal, name, **script)
        journal.made.append(weakref.ref(self))
        self.script.make()

    @handles("wait")
    async def on_wait(self, message):
        await trio.sleep(message["seconds"])

    @handles("busy")
    async def on_busy(self, message):
        with trio.CancelScope(shield=True):
            await trio.sleep(message["seconds"])

    @handles("ask")
    async def on_ask(self, message):
        try:
            answer = await message["whom"].call(message["message"], message["within"])
        except CallTimeout:
            answer = "no answer"
        self.journal.write(f"{self.name} heard {answer}")

    @handles("run")
    async def on_run(self, message):
        try:
            answer = await message["pool"].run(message["function"], timeout=message["within"])
        except TaskTimeout:
            answer = "no answer"
        self.journal.write(f"{self.name} heard {answer}")

    @handles(TaskDone, TaskFailed)
    async def on_task(self, message):
        self.journal.write(f"{self.name} was told of {type(message).__name__}")

    async def answer(self, after, reply):
        await trio.sleep(after)
        self.journal.write(f"taken: {reply.send('at last')}")

    @handles("quit")
    async def on_quit(self, message):
        await message["supervisor"].stop_child(self.name)


def on_crash(self, message):
    crash(message)


def on_stop(self, message):
    self.stop(message.get("reason", "done"))


def on_kill(self, message):
    raise FATAL[message.get("error", "SystemExit")](1)


def on_epoch(self, message):
    return self.epoch


def on_path(self, message):
    return self.path


def on_add(self, message):
    self.count += 1
    return self.count


def on_read(self, message):
    return self.count


def on_note(self, message):
    self.journal.write(f"{self.name} {message['text']}")


def on_block(self, message):
    self.journal.write(f"{self.name} blocked")
    self.journal.gate.wait(60)
    self.journal.write(f"{self.name} goes on")
    self.join("of the dead")


def on_register(self, message):
    try:
        self.register(message["key"], message.get("value"))
    except AlreadyRegistered as error:
        return f"{error.owner.rpartition('/')[2]} has it"
    return "ok"


def on_unregister(self, message):
    self.unregister(message["key"])


def on_update(self, message):
    try:
        return self.update_registration(message["key"], message["function"])
    except NotRegistered:
        return "not yours"


def on_enlist(self, message):
    self.enlist(message["key"])


def on_delist(self, message):
    self.delist(message["key"])


def on_join(self, message):
    self.join(message["group"])


def on_leave(self, message):
    self.leave(message["group"])


def on_publish(self, message):
    self.group_send(message["group"], {"type": "note", "text": message["text"]})


def on_publish_others(self, message):
    self.group_send_others(message["group"], {"type": "note", "text": message["text"]})


def on_watch(self, message):
    try:
        self.monitor(message["whom"], incarnations=message.get("restarts", False))
    except UndeclaredMessage as error:
        return str(error)
    return "ok"


def on_unwatch(self, message):
    self.demonitor(self.monitor(message["whom"]))


def on_later(self, message):
    self.start_soon(self.answer, message["after"], self.reply_later())


def on_both(self, message):
    self.reply_later().send("one answer")
    return "another one"


def on_coroutine(self, message):
    return trio.sleep(0)  # noqa: ASYNC105 - it forgets to await it


def on_post(self, message):
    self.cast(message["to"], {"type": "epoch"})
    return "posted"


COMMANDS: dict[str, Command] = {
    name.removeprefix("on_"): function
    for name, function in tuple(globals().items())
    if name.startswith("on_")
}


def started(self):
    if not self.script.begin(self.epoch):
        raise Decline("not today")
    if self.script.brief:
        self.stop("done")
    return self.returns


def stopped(self, reason):
    self.script.end()


def idle(self):
    self.journal.write(f"{self.name} idle")


def describe(self):
    if self.journal.blind:
        raise OSError("can't see")
    return {"name": self.name, "epoch": self.epoch}


async def started_slowly(self):
    await self.script.take_time_to_begin()
    return started(self)


async def stopped_slowly(self, reason):
    await self.script.take_time_to_end()
    stopped(self, reason)


def restarted(self, reason):
    self.journal.write(f"~{self.name} {reason}")


def stopped_telling(self, reason):
    self.journal.write(f"-{self.name} {reason}")


def heard(self, message):
    what = message.path.rpartition("/")[2]
    if isinstance(message, Restarted):
        self.journal.write(f"{self.name} heard: {what} is in epoch {message.epoch}")
    else:
        told = ", ".join(each for each in (message.kind, message.reason, message.error) if each)
        self.journal.write(f"{self.name} heard: {what} {told}")


def as_async(function: Callable[..., object]) -> Callable[..., object]:
    """Return *function* as an async one, with the same parameters."""
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    if not names:

        async def hook(self):
            return function(self)

        return hook
    if names == ("reason",):

        async def told(self, reason):
            return function(self, reason)

        return told

    async def handler(self, message):
        return function(self, message)

    return handler


def _class_of(style: str, takes_time: bool, tells: bool) -> type[Base]:
    hooks: dict[str, Any] = {"started": started, "stopped": stopped, "describe": describe}
    if tells:
        hooks |= {"restarted": restarted, "stopped": stopped_telling}
    made = {f"on_{name}": function for name, function in COMMANDS.items()} | hooks
    if style == "async":
        made = {name: as_async(function) for name, function in made.items()}
    for name in COMMANDS:
        made[f"on_{name}"] = handles(name)(made[f"on_{name}"])
    if takes_time:
        made |= {"started": started_slowly, "stopped": stopped_slowly}
    return type("Member", (Base,), made)


HEARS = {
    style: handles(Down, Restarted)(hook)
    for style, hook in (("async", as_async(heard)), ("def", heard))
}
"""The handler of members that may monitor others."""

IDLE = {"async": as_async(idle), "def": idle}
"""The hook of members that have an idle time."""

NO_AND_YES = (False, True)
MEMBERS: dict[tuple[str, bool, bool], type[Base]] = {
    key: _class_of(*key) for key in itertools.product(("async", "def"), NO_AND_YES, NO_AND_YES)
}
"""By style, by whether start or end may take time, and by whether they tell more."""


if TYPE_CHECKING:

    class Member(Base):
        """The async one, to be derived from."""

        async def started(self) -> None: ...
        async def stopped(self, reason: str) -> None: ...
else:
    Member = MEMBERS["async", True, False]


class Marked(Actor):
    """Holds a load among its start arguments, and does nothing."""

    def __init__(self, load: object = None) -> None:
        self.load = load

    @handles("stop")
    async def on_stop(self, message):
        self.stop()


class Chat(WebsocketConsumer):
    """Answers each text with its incarnation and the text; needs what may be down."""

    journal: ClassVar[Journal]
    slow: ClassVar[float] = 0.0

    async def restarted(self, reason):
        await trio.sleep(self.slow)

    async def receive(self, text):
        if text == "boom":
            self.journal.write("boom")
            raise ValueError(text)
        if self.journal.down:
            raise OSError("the database is down")
        await self.send(text=f"{self.epoch}: {text}")
