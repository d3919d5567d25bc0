# What happens in a tree while a test drives it: events to wait for, and crashes.
#
# Supervision hides mistakes: a consumer with a typo is restarted, and the test that only looks at
# the answer may never know. So where a journal is strict, a crash that the test did not ask for is
# the test's error: it is raised, as it is, out of whatever the test waits for at that moment, and
# else at its end. A test that wants a crash says so: with `crash()`, `wait_crash()` or
# `allow_crashes()`.
#
# An exception holds the frames that it came through, and what is in them. A strict journal is there
# to raise it; any other keeps a twin of plain data, so that nothing lives longer by it.
#
# Events may come from any thread; all else here belongs to the loop's.

import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import trio

from ...actors._errors import described
from ...supervisor import Event, Root
from ._errors import NothingCame
from ._explain import explain

T = TypeVar("T")

FAILURES = frozenset({"slot.crashed", "slot.fatal", "supervisor.crashed", "disconnect.failed"})
"""The kinds of events that tell of an error in the user's code."""
_SHOWN = 20  # events in a text
_KEPT = 50  # crashes that nobody has asked for: a test that crashes for hours must not grow


@dataclass(frozen=True)
class Failure:
    """An error of the user's code, which ended in no exception of the test's."""

    path: str
    """Of the actor, or of the request."""
    error: BaseException
    what: str
    """What it did then, behind the path."""

    def __str__(self) -> str:
        return f"{self.error!r} in {self.path}, {self.what}"


class Journal:
    """
    The events of *root* from now on; crashes are the test's errors if it is *strict*.

    Without a root, for an application that is not Greenroom's, it has nothing to tell.
    """

    def __init__(self, root: Root | None, *, strict: bool) -> None:
        self.strict = strict
        self._keep: Callable[[BaseException], BaseException] = _itself if strict else _twin_of
        self.failures: list[Failure] = []
        """Crashes that no test has asked for, oldest first; of many the first, or the last."""
        self._causes: dict[str, BaseException] = {}  # by path, the last of each
        self._root = root
        self._allowed: list[tuple[type[BaseException], ...]] = []
        self._expected: list[BaseException] = []
        self._news = trio.Event()
        self._ends: list[Callable[[], object]] = []
        if root is not None:
            self._ends = [root.events.subscribe(self._look)]
            if "greenroom.bridges.django" in sys.modules:
                from ..django._view_errors import on_view_errors

                self._ends.append(on_view_errors(self._view_failed))

    def close(self) -> None:
        """Look no more."""
        while self._ends:
            self._ends.pop()()

    def _look(self, event: Event) -> None:
        error = event.facts.get("exception")
        if event.kind in FAILURES and isinstance(error, BaseException):
            message = event.facts.get("message")
            what = f"which handled {message}" if message else event.kind
            self._failed(Failure(event.path, error, what))
        self._ring_from_anywhere()

    def _view_failed(self, path: str, error: BaseException) -> None:
        self._failed(Failure(path, error, "a view"))
        self._ring_from_anywhere()

    def _failed(self, failure: Failure) -> None:
        if not self._was_asked_for(failure.error):
            kept = replace(failure, error=self._keep(failure.error))
            self.failures.append(kept)
            if len(self.failures) > _KEPT:  # the first are raised, where any is
                del self.failures[_KEPT if self.strict else 0]
            self._causes.pop(kept.path, None)  # the latest comes last
            self._causes[kept.path] = kept.error
            if len(self._causes) > _KEPT:
                del self._causes[next(iter(self._causes))]

    def _ring_from_anywhere(self) -> None:
        assert self._root is not None
        if self._root.loop.is_here():
            self.ring()
        else:
            with suppress(trio.RunFinishedError):  # then nobody waits any more
                self._root.loop.call_soon(self.ring, idempotent=True)

    def _was_asked_for(self, error: BaseException) -> bool:
        for at, each in enumerate(self._expected):
            if each is error:
                del self._expected[at]  # it holds frames, too
                return True
        return any(isinstance(error, each) for each in self._allowed)

    def ring(self) -> None:
        """Have all who wait look again."""
        self._news.set()
        self._news = trio.Event()

    def expect(self, error: BaseException) -> None:
        """Take *error* itself for asked for."""
        self._expected.append(error)

    def allow(self, *kinds: type[BaseException]) -> None:
        """Take errors of *kinds* for asked for: those that come, and those that were."""
        self._allowed.append(kinds)
        self.failures = [each for each in self.failures if not isinstance(each.error, kinds)]

    def take(
        self, kinds: tuple[type[BaseException], ...], match: str, path: str
    ) -> BaseException | None:
        """Take the first crash that no test has asked for yet and fits; None if there is none."""
        for failure in self.failures:
            error = failure.error
            fits = isinstance(error, kinds) and re.search(match, str(error))
            if fits and path in ("", failure.path):
                self.failures.remove(failure)
                self._causes.pop(failure.path, None)
                return error
        return None

    def cause(self, path: str = "") -> BaseException | None:
        """Return what *path*, or else anybody, has crashed with last, unless it was asked for."""
        if path:
            return self._causes.get(path)
        return next(reversed(self._causes.values()), None)

    @property
    def last_error(self) -> BaseException | None:
        """What anybody has crashed with last, unless it was asked for."""
        return self.cause()

    def refuse(self) -> None:
        """
        Raise the first crash that no test has asked for, if the journal is strict.

        Its own traceback goes on below the line that raises it here; a note says whose it is.
        """
        __tracebackhide__ = True
        if self.strict and self.failures:
            raise self.pop()

    def pop(self) -> Exception:
        """Take the first crash that no test has asked for, with a note that says whose it is."""
        failure = self.failures.pop(0)
        error, note = failure.error, f"raised in {failure.path}, {failure.what}"
        if not isinstance(error, Exception):  # SystemExit, say: it would end the whole run
            ends = AssertionError(f"{error!r} was {note}")
            ends.__cause__ = error
            return ends
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return error

    async def until(
        self,
        check: Callable[[], T | None],
        timeout: float,
        wanted: str,
        so_far: Callable[[], str] = str,
    ) -> T:
        """
        Wait until *check* returns something, and return that. Always a checkpoint.

        It is asked again at each event of the tree, and at each :meth:`ring`.

        Raises:
            NothingCame: it did not within *timeout* seconds: *wanted* says what was waited for,
                *so_far* what came instead.
            BaseException: a crash that the test did not ask for.
        """
        __tracebackhide__ = True
        await trio.sleep(0)
        with trio.move_on_after(timeout):
            while True:
                news = self._news
                found = check()
                if found is not None:
                    return found
                self.refuse()
                await news.wait()
        raise self.in_vain(wanted, timeout, so_far())

    def in_vain(self, wanted: str, timeout: float, so_far: str) -> NothingCame:
        """Return the error of a wait of *timeout* seconds that was in vain."""
        return nothing_came(wanted, timeout, so_far, self._root, self.cause())

    def listed(self) -> str:
        """The last events, a line each, oldest first."""
        events = self._root.events.recent(_SHOWN) if self._root is not None else []
        return "\n".join(f"  {said(each)}" for each in events) or "  (none)"


def nothing_came(
    wanted: str, timeout: float, so_far: str, root: Root | None, cause: BaseException | None
) -> NothingCame:
    """Return the error of a wait that was in vain."""
    parts = [f"{wanted} did not come within {timeout:g} s.", so_far]
    if root is not None:
        parts.append(explain(root))
    error = NothingCame("\n".join(part for part in parts if part))
    error.__cause__ = cause
    return error


def _itself(error: BaseException) -> BaseException:
    return error


def _twin_of(error: BaseException) -> BaseException:
    """Return an error of *error*'s type and text, its traceback a note, that holds plain data."""
    try:
        twin = _bare(error)
    except Exception:  # noqa: BLE001 - its class wants more than that, and may do anything
        return RuntimeError(described(error))
    vars(twin).update({name: _plain(value) for name, value in vars(error).items()})
    twin.__notes__ = [*getattr(error, "__notes__", ())]
    twin.add_note("".join(traceback.format_tb(error.__traceback__)).rstrip())
    try:
        str(twin)
    except Exception:  # noqa: BLE001 - it wants more than plain data for its text
        return RuntimeError(described(error))
    return twin


def _bare(error: BaseException) -> BaseException:
    kind = type(error)
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return kind.__new__(kind, group.message, [_twin_of(each) for each in group.exceptions])
    twin = kind.__new__(kind)
    twin.args = tuple(map(_plain, error.args))
    return twin


def _plain(value: object) -> object:
    return value if isinstance(value, (str, bytes, int, float, type(None))) else repr(value)


def said(event: Event) -> str:
    """Return *event* as one line."""
    facts = ", ".join(f"{name}={fact!r}" for name, fact in event.facts.items())
    return f"{event.kind} {event.path}{f': {facts}' if facts else ''}"


def tell_of_crashes(journal: Journal, error: BaseException) -> None:
    """Add to *error*, with which a test fails, what crashes it did not ask for."""
    while journal.strict and journal.failures:
        crash = journal.pop()
        if crash is not error:
            told = "".join(traceback.format_exception(crash))
            error.add_note(f"The test did not ask for this crash either:\n{told}")
