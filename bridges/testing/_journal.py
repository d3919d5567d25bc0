# What happens in a tree while a test drives it: events to wait for, and crashes.
#
# Supervision hides mistakes: a consumer with a typo is restarted, and the test that only looks at
# the answer may never know. So where a journal is strict, a crash that the test did not ask for is
# the test's error: it is raised, as it is, out of whatever the test waits for at that moment, and
# else at its end. A test that wants a crash says so: with `crash()`, `wait_crash()` or
# `allow_crashes()`.
#
# Events may come from any thread; all else here belongs to the loop's.

import re
import traceback
from collections.abc import Callable
from typing import TypeVar

import trio

from ...supervisor import Event, Root
from ._errors import NothingCame
from ._explain import explain

T = TypeVar("T")

FAILURES = frozenset({"slot.crashed", "slot.fatal", "supervisor.crashed", "disconnect.failed"})
"""The kinds of events that tell of an error in the user's code."""
_SHOWN = 20  # events in a text


class Journal:
    """
    The events of *root* from now on; crashes are the test's errors if it is *strict*.

    Without a root, for an application that is not Greenroom's, it has nothing to tell.
    """

    def __init__(self, root: Root | None, *, strict: bool) -> None:
        self.strict = strict
        self.failures: list[Event] = []
        """Crashes that no test has asked for, oldest first."""
        self.last_error: BaseException | None = None
        """What was raised last, asked for or not."""
        self._root = root
        self._allowed: list[tuple[type[BaseException], ...]] = []
        self._expected: list[BaseException] = []
        self._news = trio.Event()
        self._unsubscribe = root.events.subscribe(self._look) if root is not None else None

    def close(self) -> None:
        """Look no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _look(self, event: Event) -> None:
        assert self._root is not None
        error = event.facts.get("exception")
        if event.kind in FAILURES and isinstance(error, BaseException):
            self.last_error = error
            if not self._was_asked_for(error):
                self.failures.append(event)
        if self._root.loop.is_here():
            self.ring()
        else:
            self._root.loop.call_soon(self.ring, idempotent=True)

    def _was_asked_for(self, error: BaseException) -> bool:
        return any(each is error for each in self._expected) or any(
            isinstance(error, each) for each in self._allowed
        )

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
        self.failures = [each for each in self.failures if not isinstance(error_of(each), kinds)]

    def take(
        self, kinds: tuple[type[BaseException], ...], match: str, path: str
    ) -> BaseException | None:
        """Take the first crash that no test has asked for yet and fits; None if there is none."""
        for event in self.failures:
            error = error_of(event)
            if (
                isinstance(error, kinds)
                and re.search(match, str(error))
                and path in ("", event.path)
            ):
                self.failures.remove(event)
                return error
        return None

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
        event = self.failures.pop(0)
        error = error_of(event)
        message = event.facts.get("message")
        note = f"raised in {event.path}, {f'which handled {message}' if message else event.kind}"
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
        raise nothing_came(wanted, timeout, so_far(), self._root, self.last_error)

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


def error_of(event: Event) -> BaseException:
    """Return what *event* says was raised."""
    error = event.facts["exception"]
    assert isinstance(error, BaseException)
    return error


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
