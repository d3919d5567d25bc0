# Who asks which actor for its state: root.describe().
#
# Kept here, by slot: one that nobody asks, as nearly all are, has nothing of it. How an actor
# answers is in actors/_inquiry.py.

from collections.abc import Collection, Mapping
from itertools import islice
from typing import cast

import trio

from ..actors import ActorStopped, CallTimeout
from ..actors._inquiry import Inquiry
from ..actors._reply import Reply
from ._errors import DescribeFailed, InvalidState
from ._events import described, plain, printable
from ._place import Place
from ._secret_names import is_secret
from ._slot import Slot
from ._succession import PAUSES

MOST_VALUES = 1000  # of one answer, all levels together
MOST_IN_ONE = 100  # of one mapping or list
MOST_LEVELS = 5
MOST_BITS = 1000  # of a whole number
HIDDEN = "********"  # what stands for a secret, as in Django's reports


class Inquiries:
    """The questions that wait for an answer. Loop thread only."""

    def __init__(self) -> None:
        self._of: dict[Place, list[Inquiry]] = {}

    async def ask(self, slot: Slot, timeout: float) -> Mapping[str, object] | None:
        """Ask *slot*, and wait *timeout* seconds at most: see ``root.describe``. A checkpoint."""
        if slot.state in (*PAUSES, "waiting"):
            raise InvalidState(slot.path, slot.state, "nobody lives there who could say anything")
        answered = trio.Event()
        reply = Reply(answered.set)
        inquiry = Inquiry(reply, shown, trio.current_time() + timeout)
        self._of.setdefault(slot, []).append(inquiry)
        slot.halt()
        try:
            with trio.move_on_after(timeout):
                await answered.wait()
        finally:
            if not reply.done:
                reply.abandon()
            self._forget(slot, inquiry)
        if not reply.done:
            raise CallTimeout(slot.path, timeout)
        error = reply.error
        if error is not None and not isinstance(error, ActorStopped):
            raise DescribeFailed(slot.path, described(error)) from error
        return cast("Mapping[str, object] | None", reply.result())

    def next(self, place: Place) -> Inquiry | None:
        """Return what *place* is to answer next."""
        for inquiry in self._of.get(place, ()):
            if not inquiry.reply.done and inquiry.until > trio.current_time():
                return inquiry
        return None

    def end(self, place: Place) -> None:
        """Tell who asks *place* that it has ended."""
        for inquiry in self._of.get(place, ()):
            inquiry.reply.fail(ActorStopped(place.path, place.end or "ended"))

    def _forget(self, slot: Slot, inquiry: Inquiry) -> None:
        waiting = self._of[slot]
        waiting.remove(inquiry)
        if not waiting:
            del self._of[slot]


def shown(value: object) -> object:
    """Return *value* as data that `json.dumps` takes, cut to what fits on a page."""
    return _Cut().of(value, MOST_LEVELS)


class _Cut:
    """Makes one answer, value by value, until there are too many."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def of(self, value: object, levels: int) -> object:
        self._left -= 1
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            return f"a number of {value.bit_length()} bits"
        if isinstance(value, bytes | bytearray):
            return f"{len(value)} bytes"
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value), levels)
        if isinstance(value, list | tuple | set | frozenset):
            return self._list(cast("Collection[object]", value), levels)
        simple = plain(value)
        return printable(simple) if isinstance(simple, str) else simple

    def _mapping(self, value: Mapping[object, object], levels: int) -> object:
        if not levels:
            return _count(value)
        made = {
            (name := printable(str(key))): HIDDEN
            if is_secret(name, item)
            else self.of(item, levels - 1)
            for key, item in islice(value.items(), MOST_IN_ONE)
            if self._left > 0
        }
        if len(made) < len(value):
            made["..."] = _count(value)
        return made

    def _list(self, value: Collection[object], levels: int) -> object:
        if not levels:
            return _count(value)
        made = [self.of(item, levels - 1) for item in islice(value, MOST_IN_ONE) if self._left > 0]
        if len(made) < len(value):
            made.append(f"... {_count(value)}")
        return made


def _count(value: Collection[object]) -> str:
    return f"{len(value)} in all"
