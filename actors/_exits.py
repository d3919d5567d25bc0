"""How an incarnation ended. Pure: no trio tasks, no clock."""

# Intent decides before the type of an exception does: an actor that was asked
# to stop has stopped, whatever it raised on the way. Groups are looked into,
# because anything that used a nursery raises one.

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, cast

import trio

from ._errors import Decline, Disconnected, Stale
from ._job import NobodyWaits

if TYPE_CHECKING:
    from ._messages import Stop
    from ._ports import Connection


class ExitKind(Enum):
    """Why an incarnation is over."""

    STOPPED = "stopped"
    """It was asked to stop, or stopped itself."""
    PEER = "peer"
    """Its connection is over."""
    CRASHED = "crashed"
    """A handler, a task or a hook raised."""
    FATAL = "fatal"
    """KeyboardInterrupt, SystemExit, or a Cancelled of a scope that isn't ours."""
    DECLINED = "declined"
    """It would not start, which is no failure."""


@dataclass(frozen=True)
class Exit:
    """
    The record of one incarnation's end; exactly one for each epoch.

    ``what`` names the work at hand, without its content. ``opening`` says that the
    slot never came to serve. ``code`` and ``text`` are for the connection's close. ``own``
    says that it ended of its own accord, ``again`` that it was asked to make room for the
    next incarnation, ``by_hand`` that an operator asked, so that this one waits for nobody.
    ``asked`` is when it was asked to, on trio's clock, if it was.
    """

    kind: ExitKind
    reason: str
    error: BaseException | None = None
    what: str = ""
    opening: bool = False
    code: int = 1000
    text: str = ""
    own: bool = False
    again: bool = False
    by_hand: bool = False
    asked: float | None = None

    def with_error(self, error: BaseException, what: str, *, told: bool) -> Exit:
        """Return this end with what went wrong on the way; *told* work only obeyed."""
        if told or self.error is not None:
            return self
        return replace(self, error=error, what=what)


def stopped(stop: Stop) -> Exit:
    """Return the end that *stop* asked for."""
    return Exit(
        ExitKind.STOPPED,
        stop.reason,
        code=stop.code,
        text=stop.text,
        own=stop.own,
        again=stop.again,
        by_hand=stop.by_hand,
        asked=stop.at,
    )


def peer_gone(connection: Connection) -> Exit:
    """Return the end of who has run into it, before the peer's end was his turn."""
    code = connection.facts().get("close_code")
    code = code if isinstance(code, int) else 1006
    return Exit(ExitKind.PEER, "peer", code=code, text=connection.reason)


class Verdict(Enum):
    """What an exception that left a handler says."""

    CRASH = "crash"
    FATAL = "fatal"
    FOREIGN = "foreign"
    DISCONNECTED = "disconnected"
    STALE = "stale"


def judge(error: BaseException, path: str = "") -> Verdict:
    """
    Judge what came out of user code; our own scopes' Cancelled never gets here.

    The worst leaf of a group counts; a group of nothing but Cancelled is foreign.

    Args:
        error: What came.
        path: Whose end it may tell of; another's is a crash. "" for anybody's.
    """
    found = list(leaves(error))
    if any(isinstance(leaf, (KeyboardInterrupt, SystemExit)) for leaf in found):
        return Verdict.FATAL
    others = [leaf for leaf in found if not isinstance(leaf, trio.Cancelled)]
    if not others:
        return Verdict.FOREIGN
    if any(
        isinstance(leaf, (Disconnected, Stale)) and path not in ("", leaf.path) for leaf in others
    ):
        return Verdict.CRASH
    if all(isinstance(leaf, (Stale, NobodyWaits)) for leaf in others):
        return Verdict.STALE
    if all(isinstance(leaf, (Disconnected, Stale, NobodyWaits)) for leaf in others):
        return Verdict.DISCONNECTED
    return Verdict.CRASH


def declined(error: BaseException) -> Decline | None:
    """Return the Decline that *error* is, or a group of nothing else; None if it is none."""
    found = list(leaves(error))
    declines = [leaf for leaf in found if isinstance(leaf, Decline)]
    return declines[0] if len(declines) == len(found) else None


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors inside the group *error*, at any depth; itself if it is none."""
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from leaves(inner)
    else:
        yield error
