"""Errors of the actor layer.

Each says what happened, to whom and what to do; facts are attributes. Those
that resemble a builtin derive from it too, so that ordinary handlers still work.
"""

# Everything goes into args, in the order of __init__, so that pickle works.

from __future__ import annotations

from typing import cast

_LEAF_CHARACTERS = 200
MOST_TEXT = 4000
"""Characters of an error's text that are told: it may hold a whole message."""


def described(error: BaseException) -> str:
    """
    Return "ValueError: no room" for *error*, even if its own text cannot be made.

    Of a group, which says little by itself, the first error inside is told too. Long texts are cut.
    """
    told = _told(error)
    leaf = error
    # By its type: a class may have made `__class__` into something that raises.
    while issubclass(type(leaf), BaseExceptionGroup):
        leaf = cast("BaseExceptionGroup[BaseException]", leaf).exceptions[0]
    return told if leaf is error else f"{told}, first: {_told(leaf)[:_LEAF_CHARACTERS]}"


def _told(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001, ASYNC103 - __str__ is the user's and may do anything
        text = "(its text cannot be shown)"
    name = type(error).__qualname__
    if len(text) > MOST_TEXT:
        text = f"{text[:MOST_TEXT]}... ({len(text)} characters)"
    return f"{name}: {text}" if text else name


def refuse_unless_seconds(name: str, value: object) -> None:
    """
    Refuse *value* unless it is a number of seconds, ``inf`` included.

    Raises:
        TypeError: It is none.
        ValueError: It is negative, or not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds. Got: {value!r}")
    if not value >= 0:
        raise ValueError(f"{name} must be 0 seconds or more. Got: {value!r}")


class GreenroomError(Exception):
    """Base of every error that Greenroom raises on purpose."""


class MailboxFull(GreenroomError):
    """
    The actor's mailbox already holds *capacity* messages.

    The sender learns of it, never the actor: one that is behind must not also
    have to handle complaints.
    """

    def __init__(self, actor: str, capacity: int) -> None:
        super().__init__(actor, capacity)
        self.actor, self.capacity = actor, capacity

    def __str__(self) -> str:
        return (
            f"mailbox of {self.actor} is full ({self.capacity} messages). Drop the message,"
            " wait with `await ref.send(...)`, or raise mailbox_capacity."
        )


class DeferFull(GreenroomError):
    """
    The actor has put aside *capacity* messages already, and was to put aside one more.

    The handler that wanted to learns of it. If it escapes, that is a crash: its message is
    consumed, and those put aside before are the next incarnation's.
    """

    def __init__(self, actor: str, capacity: int) -> None:
        super().__init__(actor, capacity)
        self.actor, self.capacity = actor, capacity

    def __str__(self) -> str:
        return (
            f"{self.actor} has put aside {self.capacity} messages already. Call self.release(),"
            " answer or drop this one, or raise defer_capacity."
        )


class ActorStopped(GreenroomError):
    """
    The actor has ended (or never was), so there will be no reply.

    With ``again`` only the incarnation has that handled the call: the actor begins anew.
    """

    def __init__(self, actor: str, reason: str, *, again: bool = False) -> None:
        super().__init__(actor, reason)
        self.actor, self.reason, self.again = actor, reason, again

    def __str__(self) -> str:
        if self.again:
            return (
                f"{self.actor} was stopped while it handled this call, to begin anew"
                f" ({self.reason}); its reference stays good."
            )
        return f"{self.actor} has ended ({self.reason}); its reference stays dead."


class ActorNotFound(GreenroomError, LookupError):
    """No living actor has this path."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"no actor lives at {self.path!r}. root.render() lists the paths there are."


class CallTimeout(GreenroomError, TimeoutError):
    """
    No reply came within *seconds*.

    The request is skipped if its handler had not begun; if it had, it goes on
    and its reply is dropped.
    """

    def __init__(self, actor: str, seconds: float) -> None:
        super().__init__(actor, seconds)
        self.actor, self.seconds = actor, seconds

    def __str__(self) -> str:
        return f"{self.actor} did not reply within {self.seconds:g} s."


class CallFailed(GreenroomError):
    """
    The handler of a call raised, so the called actor crashed, or was resumed.

    ``__cause__`` is what it raised. The call was consumed; it is never run again.
    """

    def __init__(self, actor: str, problem: str) -> None:
        super().__init__(actor, problem)
        self.actor, self.problem = actor, problem

    def __str__(self) -> str:
        return f"{self.actor} crashed while it handled this call: {self.problem}"


class NotAnswered(CallFailed):
    """
    A call whose reply was to come later got none, though the called actor lives on.

    The actor said so with ``fail(error)``, which is the ``__cause__`` then; or it has let go of
    what ``reply_later()`` had returned.
    """

    def __str__(self) -> str:
        return f"{self.actor} did not answer this call: {self.problem}"


class TooManyReplies(GreenroomError):
    """
    The actor owes *capacity* replies already, and was to owe one more.

    The handler that wanted to learns of it. If it escapes, that is a crash, which fails all
    that is owed.
    """

    def __init__(self, actor: str, capacity: int) -> None:
        super().__init__(actor, capacity)
        self.actor, self.capacity = actor, capacity

    def __str__(self) -> str:
        return (
            f"{self.actor} owes {self.capacity} replies already, as many as its mailbox holds"
            " messages. Answer this call now, or raise mailbox_capacity."
        )


class UndeclaredMessage(GreenroomError, TypeError):
    """The actor declares no handler for this type of message."""

    def __init__(self, actor: str, message_type: str) -> None:
        super().__init__(actor, message_type)
        self.actor, self.message_type = actor, message_type

    def __str__(self) -> str:
        return (
            f"{self.actor} has no handler for {self.message_type}."
            f" Declare one: @handles({self.message_type})."
        )


class SelfCall(GreenroomError, RuntimeError):
    """An actor called itself: it would wait for itself until the timeout."""

    def __init__(self, actor: str) -> None:
        super().__init__(actor)
        self.actor = actor

    def __str__(self) -> str:
        return (
            f"{self.actor} called itself and would wait for its own reply."
            " Call the method, or cast the message to self.ref."
        )


class CallCycle(SelfCall):
    """An actor called one that waits for it, perhaps through others: both would wait for ever."""

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(chain[-1])
        self.args = (chain,)
        self.chain = chain

    def __str__(self) -> str:
        return (
            f"these wait for each other: {' calls '.join(self.chain)}."
            " Have one of them cast, and be sent the answer."
        )


class SelfWait(GreenroomError, RuntimeError):
    """An actor waited for its own end: it would wait for itself until the timeout."""

    def __init__(self, actor: str) -> None:
        super().__init__(actor)
        self.actor = actor

    def __str__(self) -> str:
        return (
            f"{self.actor} waited for its own end, which comes when its handler has returned."
            " Call self.stop() and return."
        )


class StillAlive(GreenroomError, TimeoutError):
    """An actor has not ended within *seconds*: it runs, restarts, or is parked."""

    def __init__(self, actor: str, seconds: float) -> None:
        super().__init__(actor, seconds)
        self.actor, self.seconds = actor, seconds

    def __str__(self) -> str:
        return f"{self.actor} has not ended within {self.seconds:g} s. ref.stop() asks it to."


class AlreadyRegistered(GreenroomError):
    """
    The unique name *key* is taken, by the living actor at *owner*; it may be the caller's own.

    Nothing was changed.
    """

    def __init__(self, key: str, owner: str) -> None:
        super().__init__(key, owner)
        self.key, self.owner = key, owner

    def __str__(self) -> str:
        return (
            f"{self.owner} is registered as {self.key!r} already. Monitor it and register when"
            " it has ended, or choose another name."
        )


class NotRegistered(GreenroomError, LookupError):
    """Not the actor itself is registered as *key*, but *owner*; nobody if that is empty."""

    def __init__(self, actor: str, key: str, owner: str = "") -> None:
        super().__init__(actor, key, owner)
        self.actor, self.key, self.owner = actor, key, owner

    def __str__(self) -> str:
        who = f"{self.owner} is" if self.owner else "nobody is"
        return f"{self.actor} is not registered as {self.key!r}, {who}. Only the owner may do this."


class TooManyKeys(GreenroomError):
    """The actor holds as many keys as its class allows; *key* would be one more."""

    def __init__(self, actor: str, key: str, limit: int) -> None:
        super().__init__(actor, key, limit)
        self.actor, self.key, self.limit = actor, key, limit

    def __str__(self) -> str:
        return (
            f"{self.actor} may hold {self.limit} keys in the registry, unregister one or raise"
            f" max_keys in its class. Got one more: {self.key!r}"
        )


class WrongSide(GreenroomError, RuntimeError):
    """A method for trio was used in a worker thread, or the other way round."""

    def __init__(self, used: str, here: str, instead: str) -> None:
        super().__init__(used, here, instead)
        self.used, self.here, self.instead = used, here, instead

    def __str__(self) -> str:
        return f"{self.used}() can't be used {self.here}: use {self.instead} there."


def inline_handler(used: str) -> WrongSide:
    """Return the error about *used*, which waits, where a `def` handler runs on trio's thread."""
    here = "in a `def` handler that runs inline, since nobody could answer while it waits"
    return WrongSide(used, here, '`async def` and `await`, or serve(..., threads="pool")')


class Disconnected(GreenroomError, ConnectionError):
    """
    The connection is over, so nothing can be sent.

    A fact, not a crash: when it escapes a handler of the connection's own the slot ends quietly.
    Out of another actor's handler it is an error like any.
    ``code`` and ``reason`` are those of the close, as far as they are known.
    """

    def __init__(self, path: str, code: int, reason: str = "") -> None:
        super().__init__(path, code, reason)
        self.path, self.code, self.reason = path, code, reason

    def __str__(self) -> str:
        reason = f", {self.reason}" if self.reason else ""
        return f"the connection of {self.path} is over (code {self.code}{reason})."


class Stale(GreenroomError):
    """
    Work of an incarnation that is over, or was told to stop, tried to act.

    Nothing happened and the attempt was counted (event ``work.stale``). Let it
    escape: whoever runs the stale work expects it.
    """

    def __init__(self, path: str, epoch: int) -> None:
        super().__init__(path, epoch)
        self.path, self.epoch = path, epoch

    def __str__(self) -> str:
        return f"epoch {self.epoch} of {self.path} is over: what it does now reaches nobody."


class Renewed(GreenroomError):
    """
    No error: what ``restarted(reason)`` is given where no crash of its own went before.

    A sibling's restart asked for it, or an operator, or a permanent actor had stopped itself.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path} was restarted: {self.reason}"


class Decline(GreenroomError):
    """
    Raised by an actor's start to say "not today", which is no failure (OTP's ``ignore``).

    In ``started`` of a resident: its slot ends as declined, the others start, and the tree
    is ready without it; ``stopped`` does not run for what never was. After a crash (in
    ``restarted``, ``restored`` or ``started``) the slot ends likewise, with ``stopped``. In a
    consumer's ``connect`` or ``started`` the socket is refused with 403, or closed with 1000
    where it was accepted. Anywhere else it is an error like any.

    Args:
        reason: Why, for the tree and the log; may be left out.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"declined: {self.reason}" if self.reason else "declined"


class StartFailed(GreenroomError):
    """A resident's first start failed, so the tree did not start."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path} failed to start: {self.problem}"
