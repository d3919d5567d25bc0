# The users of connections, as an operator wants them: by the primary key, those of this process.
#
# Fills the port of bridges/inspection/_users.py. Those who are known are asked to end at once; the
# sessions of the others are read after that, so that a database that is away keeps nobody open.

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import trio

from ...actors._unsaved import in_worker
from ...supervisor import Root
from ..inspection._users import SLICE, Found, Users
from ._book import Book, book_of
from ._disconnect import batches, known_and_unknown, those_of
from ._identity import Identity

logger = logging.getLogger("greenroom.django")


class UsersOfBook:
    """
    Finds the connections of a user in *book*.

    Args:
        book: Whose the connections of a tree are.
    """

    def __init__(self, book: Book) -> None:
        self._book = book

    async def count(self, user: str) -> Found:
        """Count them; those whose session nobody has read yet stay unread. A checkpoint."""
        known, unknown = await self._known_and_unknown(user)
        return Found(len(known), len(unknown))

    async def disconnect(self, user: str, reason: str, code: int, text: str) -> Found:
        """Ask them to end; the sessions of the others are read before. A checkpoint."""
        known, unknown = await self._known_and_unknown(user)
        asked = 0
        for some in _steps(known):
            asked += sum(each.expel(reason, code, text) for each in some)
            await trio.sleep(0)
        unread = 0
        for batch in batches(unknown):
            try:
                theirs = await in_worker(
                    self._book, lambda batch=batch: those_of(batch, user), "of a user"
                )
            except Exception as error:
                logger.warning(
                    "the sessions of %d connections could not be read", len(batch), exc_info=error
                )
                unread += len(batch)
                continue
            asked += sum(each.expel(reason, code, text) for each in theirs)
        return Found(asked, unread)

    async def _known_and_unknown(self, user: str) -> tuple[list[Identity], list[Identity]]:
        known: list[Identity] = []
        unknown: list[Identity] = []
        for some in _steps(self._book.everybody()):
            theirs, nobodys = known_and_unknown([each for each in some if each.is_open], user)
            known += theirs
            unknown += nobodys
            await trio.sleep(0)
        return known, unknown


def _steps(identities: list[Identity]) -> Iterator[list[Identity]]:
    """Yield all of them, so many at a time: others have a turn in between."""
    for at in range(0, len(identities), SLICE):
        yield identities[at : at + SLICE]


@asynccontextmanager
async def users_known(root: Root) -> AsyncGenerator[None, None]:
    """Have operators of *root* find the connections of users, while it runs."""
    root.bridged[Users] = UsersOfBook(book_of(root))
    try:
        yield
    finally:
        del root.bridged[Users]
