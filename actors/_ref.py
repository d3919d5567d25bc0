"""References: the only thing of an actor that is handed to others."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import trio

from ._batch import wait_in_thread
from ._context import current_life, in_background
from ._errors import (
    ActorStopped,
    CallCycle,
    CallTimeout,
    MailboxFull,
    SelfCall,
    SelfWait,
    WrongSide,
    inline_handler,
    refuse_unless_seconds,
)
from ._job import current_job
from ._lowlevel import inside_trio
from ._messages import Call, Cast, Request
from ._overflow import Put
from ._reply import Reply
from ._wait_ended import wait_ended, wait_ended_in_thread

if TYPE_CHECKING:
    from ._monitors import Down
    from ._ports import Target

R = TypeVar("R")


class ActorRef:
    """
    A lasting reference to a slot: it stands through restarts and dies with the slot.

    Safe to keep, to compare, to put into messages. Any thread may hold one.
    """

    __slots__ = ("_target",)

    def __init__(self, target: Target) -> None:
        self._target = target

    @property
    def path(self) -> str:
        """The path of the slot, such as ``/connections/chat/17``."""
        return self._target.path

    @property
    def alive(self) -> bool:
        """Whether the slot lives: running, restarting, or parked."""
        return self._target.end is None

    def cast(self, message: object) -> bool:
        """
        Append *message* and return at once. Any thread; never blocks, never raises
        but for the overflow policy ``error``.

        Returns:
            Whether it was taken. A message that was not is a dead letter.

        Raises:
            MailboxFull: The mailbox is full and its policy is ``error``.
        """
        target = self._target
        item = Cast(message)
        put = target.mailbox.put_message(item)
        if put is Put.TAKEN:
            return True
        if put is Put.CLOSED:
            target.dead_letter(message, f"the actor has ended ({target.end})")
            return False
        if put is Put.RISEN:
            target.risen()
            return True
        return target.overflow(item)

    def send(self, message: object) -> Awaitable[None]:
        """
        Append *message*, waiting for room where the overflow policy is ``wait``.

        A checkpoint only when it waits. A cancellation while it waits leaves
        nothing behind: the message was not added.

        Raises:
            ActorStopped: The actor has ended.
            MailboxFull: The mailbox is full and its policy is ``error``.
            WrongSide: Called in a worker thread; use :meth:`send_blocking`.
        """
        self._need_loop("send", "send_blocking")
        return self._put(Cast(message))

    def send_blocking(self, message: object, timeout: float = 5.0) -> None:
        """
        Do what :meth:`send` does, from a worker thread.

        Args:
            message: The message.
            timeout: Seconds to wait for room.

        Raises:
            ActorStopped: The actor has ended.
            CallTimeout: There was no room within *timeout*.
            WrongSide: Called on trio; use ``await ref.send(...)``.
        """
        self._need_thread("send_blocking", "await ref.send(...)")
        refuse_unless_seconds("timeout", timeout)
        self._blocking(Cast(message), timeout)

    @overload
    def call(self, message: Request[R], timeout: float = 5.0) -> Awaitable[R]: ...
    @overload
    def call(self, message: object, timeout: float = 5.0) -> Awaitable[Any]: ...
    def call(self, message: object, timeout: float = 5.0) -> Awaitable[Any]:
        """
        Send *message* and wait for what its handler returns. Always a checkpoint.

        A cancellation or the timeout withdraws the request: it is skipped if it
        still waits, and its reply is dropped if its handler runs already.

        Args:
            message: Its handler's result is the reply.
            timeout: Seconds for room, queue and handler together.

        Raises:
            ActorStopped: The actor has ended, or ends before it could reply.
            CallFailed: The handler raised (and the actor was restarted).
            CallTimeout: No reply within *timeout*.
            MailboxFull: The mailbox is full and its policy is not ``wait``.
            UndeclaredMessage: The actor declares no handler for this message.
            SelfCall: The actor called itself; or, as :class:`CallCycle`, one whose handler
                waits for it.
            WrongSide: Called in a worker thread; use :meth:`call_blocking`.
        """
        self._need_loop("call", "call_blocking")
        refuse_unless_seconds("timeout", timeout)
        self._refuse_self()
        self._refuse_cycle()
        return self._call(message, timeout)

    @overload
    def call_blocking(self, message: Request[R], timeout: float = 5.0) -> R: ...
    @overload
    def call_blocking(self, message: object, timeout: float = 5.0) -> Any: ...
    def call_blocking(self, message: object, timeout: float = 5.0) -> Any:
        """
        Do what :meth:`call` does, from a worker thread.

        The thread's place in its pool is free while it waits.

        Args:
            message: The message.
            timeout: Seconds for room, queue and handler together.

        Raises:
            Stale: The calling incarnation was told to stop meanwhile.
            WrongSide: Called on trio; use ``await ref.call(...)``.
            Exception: And what :meth:`call` raises.
        """
        self._need_thread("call_blocking", "await ref.call(...)")
        refuse_unless_seconds("timeout", timeout)
        self._refuse_self()
        self._refuse_cycle()
        answered = threading.Event()
        reply = Reply(answered.set)
        until = time.monotonic() + timeout
        try:
            self._blocking(Call(message, reply, *_caller()), timeout)
            if not wait_in_thread(answered, until - time.monotonic()):
                raise CallTimeout(self.path, timeout)
        finally:
            if not reply.done:
                reply.abandon()
        return reply.result()

    def stop(self, reason: str = "asked by its reference") -> None:
        """
        Ask the actor to end: its running handler finishes, then it stops.

        Any thread; returns at once. Waiting messages become dead letters.
        """
        self._target.request_stop(reason)

    def wait_ended(self, timeout: float = 5.0) -> Awaitable[Down]:
        """
        Wait until the slot has ended; return how. Always a checkpoint; at once if it has.

        For views and tests: an actor does not stand still for it, it monitors
        (:meth:`Actor.monitor`). Restarts are no end. A cancellation leaves nothing behind.

        Args:
            timeout: Seconds.

        Raises:
            StillAlive: It has not ended within *timeout*.
            SelfWait: The actor waits for itself.
            WrongSide: Called in a worker thread; use :meth:`wait_ended_blocking`.
        """
        self._need_loop("wait_ended", "wait_ended_blocking")
        refuse_unless_seconds("timeout", timeout)
        self._refuse_self(SelfWait)
        return wait_ended(self._target, timeout)

    def wait_ended_blocking(self, timeout: float = 5.0) -> Down:
        """
        Do what :meth:`wait_ended` does, from a worker thread.

        The thread's place in its pool is free while it waits.

        Args:
            timeout: Seconds.

        Raises:
            StillAlive: It has not ended within *timeout*.
            SelfWait: The actor waits for itself.
            Stale: The calling incarnation was told to stop meanwhile.
            WrongSide: Called on trio; use ``await ref.wait_ended(...)``.
        """
        self._need_thread("wait_ended_blocking", "await ref.wait_ended(...)")
        refuse_unless_seconds("timeout", timeout)
        self._refuse_self(SelfWait)
        return wait_ended_in_thread(self._target, timeout)

    async def _call(self, message: object, timeout: float) -> object:
        answered = trio.Event()
        reply = Reply(answered.set)
        life = None if in_background.get() else current_life.get()
        if life is not None:
            life.calls = self.path  # of several at once, the one that began last
        try:
            with trio.move_on_after(timeout):
                await self._put(Call(message, reply, *_caller()))
                await answered.wait()
        finally:
            if life is not None:
                life.calls = ""
            if not reply.done:
                reply.abandon()
        if not reply.done:
            raise CallTimeout(self.path, timeout)
        return reply.result()

    async def _put(self, item: Cast | Call) -> None:
        target = self._target
        while True:
            put = target.mailbox.put_message(item)
            if put is Put.TAKEN:
                return
            if put is Put.RISEN:
                target.risen()
                return
            if put is Put.CLOSED:
                raise ActorStopped(self.path, target.end or "ended")
            if not target.waits_when_full():
                if not target.overflow(item) and type(item) is Call:
                    raise MailboxFull(self.path, target.mailbox.capacity)
                return
            await target.mailbox.wait_room()

    def _blocking(self, item: Cast | Call, timeout: float) -> None:
        target, until = self._target, time.monotonic() + timeout
        while True:
            put = target.mailbox.put_message(item)
            if put is Put.TAKEN:
                return
            if put is Put.RISEN:
                target.risen()
                return
            if put is Put.CLOSED:
                raise ActorStopped(self.path, target.end or "ended")
            if not target.waits_when_full():
                if not target.overflow(item) and type(item) is Call:
                    raise MailboxFull(self.path, target.mailbox.capacity)
                return
            room = threading.Event()
            target.mailbox.on_room(room.set)
            came = False
            try:
                came = wait_in_thread(room, until - time.monotonic())
            finally:
                if not came:
                    target.mailbox.not_on_room(room.set)
            if not came:
                raise CallTimeout(self.path, timeout)

    def _need_loop(self, used: str, instead: str) -> None:
        if not self._target.loop.is_here():
            raise WrongSide(f"ref.{used}", "in a worker thread", f"ref.{instead}(...)")
        if current_job() is not None:
            raise WrongSide(f"ref.{used}", "in a `def` handler", f"ref.{instead}(...)")

    def _need_thread(self, used: str, instead: str) -> None:
        if current_job() is not None and inside_trio():  # of whichever loop
            raise inline_handler(f"ref.{used}")
        if self._target.loop.is_here():
            raise WrongSide(f"ref.{used}", "on trio", instead)

    def _refuse_self(self, error: type[SelfCall | SelfWait] = SelfCall) -> None:
        life = current_life.get()
        if life is not None and life.host is self._target:
            raise error(self.path)

    def _refuse_cycle(self) -> None:
        _, chain = _caller()
        if self.path in chain:
            raise CallCycle((*chain[chain.index(self.path) :], self.path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and other._target is self._target

    def __hash__(self) -> int:
        return hash(id(self._target))

    def __repr__(self) -> str:
        end = self._target.end
        return f"<ActorRef {self.path}{f' ended: {end}' if end is not None else ''}>"


def _caller() -> tuple[str, tuple[str, ...]]:
    """Return the path of the actor whose code runs here, and whose handlers wait for it."""
    life = current_life.get()
    if life is None:
        return "", ()
    path = life.host.path
    if in_background.get():  # its handler does not wait
        return path, ()
    chain = life.item.chain if type(life.item) is Call else ()
    return path, (*chain, path)


def target_of(ref: ActorRef) -> Target:
    """Return what *ref* points to, for the runtime only."""
    return ref._target  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


async def send_plainly(ref: ActorRef, message: object) -> None:
    """
    Do what :meth:`ActorRef.send` does, for the runtime itself. A checkpoint only when it waits.

    Whatever the kind of *ref*: where sending is traced, this is not.
    """
    await ActorRef._put(ref, Cast(message))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
