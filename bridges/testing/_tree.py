# What a test does with a tree, whatever drives it: crash an actor, wait for its next incarnation,
# wait for events and dead letters, assert that there were or were none.

from difflib import get_close_matches

import trio

from ...actors import ActorNotFound
from ...actors._ref import target_of
from ...supervisor import EVENTS, DeadLetter, Event, NodeSnapshot, Root
from ...supervisor._slot import Slot
from ._errors import NotStopped
from ._explain import explain, thread_of
from ._journal import Journal, said

_ALL = 1000


class TreeDriver:
    """The part of a driver that concerns the tree; its methods belong to the loop's thread."""

    _journal: Journal | None = None

    @property
    def journal(self) -> Journal:
        """What has happened since the application started, or this was asked for first."""
        if self._journal is None:
            try:
                root = self.root
            except LookupError:
                root = None
            self._journal = Journal(root, strict=False)
        return self._journal

    @journal.setter
    def journal(self, journal: Journal) -> None:
        if self._journal is not None:
            self._journal.close()
        self._journal = journal

    @property
    def root(self) -> Root:
        """The tree that the application made for its lifespan."""
        raise NotImplementedError

    def sockets(self, route: str = "") -> list[NodeSnapshot]:
        """
        Return the slots of the open WebSockets and requests, oldest first.

        Args:
            route: Only those below ``/connections/<route>``: the URL's name, or the consumer's.
        """
        below = f"/connections/{route}/" if route else "/connections/"
        nodes = self.root.connections.snapshot().walk()
        return [node for node in nodes if node.kind == "slot" and node.path.startswith(below)]

    # -- crashes -----------------------------------------------------------------------------

    def crash(self, path: str, error: BaseException | None = None) -> None:
        """
        Have the actor at *path* crash, as if a task of it had raised *error*. At once.

        Raises:
            LookupError: There is no such actor.
        """
        crash_slot(self.journal, self._slot_at(path), error)

    async def wait_restarted(
        self, path: str, epoch: int = 2, timeout: float = 30.0
    ) -> NodeSnapshot:
        """
        Wait until incarnation *epoch* of the actor at *path* serves. Always a checkpoint.

        Raises:
            LookupError: There is no such actor, or it has ended instead.
            NothingCame: Neither happened within *timeout* seconds.
        """
        return await slot_restarted(self.journal, self._slot_at(path), epoch, timeout)

    async def wait_crash(
        self,
        *kinds: type[BaseException],
        match: str = "",
        path: str = "",
        timeout: float = 5.0,
    ) -> BaseException:
        """
        Wait for a crash, which the test has asked for by that; return what was raised.

        Always a checkpoint. Each call takes one crash: the first that no other call has taken.

        Args:
            *kinds: What was raised; any exception without them.
            match: A regular expression that its text must hold.
            path: Whose it is: an actor's, or that of a request whose view raised; anybody's
                without it.
            timeout: Seconds to wait for it.

        Raises:
            NothingCame: There was no such crash in time.
        """
        wanted = f"a crash of {path or 'anybody'}"
        if kinds:
            wanted += f" with {', '.join(kind.__name__ for kind in kinds)}"
        journal = self.journal
        strict, journal.strict = journal.strict, False  # others are told of below, or at the end
        try:
            return await journal.until(
                lambda: journal.take(kinds or (BaseException,), match, path),
                timeout,
                wanted,
                lambda: f"Other crashes: {', '.join(map(str, journal.failures)) or 'none'}.",
            )
        finally:
            journal.strict = strict

    def allow_crashes(self, *kinds: type[BaseException]) -> None:
        """Let actors crash with *kinds*, or anything without them, for the rest of the test."""
        self.journal.allow(*(kinds or (BaseException,)))

    def refuse_crashes(self) -> None:
        """
        Raise the first crash that the test did not ask for, where such are its errors.

        The drivers do so by themselves, while the test waits and when they end.
        """
        self.journal.refuse()

    # -- events and dead letters ---------------------------------------------------------------

    async def wait_event(
        self,
        kind: str,
        *,
        path: str = "",
        count: int = 1,
        timeout: float = 5.0,
        **facts: object,
    ) -> Event:
        """
        Wait until *count* events of *kind* have happened; return the last of them.

        Always a checkpoint. Those that happened before count, as far as the tree remembers.

        Args:
            kind: As in ``greenroom.supervisor.EVENTS``.
            path: Whose; anybody's without it.
            count: How many, 1 for the first.
            timeout: Seconds to wait.
            **facts: What the event has to say.

        Raises:
            NothingCame: Fewer did within *timeout* seconds; the text lists the last events.
        """

        def check() -> Event | None:
            found = self.events(kind, path=path, **facts)
            return found[count - 1] if len(found) >= count else None

        wanted = (
            f"{count} times {_wanted(kind, path, facts)}"
            if count > 1
            else _wanted(kind, path, facts)
        )
        return await self.journal.until(
            check, timeout, wanted, lambda: f"The last events:\n{self.journal.listed()}"
        )

    def events(self, kind: str | None = None, *, path: str = "", **facts: object) -> list[Event]:
        """
        Return the events of *kind*, of *path*, with *facts*, that are remembered.

        Raises:
            ValueError: There is no such *kind*, so it would never happen.
        """
        if kind is not None and kind not in EVENTS:
            near = get_close_matches(kind, EVENTS, n=1)
            meant = f" Write {near[0]!r}." if near else ""
            raise ValueError(
                f"kind must be one of greenroom.supervisor.EVENTS.{meant} Got: {kind!r}"
            )
        return [
            event
            for event in self.root.events.recent(_ALL, kind)
            if path in ("", event.path)
            and all(event.facts.get(name, _MISSING) == fact for name, fact in facts.items())
        ]

    def assert_event(self, kind: str, *, path: str = "", **facts: object) -> Event:
        """
        Return the first event of *kind*, of *path*, with *facts*.

        Raises:
            AssertionError: There was none; the text lists the last events.
        """
        found = self.events(kind, path=path, **facts)
        if not found:
            raise AssertionError(
                f"{_wanted(kind, path, facts)} has not happened. The last events:\n"
                f"{self.journal.listed()}"
            )
        return found[0]

    def assert_no_event(self, kind: str, *, path: str = "", **facts: object) -> None:
        """
        Refuse that an event of *kind*, of *path*, with *facts* has happened.

        Raises:
            AssertionError: One has; the text says which.
        """
        found = self.events(kind, path=path, **facts)
        if found:
            raise AssertionError(
                "these events happened:\n" + "\n".join(f"  {said(each)}" for each in found)
            )

    async def wait_dead_letter(
        self, message_type: str = "", *, path: str = "", timeout: float = 5.0
    ) -> DeadLetter:
        """
        Wait until a message of *message_type*, to *path*, has reached nobody; return what is kept.

        Always a checkpoint. Those that did before count.

        Raises:
            NothingCame: None did within *timeout* seconds; the text lists those that are there.
        """

        def check() -> DeadLetter | None:
            letters = self.root.dead_letters.recent(_ALL)
            return next(
                (
                    each
                    for each in letters
                    if message_type in ("", each.message_type) and path in ("", each.target_path)
                ),
                None,
            )

        wanted = f"a dead letter{f' of type {message_type!r}' if message_type else ''}"
        return await self.journal.until(
            check, timeout, wanted, lambda: f"Dead letters:\n{self._letters()}"
        )

    def assert_no_dead_letters(self) -> None:
        """
        Refuse that a message has reached nobody.

        Raises:
            AssertionError: One has; the text lists them, with the reason of each.
        """
        if self.root.dead_letters.recent(1):
            raise AssertionError(f"messages reached nobody:\n{self._letters()}")

    def _letters(self) -> str:
        letters = self.root.dead_letters.recent(_ALL)
        return (
            "\n".join(f"  {each.summary} to {each.target_path}: {each.reason}" for each in letters)
            or "  (none)"
        )

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass on the application's clock, a virtual one too. Always a checkpoint."""
        await trio.sleep(seconds)

    # -- the end -----------------------------------------------------------------------------

    async def wait_closed(self, timeout: float = 5.0) -> None:
        """
        Wait until no WebSocket and no request is open. Always a checkpoint.

        Raises:
            NothingCame: Some are after *timeout* seconds; the text says what holds them up.
        """
        await self.journal.until(
            lambda: True if not self.root.connections.left() else None,
            timeout,
            "the end of all connections",
            lambda: f"Open: {', '.join(self.root.connections.left())}.",
        )

    def what_is_left(self) -> str:
        """Say what has outlived the server: threads, tasks, connections; "" if nothing has."""
        root = self.root
        left = [
            f"{job}, in a thread of {pool.name}{thread_of(job.rpartition(' for ')[0])}"
            for pool in root.pools
            for job in pool.oldest_jobs()
        ]
        left += [
            f"{each.path} did not stop in time, where it was:\n{each.facts.get('stack', '')}"
            for each in self.events("slot.unkillable")
        ]
        left += [f"the connection {path}" for path in root.connections.left()]
        return "\n".join(left)

    def refuse_what_is_left(self) -> None:
        """
        Refuse that a handler, a task or a thread of the application has outlived it.

        Raises:
            NotStopped: One has; the text says which, and where it is.
        """
        left = self.what_is_left()
        if left:
            said = f"the test has left something behind:\n{left}\n{explain(self.root, '')}"
            raise NotStopped(said.rstrip())

    def _slot_at(self, path: str) -> Slot:
        try:
            target = target_of(self.root.find(path))
        except ActorNotFound:
            paths = [node.path for node in self.root.snapshot().walk() if node.kind == "slot"]
            raise LookupError(
                f"no actor is at {path!r}. There are: {', '.join(paths) or 'none'}"
            ) from None
        if not isinstance(target, Slot):
            raise LookupError(f"{path} handles no messages: it can't crash")  # noqa: TRY004
        return target


_MISSING = object()


def _wanted(kind: str, path: str, facts: dict[str, object]) -> str:
    of = f" of {path}" if path else ""
    having = (
        f" with {', '.join(f'{name}={fact!r}' for name, fact in facts.items())}" if facts else ""
    )
    return f"event {kind}{of}{having}"


def crash_slot(journal: Journal, slot: Slot, error: BaseException | None) -> None:
    """Have *slot*'s incarnation crash with *error*, which the test has asked for by that."""
    error = error or RuntimeError("crashed by a test")
    journal.expect(error)
    slot.inject_crash(error)


async def slot_restarted(journal: Journal, slot: Slot, epoch: int, timeout: float) -> NodeSnapshot:
    """Wait until incarnation *epoch* of *slot* serves; return how the slot is then."""

    def check() -> NodeSnapshot | None:
        if slot.epoch >= epoch and slot.state == "running":
            return slot.snapshot()
        if slot.end is not None:
            raise LookupError(f"{slot.path} has ended ({slot.end}), not restarted")
        return None

    strict, journal.strict = journal.strict, False  # it is about a crash
    try:
        return await journal.until(
            check, timeout, f"incarnation {epoch} of {slot.path}", lambda: f"It is {slot.state}."
        )
    finally:
        journal.strict = strict
