"""How a handler is run, as far as it says so: how many at a time, how long, cancelled when."""

# A mark on the function, read once, when the class is created (_handlers.py). A handler without
# one is run as ever: the loop tells them apart by one flag that it looks at anyway.
#
# A subclass that overrides a method without a mark of its own keeps that of its base, as it does
# with @handles.

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from ._signature import Handler

F = TypeVar("F", bound=Callable[..., Any])
Key = str | Callable[[Any], Hashable]

_MARK = "__greenroom_runs__"
FRAMES = ("receive", "receive_json")
_CANCELLABLE = (*FRAMES, "handle", "chunk", "connect", "after_start", "idle")


@dataclass(frozen=True, slots=True)
class Runs:
    """What a handler says of how it is run."""

    concurrent: int = 0
    """How many of it may run at a time, as tasks beside the loop; 0: in the loop, one by one."""
    per_key: Key | None = None
    """What must be the same in two messages for the second to wait for the first."""
    timeout: float | None = None
    """Seconds after which it is cancelled, which is a crash."""
    cancel_on_disconnect: bool | None = None
    """Whether it is cancelled when the connection ends; None: as its class says."""


NOTHING = Runs()


def concurrent(limit: int, *, per_key: Key | None = None) -> Callable[[F], F]:
    """
    Let up to *limit* of a handler run at a time: ``receive``, or one declared with ``@handles``.

    Each runs as a task of its incarnation, or in a worker thread if it is a ``def``; an error in
    one is the incarnation's crash, and cancels the others. When *limit* run, the next message
    waits, and with it all that is behind it in the mailbox.

    Args:
        limit: At least 1.
        per_key: Messages with the same key are handled one after the other, in order. The name
            of a field of the message, or a function of it; for ``receive`` a function of the text
            or the bytes. Up to *limit* messages wait for others of their key, and hold nobody up.

    Raises:
        TypeError, ValueError: An argument is none of that.
    """
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"concurrent takes a whole number: @concurrent(4). Got: {limit!r}")
    if limit < 1:
        raise ValueError(f"concurrent takes a whole number from 1 on. Got: {limit!r}")
    if per_key is not None and not isinstance(per_key, str) and not callable(per_key):
        raise TypeError(
            "per_key is the name of a field of the message, or a function of it, as in"
            f' per_key="room". Got: {per_key!r}'
        )
    return _marked(concurrent=limit, per_key=per_key)


def timeout(seconds: float) -> Callable[[F], F]:
    """
    Cancel a handler that runs longer than *seconds*: a crash with :class:`HandlerTimeout`.

    For any handler or hook but ``describe``. It counts from when the handler begins. A ``def``
    can't be cancelled: its next ``self.*`` raises :class:`Stale`, and its thread is waited for and
    given up as at any stop.

    Raises:
        TypeError, ValueError: *seconds* is no positive, finite number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"timeout takes a number of seconds: @timeout(2.0). Got: {seconds!r}")
    if not 0 < seconds < inf:
        raise ValueError(f"timeout takes a finite number of seconds above 0. Got: {seconds!r}")
    return _marked(timeout=float(seconds))


def cancelled_on_disconnect(yes: bool = True) -> Callable[[F], F]:
    """
    Say of one handler whether it is cancelled when the connection ends.

    For ``receive``, ``handle``, ``chunk``, ``connect``, ``after_start``, ``idle`` and what
    ``@handles`` declares; the others are run as :attr:`Actor.cancel_on_disconnect` says.

    Raises:
        TypeError: *yes* is no bool.
    """
    if not isinstance(cast("object", yes), bool):
        raise TypeError(f"write @cancelled_on_disconnect(), with brackets. Got: {yes!r}")
    return _marked(cancel_on_disconnect=yes)


def runs(
    *,
    concurrent_limit: int | None,
    per_key: Key | None,
    seconds: float | None,
    cancel: bool | None,
) -> Callable[[F], F]:
    """Return the decorator for what ``@handles`` was given of it."""
    decorators: list[Callable[[Any], Any]] = []
    if concurrent_limit is not None:
        decorators.append(concurrent(concurrent_limit, per_key=per_key))
    elif per_key is not None:
        raise TypeError(f"per_key is for what is concurrent: say how many. Got: {per_key!r}")
    if seconds is not None:
        decorators.append(timeout(seconds))
    if cancel is not None:
        decorators.append(cancelled_on_disconnect(cancel))

    def mark(function: F) -> F:
        for decorate in decorators:
            decorate(function)
        return function

    return mark


def _marked(**what: Any) -> Callable[[F], F]:
    def mark(function: F) -> F:
        setattr(function, _MARK, replace(getattr(function, _MARK, NOTHING), **what))
        return function

    return mark


def runs_of(actor: type, name: str) -> Runs:
    """Return what *actor* says of its method *name*; a base's word, where it says nothing."""
    for cls in actor.__mro__:
        found = getattr(vars(cls).get(name), _MARK, None)
        if found is not None:
            return cast("Runs", found)
    return NOTHING


def check_runs(owner: str, handler: Handler, runs: Runs, *, declared: bool) -> None:
    """
    Refuse what *handler*, of the class *owner*, can't do.

    Raises:
        TypeError: It is a hook, and no handler of messages.
    """
    name = handler.name
    if runs.concurrent and not (declared or name in FRAMES):
        raise TypeError(
            f"{owner}.{name} runs alone, whatever it is marked with: @concurrent is for receive"
            " and for handlers declared with @handles."
        )
    if name in FRAMES and isinstance(runs.per_key, str):
        raise TypeError(
            f"{owner}.{name} gets a text or bytes, which have no fields: write per_key= as a"
            f" function of what it gets. Got: {runs.per_key!r}"
        )
    if runs.timeout is not None and name == "describe":
        raise TypeError(
            f"{owner}.describe has a deadline already, that of who asks: take @timeout away."
        )
    if runs.cancel_on_disconnect is not None and not (declared or name in _CANCELLABLE):
        raise TypeError(
            f"{owner}.{name} can't be cancelled by the end of the connection:"
            " @cancelled_on_disconnect is for connect, receive, handle, chunk, after_start, idle,"
            " and for handlers declared with @handles."
        )


def key_function(per_key: Key, *, frames: bool) -> Callable[[Any], Hashable]:
    """Return what finds the key of an item of the mailbox."""
    if frames:
        of_frame = cast("Callable[[Any], Hashable]", per_key)
        return lambda item: of_frame(item.text if item.text is not None else item.bytes)
    if not isinstance(per_key, str):
        of_message = per_key
        return lambda item: of_message(item.message)

    def field(item: Any) -> Hashable:
        message = item.message
        if isinstance(message, Mapping):
            return cast("Mapping[str, Hashable]", message)[per_key]
        return getattr(message, per_key)

    return field
