"""Replies that come later than their handlers return, from wherever: OTP's ``reply(From, X)``."""

# Invariants, each with a test of that name in tests/actors/test_reply_later.py or
# tests/actors/test_reply_later_ends.py:
#   ONCE         of several answers, from whatever threads, the first is the reply.
#   LATE         an answer whose caller has left is dropped, and noted.
#   BOUND        the end of the incarnation, whatever it is, fails all that are owed, at once;
#                what comes behind it is dropped, and noted.
#   LET GO       a handle that is gone without an answer fails its call at once.
#   BOUNDED      an incarnation owes as many replies as its mailbox holds messages; the handler
#                of one more gets TooManyReplies. Callers that have left make room first.
#
# What is owed takes the place of the call's Reply, so that no other call pays for a question:
# the loop gives it what the handler has returned, and its errors, as it would to a Reply. The
# incarnation holds what is owed, but never the handle, or that could not be let go of.

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, cast

import trio

from ._context import in_background
from ._deferred import Deferred
from ._errors import (
    ActorStopped,
    CallFailed,
    NotAnswered,
    Stale,
    TooManyReplies,
    described,
)
from ._messages import Call, Cast
from ._unrun import refuse_unrun

if TYPE_CHECKING:
    from ._life import Life
    from ._ports import Host

_LET_GO = "what reply_later() had returned was let go of without an answer"


class DeferredReply:
    """
    What ``self.reply_later()`` returns: the right to answer one call, once.

    To be kept, and handed to whatever task, thread or actor of the process has the answer. It
    ends with the incarnation that owes the reply, and so does the call. Let go of without an
    answer it fails the call with :class:`NotAnswered`, at once.
    """

    __slots__ = ("__weakref__", "_owed")

    def __init__(self, owed: Owed) -> None:
        self._owed = owed

    @property
    def waiting(self) -> bool:
        """Whether the caller still waits for it. Any thread."""
        return self._owed.waiting

    def send(self, value: object) -> bool:
        """
        Answer the call with *value*. Any thread; never blocks.

        Returns:
            Whether it was taken. False if the call was answered already; if the caller has left
            (event ``call.late``); or if the incarnation is over (event ``work.stale``).

        Raises:
            TypeError: *value* is a coroutine or a generator, whose body nobody would run.
        """
        refuse_unrun(value, "send() of a deferred reply", "was given")
        return self._owed.answer(value, None)

    def fail(self, error: BaseException) -> bool:
        """
        Answer the call with :class:`NotAnswered`, whose ``__cause__`` is *error*. Any thread.

        The actor goes on.

        Returns:
            What :meth:`send` does.

        Raises:
            TypeError: *error* is no exception.
        """
        if not isinstance(cast("object", error), BaseException):
            raise TypeError(
                f"fail() takes an exception, as in reply.fail(OSError('away')). Got: {error!r}"
            )
        failure = NotAnswered(self._owed.path, described(error))
        failure.__cause__ = error
        return self._owed.answer(None, failure)

    def __copy__(self) -> DeferredReply:
        return self  # a second one would fail the call when it is let go of

    def __deepcopy__(self, memo: object) -> DeferredReply:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a deferred reply can't leave its process. Got: {self!r}")

    def __del__(self) -> None:
        self._owed.let_go()

    def __repr__(self) -> str:
        return f"<DeferredReply of {self._owed.path}{'' if self.waiting else ', over'}>"


class Owed:
    """The reply that is owed to one call, in the place of its :class:`Reply`."""

    __slots__ = ("_call", "_claim", "_ended", "_epoch", "_host", "_outstanding", "_reply")

    def __init__(self, host: Host, epoch: int, call: Call, outstanding: Outstanding) -> None:
        self._host = host
        self._epoch = epoch
        self._call: Call | None = call
        self._reply = call.reply
        self._outstanding = outstanding
        self._ended = False
        # Held from the first answer on. Never waited for, so that nothing can come in between.
        self._claim = threading.Lock()

    @property
    def path(self) -> str:
        """Who owes it."""
        return self._host.path

    @property
    def waiting(self) -> bool:
        """Whether an answer would reach anybody. Any thread."""
        return not (self._claim.locked() or self._reply.abandoned or self._reply.done)

    # -- as the loop sees a Reply; on its thread --------------------------------------------

    @property
    def done(self) -> bool:
        """Whether a reply or an error is there."""
        return self._reply.done

    @property
    def abandoned(self) -> bool:
        """Whether the caller waits no more."""
        return self._reply.abandoned

    def set(self, value: object) -> bool:
        """Take note of what the handler has returned, which is not the reply."""
        if value is not None:
            raise TypeError(
                "a handler that has called reply_later() returns nothing: the reply is what the"
                f" send() of its result is given. Got: {type(value).__qualname__}"
            )
        return True

    def fail(self, error: BaseException) -> bool:
        """Take note that the handler has not succeeded, or that its actor has ended."""
        return self._take() is not None and self._reply.fail(error)

    # -- as its handle does -----------------------------------------------------------------

    def answer(self, value: object, error: Exception | None) -> bool:
        """Give the reply, or say why there is none; whether it was taken. Any thread."""
        call = self._take()
        if call is None:
            if self._ended:
                self._host.note("work.stale", epoch=self._epoch, what="deferred reply")
            return False
        waits = not self._reply.abandoned
        if self._host.loop.is_here() or not waits:
            return self._give(call.summary(), value, error)
        try:
            self._host.loop.call_soon(self._give, call.summary(), value, error)
        except trio.RunFinishedError:
            return False
        return waits

    def let_go(self) -> None:
        """Take note that its handle is gone. Any thread, in the middle of whatever it does."""
        if not self._claim.locked():
            with suppress(trio.RunFinishedError):  # then nobody waits any more
                self._host.loop.call_soon(self._lose)

    def end(self, error: Exception) -> None:
        """Take note that the incarnation is over. Loop thread only."""
        self._ended = True  # first: an answer of this very moment finds it so
        self.fail(error)

    def _take(self) -> Call | None:
        """Return the call to who asks first."""
        if not self._claim.acquire(blocking=False):
            return None
        call, self._call = self._call, None
        self._outstanding.remove(self)
        if call is not None:
            call.chain = ()  # if its handler runs still, nobody waits for what it does now
        return call

    def _give(self, message: str, value: object, error: Exception | None) -> bool:
        taken = self._reply.set(value) if error is None else self._reply.fail(error)
        if not taken:
            self._host.note("call.late", epoch=self._epoch, message=message)
        return taken

    def _lose(self) -> None:
        call = self._take()
        if call is not None and self._reply.fail(NotAnswered(self.path, _LET_GO)):
            self._host.note("call.forgotten", epoch=self._epoch, message=call.summary())


class Outstanding:
    """All replies that one incarnation owes. Every method from any thread."""

    __slots__ = ("_closed", "_lock", "_owed")

    def __init__(self) -> None:
        self._owed: dict[Owed, None] = {}  # in order
        self._closed = False
        # Reentrant: a __del__ that the garbage collector runs in here may answer, too.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._owed)

    def add(self, owed: Owed, capacity: int) -> bool | None:
        """Add *owed*; False when there is no room, None when it is too late."""
        with self._lock:
            if self._closed:
                return None
            if len(self._owed) >= capacity:
                self._owed = {each: None for each in self._owed if not each.abandoned}
            if len(self._owed) >= capacity:
                return False
            self._owed[owed] = None
        return True

    def remove(self, owed: Owed) -> None:
        """Take *owed* out, if it is still in."""
        with self._lock:
            self._owed.pop(owed, None)

    def end(self, failure: Callable[[], Exception]) -> None:
        """Fail each with a *failure* of its own, and take no more. Loop thread only."""
        with self._lock:
            self._closed = True
            owed, self._owed = self._owed, {}
        for each in owed:
            each.end(failure())


def reply_later(life: Life) -> DeferredReply:
    """Do what :meth:`Actor.reply_later` says."""
    life.guard()
    call = None if in_background.get() else life.item
    if not isinstance(call, Call):
        raise RuntimeError(  # noqa: TRY004 - nobody gave a wrong type
            f"{life.host.path} handles {_handled(life)}, so nobody waits for a reply:"
            " reply_later() is for handlers of calls, while they run."
        )
    if isinstance(call.reply, Owed):
        raise RuntimeError(  # noqa: TRY004
            f"{life.host.path} has called reply_later() for this {call.summary()} already: keep"
            " what it returned."
        )
    deferred = life.deferred
    if deferred is None:
        deferred = life.deferred = Deferred(life.actor.defer_capacity)
    if deferred.last is call:
        raise RuntimeError(
            f"{life.host.path} has put this {call.summary()} aside: its handler may reply later"
            " when it is run again."
        )
    outstanding = deferred.outstanding
    if outstanding is None:
        outstanding = deferred.outstanding = Outstanding()
    capacity = life.host.mailbox.capacity
    owed = Owed(life.host, life.epoch, call, outstanding)
    added = outstanding.add(owed, capacity)
    if added is False:
        raise TooManyReplies(life.host.path, capacity)
    if added is None:  # its end has begun
        life.host.note("work.stale", epoch=life.epoch, what="reply_later")
        raise Stale(life.host.path, life.epoch)
    call.reply = owed
    return DeferredReply(owed)


def fail_outstanding(life: Life, error: BaseException | None, anew: str = "") -> None:
    """Tell all to whom *life*, which ends, owes a reply. Loop thread only."""
    if life.beside is not None:
        life.beside.fail_calls(error, anew)
    if life.deferred is not None and life.deferred.outstanding is not None:
        life.deferred.outstanding.end(lambda: failure_of(life, error, anew))


def failure_of(life: Life, error: BaseException | None, anew: str = "") -> Exception:
    """
    Return what the caller of a call is told that was the last: *life* ends, or its handler.

    Args:
        life: Of whom was called.
        error: What its handler, or a task of its, has raised.
        anew: Why it was asked to make room for its next incarnation, if it was.
    """
    if error is None and anew:
        return ActorStopped(life.host.path, anew, again=True)
    if error is None:
        return ActorStopped(life.host.path, "stopped while it handled this call")
    failure = CallFailed(life.host.path, described(error))
    failure.__cause__ = error
    return failure


def _handled(life: Life) -> str:
    if in_background.get():
        return "no message in a background task"
    if life.item is None:
        return f"no message in {life.busy_with}()" if life.busy_with else "no message here"
    return f"the {'cast ' * isinstance(life.item, Cast)}{life.busy_with}"
