# The connections of one tree, by whose they are, and when each is looked at again.
#
# Who was looked up once is looked at again every `revalidate_seconds`: is the session still
# there, and of the same user, and may that user still log in? Those that are due are asked about
# together, a hundred in one job of a worker thread, one job at a time; so many sockets take longer,
# not more queries at once. Who was never looked up has nothing to be wrong, and costs nothing.
#
# Everything belongs to the loop's thread, but `news` and `everybody`.

import logging
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import TYPE_CHECKING, Any

import trio

from ...actors._unsaved import in_worker
from ...supervisor import Root
from ._revalidation import problems_of

if TYPE_CHECKING:
    from ._identity import Identity

logger = logging.getLogger("greenroom.django")

BATCH = 100
LOGGED_OUT = "logged out"
_TOGETHER = 1.0  # seconds: who is due a little later goes along

_books: "dict[Root, Book]" = {}


class Book:
    """Whose the connections of *root* are."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.path = "revalidation"  # what its jobs are called by
        self.pool = root.pool
        self.shutdown_seconds = root.options.shutdown_seconds
        self._there: dict[Identity, None] = {}
        self._due: dict[float, dict[Identity, float]] = {}  # by interval, the earliest first
        self._something_new = trio.Event()

    # -- who is there --------------------------------------------------------------------------

    def enter(self, identity: "Identity") -> None:
        """Take note of a connection; again where another slot has taken it over."""
        self._there[identity] = None
        self._plan(identity)

    def leave(self, identity: "Identity") -> None:
        """Forget a connection, which is over."""
        self._there.pop(identity, None)
        self._unplan(identity)

    def news(self, identity: "Identity") -> None:
        """Take note that it is known now whose a connection is. Any thread."""
        if self.root.loop.is_here():
            self._plan(identity)
        else:
            with suppress(trio.RunFinishedError):
                self.root.loop.call_soon(self._plan, identity)

    def everybody(self, timeout: float = 5.0) -> "list[Identity]":
        """
        Return the identities of all open connections. Any thread; waits for the loop.

        Raises:
            TimeoutError: The loop did not answer within *timeout* seconds.
        """
        if self.root.loop.is_here():
            return list(self._there)
        found: list[Identity] = []
        done = threading.Event()

        def look() -> None:
            found.extend(self._there)
            done.set()

        try:
            self.root.loop.call_soon(look)
        except trio.RunFinishedError:
            return []
        if not done.wait(timeout):
            raise TimeoutError(f"the loop did not answer within {timeout:g} s")
        return found

    def logged_out(self, key: str, but: "Identity | None") -> None:
        """Close all that have the session with *key*, except *but*. Any thread; does not wait."""
        if not self.root.loop.is_here():
            with suppress(trio.RunFinishedError):
                self.root.loop.call_soon(self.logged_out, key, but)
            return
        in_cookie = key.encode()
        for identity in list(self._there):
            if identity is not but and identity.has_session(key, in_cookie):
                identity.expel(LOGGED_OUT)

    # -- when it is looked at again ------------------------------------------------------------

    def _plan(self, identity: "Identity") -> None:
        self._unplan(identity)
        if identity.user_value is None or identity not in self._there:
            return
        actor: Any = getattr(identity.slot, "actor", None)
        seconds: float | None = getattr(
            actor, "revalidate_seconds", self.root.options.revalidate_seconds
        )
        if seconds is None:
            return
        identity.due = seconds
        self._due.setdefault(seconds, {})[identity] = trio.current_time() + seconds
        self._something_new.set()

    def _unplan(self, identity: "Identity") -> None:
        if identity.due is not None:
            waiting = self._due[identity.due]
            del waiting[identity]
            if not waiting:
                del self._due[identity.due]
            identity.due = None

    def _next(self) -> float:
        return min((next(iter(each.values())) for each in self._due.values()), default=inf)

    def _take_due(self) -> "list[Identity]":
        until = trio.current_time() + _TOGETHER
        taken: list[Identity] = []
        for waiting in list(self._due.values()):
            for identity, due in list(_first(waiting, BATCH - len(taken))):
                if due > until:
                    break
                taken.append(identity)
        for identity in taken:
            self._unplan(identity)
        return taken

    async def run(self) -> None:
        """Look at who is due, again and again, until cancelled."""
        while True:
            with trio.move_on_at(self._next()):
                self._something_new = trio.Event()
                await self._something_new.wait()
                continue
            batch = self._take_due()
            if batch:
                await self._look_at(batch)

    async def _look_at(self, batch: "list[Identity]") -> None:
        found = [(identity, identity.ticket()) for identity in batch]
        asked = [(identity, ticket) for identity, ticket in found if ticket is not None]
        tickets = [ticket for _, ticket in asked]
        try:
            problems = await in_worker(
                self, lambda: problems_of(tickets), f"of {len(asked)} connections"
            )
        except Exception as error:
            logger.warning(
                "sessions and users of %d connections could not be looked at; they stay open",
                len(asked),
                exc_info=error,
            )
            problems = [None] * len(asked)
        for (identity, ticket), problem in zip(asked, problems, strict=True):
            if identity.ticket() != ticket:
                continue  # it has logged in or out meanwhile, and is planned anew
            if problem is not None:
                identity.expel(problem)
            else:
                self._plan(identity)


def _first(waiting: "dict[Identity, float]", most: int) -> "Iterator[tuple[Identity, float]]":
    return (pair for pair, _ in zip(waiting.items(), range(most), strict=False))


def book_of(root: Root) -> Book:
    """Return the book of *root*, which :func:`book_kept` has opened."""
    return _books[root]


def all_books() -> list[Book]:
    """Return the books of all trees that run in this process."""
    return list(_books.values())


@asynccontextmanager
async def book_kept(root: Root) -> AsyncGenerator[None, None]:
    """Keep the book of *root*, and look at whose its connections are, while it runs."""
    book = _books[root] = Book(root)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(book.run)
            yield
            nursery.cancel_scope.cancel()
    finally:
        del _books[root]
