"""The class that users write: one actor, as its incarnations see themselves."""

# Everything here may be called from a handler on trio or in a worker thread and
# takes effect at the call. What is returned only waits for room.

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ._attendance import Attendance
from ._awaitables import DONE, TURN, Done, Room, Turn, Watched, room_of
from ._deferred import defer, release
from ._errors import GreenroomError
from ._handlers import HandlerTable
from ._job import current_job
from ._overflow import Overflow
from ._overrides import refuse_overrides, reserve
from ._ref import ActorRef
from ._relations import Relations
from ._settings import check_settings

if TYPE_CHECKING:
    from ._life import Life
    from ._ports import Connection
    from ._timers import Timer

_MANY_DELIVERIES = 256  # after so many the awaitable gives others a turn

HOOKS: dict[str, dict[str, str]] = {
    "started": {},
    "restarted": {"reason": "reason"},
    "restored": {"state": "state"},
    "after_start": {},
    "idle": {},
    "describe": {},
    "stopped": {"reason": "reason"},
}


class Actor(Relations, Attendance):
    """
    An actor: state of its own, a mailbox, one handler at a time.

    Subclass it and declare handlers with ``@handles``; ``def`` handlers run in worker
    threads, ``async def`` handlers on trio, and one class may mix both. It is given to
    the tree as a class (``children=[Ticker]``), never made by hand: ``__init__`` runs
    anew for each incarnation, without arguments unless the spec gives some.

    Optional hooks, each ``def`` or ``async def``:

    ``started()``
        At the start of every incarnation, before its first message: the place for
        timers and background tasks, which end with the incarnation. `Decline` raised
        here says "not today".
    ``after_start()``
        Next, before the first message, when nobody waits for the start any more: the
        place for what takes long (OTP's ``handle_continue``).
    ``idle()``
        When nothing has come for :attr:`idle_seconds` (OTP's ``timeout``).
    ``restarted(reason)``
        After a crash, before ``started``; *reason* is the exception. A class that
        defines it gets no attributes from the incarnation before, but ``keep``.
    ``snapshot()`` (``def`` only) and ``restored(state)``
        The state to carry over a crash: taken after each message handled without an
        error, given back before ``restarted``.
    ``describe()``
        What operators are shown of its state (``root.describe``): a mapping of the class's own
        choice, without what is secret. It runs between two messages.
    ``stopped(reason)``
        Once, when the slot ends (a consumer has ``disconnect`` in its place).
    """

    __slots__ = ("__dict__", "__weakref__", "_life")

    __greenroom_actor__: ClassVar[bool] = True

    keep: ClassVar[Iterable[str]] = ()
    """Attributes to carry over a crash, as the last successful message left them."""
    mailbox_capacity: ClassVar[int | None] = None
    """Messages that may wait; None for the tree's ``mailbox_capacity``."""
    overflow: ClassVar[Overflow | str] = Overflow.WAIT
    """What happens to a message for a full mailbox."""
    defer_capacity: ClassVar[int] = 64
    """Messages that :meth:`defer` may put aside at a time."""
    idle_seconds: ClassVar[float | None] = None
    """Seconds without frame, message or tick until ``idle()`` runs, and runs again; 0: once."""
    cancel_on_disconnect: ClassVar[bool] = False
    """Whether a running handler is cancelled when the connection ends."""
    expected_errors: ClassVar[tuple[type[BaseException], ...]] = ()
    """Crashes that are part of its life: reported in one line, without a traceback."""

    supervise: ClassVar[Mapping[type[Exception], str]] = MappingProxyType({})
    """
    What follows an error of a handler, by its type: ``resume``, ``restart``, ``stop`` or
    ``escalate`` (:class:`Directive`). The first type that it is one of decides; without one
    it is ``restart``. A task or a hook that raises can't be resumed: the actor restarts.
    """

    # No values here: what a class does not set is the tree's option of that name.
    restart: ClassVar[str]
    """``permanent``, ``transient`` or ``temporary``; for residents."""
    on_exceeded: ClassVar[str]
    """When the budget is spent: ``park``, ``stop`` or ``escalate``; a consumer: ``close``."""
    max_restarts: ClassVar[int | None]
    """Restarts allowed within :attr:`max_seconds`; None for no limit."""
    max_seconds: ClassVar[float]
    """The window of :attr:`max_restarts`, in seconds of being alive."""
    backoff_min_seconds: ClassVar[float]
    """Pause before the second restart in a row; each further one is twice as long."""
    backoff_max_seconds: ClassVar[float]
    """Pause at which the doubling stops, in seconds."""
    backoff_jitter: ClassVar[float]
    """Share, 0 to 1, by which each pause is lengthened or shortened at random."""
    shutdown_seconds: ClassVar[float]
    """How long a running handler may go on after a stop was asked for, in seconds."""

    opening_handler: ClassVar[str] = ""
    catch_all: ClassVar[str] = ""
    late_handshake: ClassVar[bool] = False
    deniable_late: ClassVar[bool] = False
    ending_handler: ClassVar[str] = "stopped"
    frame_handler: ClassVar[str] = "receive"
    _special: ClassVar[dict[str, dict[str, str]]] = HOOKS
    _reserved: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, runtime: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        if runtime:
            reserve(cls)
        else:
            refuse_overrides(cls)
        check_settings(cls)
        cls.handler_table().mark(cls)

    @classmethod
    @functools.cache
    def handler_table(cls) -> HandlerTable:
        """Return the compiled handlers of this class."""
        return HandlerTable(cls, cls._special)

    def attach_life(self, life: Life) -> None:
        """Bind a new instance to its incarnation; the runtime's business."""
        self._life = life

    def state_holder(self) -> object:
        """Return whose attributes a crash is to be survived by; the runtime's business."""
        return self

    # -- who I am -----------------------------------------------------------------------

    @property
    def path(self) -> str:
        """The path of this actor's slot, such as ``/residents/ticker``."""
        return self._bound().host.path

    @property
    def ref(self) -> ActorRef:
        """The reference to this actor's slot; it stands through restarts."""
        return self._bound().host.ref

    @property
    def epoch(self) -> int:
        """Which incarnation this is, from 1."""
        return self._bound().epoch

    # -- others -------------------------------------------------------------------------

    def find(self, path: str) -> ActorRef:
        """
        Return the reference of the actor at *path*. Any thread, not a checkpoint.

        Raises:
            ActorNotFound: No living actor has this path.
        """
        return self._bound().host.find(path)

    def cast(self, target: ActorRef | str, message: object) -> Awaitable[None]:
        """
        Append *message* to another actor's mailbox, by reference or path, at the call.

        What cannot be taken, or has no living actor at its path, is a dead letter; use
        ``await ref.send(...)`` to wait for room. Awaiting it is no checkpoint.

        Raises:
            MailboxFull: The mailbox is full and its policy is ``error``.
            Stale: This incarnation is over.
        """
        life = self._acting()
        if isinstance(target, str):
            life.host.cast(target, message)
        else:
            target.cast(message)
        return self._answer(DONE)

    def stop(self, reason: str = "by itself") -> None:
        """Ask this actor to end once the running handler is done. Any thread."""
        self._acting().host.request_stop(reason, patient=True)

    def defer(self) -> None:
        """
        Put the message that is being handled aside, if its handler succeeds. Any thread.

        Its caller waits on. A later crash brings it back as :meth:`release` does; at the
        slot's end it is a dead letter (Pekko's ``stash``).

        Raises:
            DeferFull: :attr:`defer_capacity` of them are aside already.
            RuntimeError: No message is being handled: in a hook, or a background task.
            Stale: This incarnation is over.
        """
        defer(self._bound())

    def release(self) -> None:
        """
        Have all that is put aside handled next, in order, when the handler is done. Any thread.

        What the running handler itself defers stays aside.

        Raises:
            Stale: This incarnation is over.
        """
        release(self._bound())

    # -- groups -------------------------------------------------------------------------

    def join(self, group: str) -> Awaitable[None]:
        """
        Become a member of *group* at the call; again is no different.

        Membership is the slot's: it stands through a restart and ends with the slot.
        Awaiting it is no checkpoint.

        Raises:
            Stale: This incarnation is over.
            TypeError, ValueError: *group* is no string of 1 to 200 characters.
        """
        host = self._acting().host
        host.groups.join(group, host)
        if host.mailbox.closed:  # the slot has ended, and left its groups, in this very moment
            host.groups.leave(group, host)
        return self._answer(DONE)

    def leave(self, group: str) -> Awaitable[None]:
        """
        Be a member of *group* no more, at the call; not being one is no error.

        Awaiting it is no checkpoint.

        Raises:
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.groups.leave(group, host)
        return self._answer(DONE)

    def group_send(
        self,
        group: str,
        message: object = None,
        *,
        text: str | None = None,
        bytes: bytes | None = None,
    ) -> Awaitable[None]:
        """
        Deliver to every member of *group*, this one too if it is one, at the call.

        Args:
            group: Its name. One without members is no error.
            message: For the members' ``@handles`` handlers, into each mailbox.
            text: A text frame: encoded once, put straight to each member's socket;
                no member's code runs. A member without a socket is passed over.
            bytes: The same as a binary frame.

        The awaitable is a checkpoint after many deliveries, in one call or several, to
        give others a turn. Where this actor's own output is full it waits for room there,
        as ``send`` does, so that a loop does not run away from the members' sockets.
        A cancellation while it waits leaves the message delivered.

        Raises:
            TypeError: Not exactly one of *message*, *text* and *bytes* was given.
            Stale: This incarnation is over.
        """
        return self._group_send(group, message, text, bytes, None)

    def group_send_others(
        self,
        group: str,
        message: object = None,
        *,
        text: str | None = None,
        bytes: bytes | None = None,
    ) -> Awaitable[None]:
        """
        Do what :meth:`group_send` does, to every member but this one.

        The same checkpoint, the same errors; a cancellation leaves the message delivered.
        """
        return self._group_send(group, message, text, bytes, self._bound().host)

    def _group_send(
        self, group: str, message: object, text: str | None, data: bytes | None, exclude: object
    ) -> Awaitable[None]:
        life = self._bound()
        here, connection = life.guard(), life.host.connection
        reached = life.host.groups.send(group, message, text=text, bytes=data, exclude=exclude)
        life.delivered += reached
        if connection is not None and connection.full:
            return self._answer(room_of(connection, here=here), depth=4)
        if life.delivered < _MANY_DELIVERIES:
            return self._answer(DONE, depth=4)
        life.delivered = 0
        return self._answer(TURN, depth=4)

    # -- time and tasks -------------------------------------------------------------------

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """
        Run ``function(*args)`` as a background task of this incarnation. Any thread.

        It is cancelled when the incarnation ends; if it raises, the incarnation has
        crashed.

        Raises:
            TypeError: *function* is not an async function.
            Stale: This incarnation is over.
        """
        self._bound().tasks.start(function, *args)

    def send_after(self, seconds: float, message: object, key: Hashable = None) -> Timer:
        """
        Have *message* handled by this incarnation after *seconds*. Any thread.

        Args:
            seconds: From the call.
            message: For a ``@handles`` handler.
            key: A timer set before with the same key is cancelled.
        """
        return self._bound().tasks.start_timer(seconds, message, key, repeat=False)

    def send_every(self, seconds: float, message: object, key: Hashable = None) -> Timer:
        """
        Have *message* handled every *seconds*, the first time after *seconds*.

        At most one of its ticks waits: an actor that is behind is not flooded.
        """
        return self._bound().tasks.start_timer(seconds, message, key, repeat=True)

    def cancel_timer(self, key: Hashable) -> None:
        """Cancel the timer named *key*, if there is one; its waiting tick too."""
        self._bound().tasks.cancel_timer(key)

    # -- inside -----------------------------------------------------------------------------

    def _bound(self) -> Life:
        try:
            return self._life
        except AttributeError:
            name = type(self).__qualname__
            raise GreenroomError(
                f"this {name} was made by hand, so it has no place in a tree. Give the class:"
                f" {name}, not {name}()."
            ) from None

    def _acting(self) -> Life:
        life = self._bound()
        life.guard()
        return life

    def _answer(self, awaitable: Done | Turn | Room, depth: int = 3) -> Awaitable[None]:
        host = self._bound().host
        if host.debug and host.loop.is_here() and current_job() is None:
            return Watched(
                awaitable, lambda where: host.note("await.forgotten", where=where), depth
            )
        return awaitable

    def __repr__(self) -> str:
        try:
            life = self._life
        except AttributeError:
            return f"<{type(self).__qualname__} outside a tree>"
        return f"<{type(self).__qualname__} {life.host.path} epoch {life.epoch}>"


def connection_of(actor: Actor) -> Connection:
    """Return the connection of a consumer's slot."""
    connection = actor._bound().host.connection  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert connection is not None, "a consumer outside a connection"
    return connection


reserve(Actor, Relations, Attendance)
