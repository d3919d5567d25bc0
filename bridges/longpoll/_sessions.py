# All sessions of one tree: found by token, counted, expired, remembered for a while.
#
# Everything here is the loop thread's. One task for all of them expires those that nobody polls;
# it lives while there is a session that lives.
#
# Invariants, each with a test of that name in tests/bridges/longpoll/test_memory.py:
#   CAPPED     no more sessions of a class, or of an address, than it says; counted by what lives.
#   FORGOTTEN  an ended session is remembered for `expiry_seconds` at most, and no more than 1000
#              of them, or 16 MiB of what they have not delivered.

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import islice
from math import inf
from typing import Any

import trio

from ...actors.consumers._long_poll import LongPollConsumer
from ...supervisor import Root
from ._session import Scope, Session
from ._token import Token, new_process, new_token, opens, seal

_REMEMBERED = 1000  # ended sessions
_REMEMBERED_BYTES = 16 * 1024 * 1024  # of their windows

PROCESS = new_process()
"""This process, in the tokens that it gives."""


class Sessions:
    """The sessions of *root*."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._living: dict[str, Session] = {}
        self._ended: dict[str, tuple[Session, int]] = {}  # in the order of their ends
        self._kept = 0  # bytes in their windows, when they ended
        self._of_class: Counter[type] = Counter()
        self._of_address: Counter[tuple[type, str]] = Counter()
        self._due: list[tuple[float, str]] = []
        self._news = trio.Event()
        self._watched = False

    @classmethod
    def of(cls, root: Root) -> "Sessions":
        """Return those of *root*, which are made with the first."""
        found = root.bridged.get(cls)
        if found is None:
            found = root.bridged[cls] = cls(root)
        return found

    def __len__(self) -> int:
        return len(self._living)

    def refusal(self, actor: type[LongPollConsumer], address: str) -> tuple[int, str] | None:
        """Return the status and the reason why *address* can't have one more; None if it can."""
        most = actor.max_sessions
        if most is not None and self._of_class[actor] >= most:
            return 503, f"{most} sessions are open (max_sessions)"
        most = actor.sessions_per_address
        if most is not None and self._of_address[actor, address] >= most:
            return 429, f"{most} sessions of one address are open (sessions_per_address)"
        return None

    def open(
        self,
        route: str,
        actor: type[LongPollConsumer],
        kwargs: dict[str, Any],
        scope: Scope,
        binding: str | None,
        release: Callable[[], object],
    ) -> tuple[Session, Token]:
        """
        Begin a session and return it with its token; its consumer has not answered yet.

        *release* is called when it has ended.
        """
        token = new_token(PROCESS)

        def ended(session: Session) -> None:
            release()
            self._ended_one(session)

        session = Session(self._root, route, actor, kwargs, scope, ended)
        session.key, session.seal = token.session, seal(token, binding or "")
        session.bound = binding is not None
        self._living[session.key] = session
        self._of_class[actor] += 1
        self._of_address[actor, session.address] += 1
        assert self._root.tasks is not None, "the tree is up"
        self._root.tasks.start_soon(session.live, name=session.slot.path)
        self._watch(session)
        return session, token

    def find(
        self, token: Token, actor: type[LongPollConsumer], path: str, binding: str | None
    ) -> Session | None:
        """Return the session of *token*, living or not; None if it is not one of this client's."""
        self._forget_late()
        session = self._living.get(token.session)
        if session is None and token.session in self._ended:
            session = self._ended[token.session][0]
        if session is None or _is_late(session):
            return None
        if not opens(session.seal, token, binding if session.bound and binding else ""):
            return None
        return session if session.actor is actor and session.path == path else None

    # -- ends ------------------------------------------------------------------------------

    def _ended_one(self, session: Session) -> None:
        del self._living[session.key]
        _less(self._of_class, session.actor)
        _less(self._of_address, (session.actor, session.address))
        self._ended[session.key] = session, session.output.window_bytes
        self._kept += session.output.window_bytes
        while len(self._ended) > _REMEMBERED or self._kept > _REMEMBERED_BYTES:
            self._forget(next(iter(self._ended)))
        if not self._living:
            self._news.set()

    def _forget(self, key: str) -> None:
        _, size = self._ended.pop(key)
        self._kept -= size

    def _forget_late(self) -> None:
        # In the order of their ends: as a rule all have the same time to be remembered.
        for key, (session, _) in list(islice(self._ended.items(), _REMEMBERED)):
            if not _is_late(session):
                return
            self._forget(key)

    # -- expiry ----------------------------------------------------------------------------

    def _watch(self, session: Session) -> None:
        due = trio.current_time() + session.actor.expiry_seconds
        first = self._due[0][0] if self._due else inf
        # The key, not the session: who has ended meanwhile must not be held until then.
        heappush(self._due, (due, session.key))
        if not self._watched:
            self._watched = True
            assert self._root.tasks is not None, "the tree is up"
            self._root.tasks.start_soon(self._expire, name="/connections long-poll expiry")
        elif due < first:
            self._news.set()

    async def _expire(self) -> None:
        try:
            while self._living:
                with trio.move_on_at(self._due[0][0] if self._due else inf):
                    await self._news.wait()
                    self._news = trio.Event()
                self._expire_due(trio.current_time())
        finally:
            self._watched = False
            self._due.clear()

    def _expire_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, key = heappop(self._due)
            session = self._living.get(key)
            if session is None:
                continue
            if session.presence.expired(now):
                session.expire()
                continue
            # While a poll waits it can't expire sooner than so many seconds from now.
            due = min(session.presence.expires, now + session.actor.expiry_seconds)
            heappush(self._due, (due, key))


def _less(counter: Counter[Any], key: object) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def _is_late(session: Session) -> bool:
    ended_at, seconds = session.ended_at, session.actor.expiry_seconds
    return ended_at is not None and trio.current_time() >= ended_at + seconds
