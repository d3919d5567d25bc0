# Who looks after the limits of one WebSocket: how fast its peer sends, how long it says nothing,
# how old the socket is.
#
# Only a class that sets such a limit has one for each connection. It costs no task and no scope:
# one task for all keeps their deadlines (bridges/hypercorn/_heartbeats.py), and calls.

from collections.abc import Callable
from math import inf

import trio

from ...supervisor import Root
from ...supervisor._connection_limits import ConnectionLimits
from ...supervisor._slot import Slot
from ..hypercorn._heartbeats import Heartbeats
from ..websocket._close import POLICY, Violation
from ..websocket._rate import Rate
from ._output import WebsocketOutput


class Keeper:
    """
    Looks after one WebSocket. Loop thread only.

    Args:
        root: Whose jitter is used.
        limits: What to look after.
        slot: What is asked to end.
        output: Where it stands.
        violated: Called when the peer has sent too fast for too long.
    """

    __slots__ = (
        "_beats", "_busy", "_dies", "_heard", "_limits", "_output", "_rate", "_resume", "_slot",
        "_violated",
    )  # fmt: skip

    def __init__(
        self,
        root: Root,
        limits: ConnectionLimits,
        slot: Slot,
        output: WebsocketOutput,
        violated: Callable[[Violation], object],
    ) -> None:
        now = trio.current_time()
        self._limits, self._slot, self._output, self._violated = limits, slot, output, violated
        self._resume: Callable[[], object] | None = None
        self._heard = now
        self._busy = False  # it was, at the last look: nobody tells when that has ended
        self._dies = inf
        if limits.lifetime_seconds is not None:
            shorter = limits.lifetime_jitter * root.random.random()
            self._dies = now + limits.lifetime_seconds * (1 - shorter)
        self._rate = Rate(
            limits.messages_per_second,
            limits.bytes_per_second,
            limits.rate_burst_seconds,
            limits.rate_patience_seconds,
            now,
        )
        self._beats = Heartbeats.current()
        self._beats.call_at(self._next(), self)

    def end(self) -> None:
        """Look after it no more."""
        self._beats.forget(self)
        self._resume = None

    @property
    def room(self) -> int:
        """How many messages may be read now, as far as the peer's speed goes."""
        return self._rate.room(trio.current_time())

    def took(self, messages: int, size: int) -> bool:
        """Take note of what was read; say whether more may be read now."""
        now = self._heard = trio.current_time()
        if not self._rate.took(now, messages, size):
            self._violated(Violation(POLICY, "sends too fast"))
            return True  # nobody wants what comes now, and it has to be read
        return now >= self._rate.until

    def on_room(self, resume: Callable[[], object]) -> None:
        """Call *resume* once, when more may be read."""
        self._resume = resume
        self._beats.call_at(min(self._next(), self._rate.until), self)

    async def wait_room(self) -> None:
        """Wait until more may be read. A checkpoint."""
        self._resume = _nothing  # so that this is no silence of the peer's
        await trio.sleep_until(self._rate.until)
        self._resume, self._heard = None, trio.current_time()
        self._rate.resumed(self._heard)

    def beat(self, now: float) -> float:
        """Do what is due; return when to look again."""
        if self._output.over:
            self._go_on()
            return inf
        if self._resume is not None and now >= self._rate.until:
            self._heard = now  # it was not read from
            self._rate.resumed(now)
            self._go_on()
        limits, slot = self._limits, self._slot
        if now >= self._dies:
            slot.request_stop("its lifetime is over", limits.lifetime_code, "lifetime over")
            return inf
        busy = self._resume is not None or slot.busy or not self._output.opened
        if busy or self._busy:
            self._heard = now
        self._busy = busy
        if limits.idle_limit_seconds is not None and now >= self._heard + limits.idle_limit_seconds:
            slot.request_stop("its peer was idle", 1001, "idle")
            return inf
        return min(self._next(), inf if self._resume is None else self._rate.until)

    def failed(self, error: Exception) -> None:
        """End it: looking after it has raised *error*, which is a fault of ours."""
        self._slot.report(error, "a fault in Greenroom itself")
        self._slot.request_stop("a fault in Greenroom itself", 1011)

    def _next(self) -> float:
        idle = self._limits.idle_limit_seconds
        return min(self._dies, inf if idle is None else self._heard + idle)

    def _go_on(self) -> None:
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()


def _nothing() -> None:
    """Do nothing."""
