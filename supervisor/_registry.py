# The registry: names that one actor has, and keys that many share.
#
# Two dictionaries and their owners, after Elixir's Registry (unique and duplicate keys) and
# Pekko's receptionist (listings to subscribe to). For this process; who has a name in another
# one is not known here.
#
# Invariants, each with a test of that name in tests/supervisor/test_registry.py:
#   ONE OWNER    a unique key has one living owner. A dead one counts for nothing, also
#                before its clean-up has come: the key is free when its reference is dead.
#   OWN VALUE    only the owner changes the value; for others the function is not run.
#   IN ORDER     listeners hear of changes in the order in which they were made, each once
#                and before the change returns; a subscriber hears the listing first that
#                its subscription found.
#   SNAPSHOT     what is handed out never changes: who goes through it may change the registry.
#   RELEASED     nothing is left of an owner that was released.
#
# One lock, and listeners are called under it: order is worth nothing otherwise. So they have to
# be quick. A change that a listener makes is told behind the one it was told of. Turned down:
# telling outside of the lock; a listing overtaken by an older one would stand.

from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from threading import RLock
from typing import Literal

from ..actors import ActorRef, AlreadyRegistered, NotRegistered, TooManyKeys
from ._events import EventStream
from ._groups import refuse_bad_group
from ._registration import Held, Owner, Registration, RegistryChange
from ._telling import Telling, call, drop

Listener = Callable[[RegistryChange], object]
Subscriber = Callable[[tuple[Registration, ...]], object]


class Registry:
    """
    Who has which name, and who offers what, in this process.

    Actors change it through ``self.register`` and its like; anybody reads it. All methods may
    be called from any thread; none is a checkpoint.

    Args:
        events: Where names taken and freed are told, without their values.
    """

    def __init__(self, events: EventStream) -> None:
        self._events = events
        self._unique: dict[str, tuple[Owner, Registration]] = {}
        # By a number of its own, which its owner keeps: an end must not search through all others.
        self._shared: dict[str, dict[int, tuple[Owner, Registration]]] = {}
        self._numbers = count()
        self._held: dict[Owner, Held] = {}
        self._listeners: list[list[Listener]] = []
        self._subscribers: dict[str, list[list[Subscriber]]] = {}
        self._telling = Telling()
        self._lock = RLock()

    def __repr__(self) -> str:
        return (
            f"<Registry {len(self._unique)} names, {len(self._shared)} shared keys,"
            f" {len(self._held)} owners>"
        )

    # -- names that only one has ----------------------------------------------------------

    def register(
        self, key: str, owner: Owner, value: object = None, limit: int | None = None
    ) -> None:
        """
        Make the unique name *key* that of *owner*, with *value*.

        Args:
            key: 1 to 200 characters.
            owner: The slot that takes it.
            value: What others may read with it.
            limit: How many keys *owner* may hold; None for any number.

        Raises:
            AlreadyRegistered: A living actor has it, *owner* itself perhaps.
            TooManyKeys: It would be one more than *limit*.
            TypeError: *key* is no string.
            ValueError: It is empty, longer than 200 characters, or no valid text.
        """
        refuse_bad_group(key, "a key of the registry")
        with self._change():
            taken = self._unique.get(key)
            if taken is not None and taken[0].ref.alive:
                raise AlreadyRegistered(key, taken[0].path)
            self._refuse_too_many(key, owner, limit)
            if taken is not None:  # its slot has ended, and is about to be released
                self._free(key)
            registration = Registration(key, owner.ref, value)
            self._unique[key] = (owner, registration)
            self._held.setdefault(owner, Held()).unique[key] = None
            self._tell_change("registered", owner, registration)

    def unregister(self, key: str, owner: Owner) -> None:
        """Free *key*, if it is *owner*'s; otherwise this does nothing."""
        refuse_bad_group(key, "a key of the registry")
        with self._change():
            taken = self._unique.get(key)
            if taken is not None and taken[0] is owner:
                self._free(key)

    def update(self, key: str, owner: Owner, function: Callable[[object], object]) -> object:
        """
        Make ``function(value)`` the value of *key*, and return it.

        *function* is run by the caller, outside of the lock; again, if the value was changed
        meanwhile. What it raises leaves the value as it was.

        Raises:
            NotRegistered: *key* is not *owner*'s; *function* was not run, or its result dropped.
        """
        refuse_bad_group(key, "a key of the registry")
        while True:
            before = self._own(key, owner)
            value = function(before.value)
            with self._lock:
                if self._own(key, owner) is before:
                    self._unique[key] = (owner, Registration(key, owner.ref, value))
                    return value

    def find(self, key: str) -> ActorRef | None:
        """Return the living actor with the unique name *key*, or None."""
        found = self.lookup(key)
        return None if found is None else found.ref

    def lookup(self, key: str) -> Registration | None:
        """Return the living actor with the unique name *key* and its value, or None."""
        taken = self._unique.get(key)
        return taken[1] if taken is not None and taken[1].ref.alive else None

    def listen(self, listener: Listener) -> Callable[[], None]:
        """
        Call *listener* with each :class:`RegistryChange` of unique names from now on.

        In the thread that makes the change, before it returns, and under the registry's lock:
        it must be quick and wait for nothing, least of all another thread. What it raises is
        logged and goes no further. New values are not told.

        Returns:
            A function that ends it; calling it again does nothing.
        """
        entry = [listener]
        with self._lock:
            self._listeners.append(entry)

        def stop() -> None:
            with self._lock:
                drop(self._listeners, entry)

        return stop

    # -- keys that many share -------------------------------------------------------------

    def enlist(
        self, key: str, owner: Owner, value: object = None, limit: int | None = None
    ) -> None:
        """
        List *owner* under *key* once more, with *value*.

        Raises:
            TooManyKeys: It would be one more than *limit*.
            TypeError: *key* is no string.
            ValueError: It is empty, longer than 200 characters, or no valid text.
        """
        refuse_bad_group(key, "a key of the registry")
        with self._change():
            self._refuse_too_many(key, owner, limit)
            number = next(self._numbers)
            entries = self._shared.setdefault(key, {})
            entries[number] = (owner, Registration(key, owner.ref, value))
            self._held.setdefault(owner, Held()).shared.setdefault(key, []).append(number)
            self._tell_listing(key)

    def delist(self, key: str, owner: Owner) -> None:
        """End all entries of *owner* under *key*; without any this does nothing."""
        refuse_bad_group(key, "a key of the registry")
        with self._change():
            held = self._held.get(owner)
            if held is not None and key in held.shared:
                self._strike(key, owner)

    def members(self, key: str) -> tuple[Registration, ...]:
        """Return the living entries under *key*, oldest first."""
        with self._lock:
            entries = self._shared.get(key, {})
            return tuple(each for _, each in entries.values() if each.ref.alive)

    def dispatch(self, key: str, function: Callable[[tuple[Registration, ...]], object]) -> int:
        """
        Call *function* once, here, with the entries under *key*; not at all if there are none.

        *function* decides who of them is meant: all, one by chance, the nearest. It may change
        the registry. What it raises, the caller gets.

        Returns:
            How many entries it was called with.
        """
        entries = self.members(key)
        if entries:
            function(entries)
        return len(entries)

    def subscribe(self, key: str, subscriber: Subscriber) -> Callable[[], None]:
        """
        Call *subscriber* with the entries under *key*: now, and after each change of them.

        Nothing can come between the two. Where, and what it may do, is as with :meth:`listen`.
        An actor has the listing sent to itself:
        ``lambda members: ref.cast(Offers(members))``.

        Returns:
            A function that ends it; calling it again does nothing.
        """
        refuse_bad_group(key, "a key of the registry")
        entry = [subscriber]
        with self._change():
            self._subscribers.setdefault(key, []).append(entry)
            self._tell_subscribers(key, (entry,))

        def stop() -> None:
            with self._lock:
                entries = self._subscribers.get(key, [])
                drop(entries, entry)
                if not entries:
                    self._subscribers.pop(key, None)

        return stop

    # -- owners ---------------------------------------------------------------------------

    def release(self, owner: Owner) -> None:
        """Free everything that *owner* holds, as when its slot ends."""
        if owner not in self._held:  # as nearly always
            return
        with self._change():
            held = self._held.get(owner)
            if held is not None:
                for key in tuple(held.unique):
                    self._free(key)
                for key in tuple(held.shared):
                    self._strike(key, owner)

    def keys_of(self, owner: Owner) -> tuple[str, ...]:
        """Name what *owner* holds: its unique names, then its shared keys, each once."""
        if owner not in self._held:
            return ()
        with self._lock:
            held = self._held.get(owner)
            return () if held is None else (*held.unique, *held.shared)

    def names(self) -> dict[str, str]:
        """Return each unique name with the path of its owner."""
        with self._lock:
            return {key: owner.path for key, (owner, _) in self._unique.items()}

    # -- inside, under the lock -----------------------------------------------------------

    def _own(self, key: str, owner: Owner) -> Registration:
        taken = self._unique.get(key)
        if taken is None or taken[0] is not owner:
            raise NotRegistered(owner.path, key, "" if taken is None else taken[0].path)
        return taken[1]

    def _refuse_too_many(self, key: str, owner: Owner, limit: int | None) -> None:
        held = self._held.get(owner)
        if limit is not None and (0 if held is None else held.number) >= limit:
            raise TooManyKeys(owner.path, key, limit)

    def _free(self, key: str) -> None:
        owner, registration = self._unique.pop(key)
        del self._held[owner].unique[key]
        self._drop_index(owner)
        self._tell_change("unregistered", owner, registration)

    def _strike(self, key: str, owner: Owner) -> None:
        entries = self._shared[key]
        for number in self._held[owner].shared.pop(key):
            del entries[number]
        if not entries:
            del self._shared[key]
        self._drop_index(owner)
        self._tell_listing(key)

    def _drop_index(self, owner: Owner) -> None:
        held = self._held[owner]
        if not held.unique and not held.shared:
            del self._held[owner]

    # -- telling --------------------------------------------------------------------------

    @contextmanager
    def _change(self) -> Generator[None, None, None]:
        """Hold the lock for a change, and tell of it before the lock is let go."""
        with self._lock:
            try:
                yield
            finally:
                self._telling.all()

    def _tell_change(
        self,
        kind: Literal["registered", "unregistered"],
        owner: Owner,
        registration: Registration,
    ) -> None:
        change, listeners = RegistryChange(kind, registration), tuple(self._listeners)

        def tell() -> None:
            self._events.emit(f"registry.{kind}", owner.path, key=registration.key)
            for entry in listeners:
                if entry:
                    call(entry[0], change, "the registry")

        self._telling.add(tell)

    def _tell_listing(self, key: str) -> None:
        subscribers = self._subscribers.get(key)
        if subscribers:
            self._tell_subscribers(key, tuple(subscribers))

    def _tell_subscribers(self, key: str, subscribers: tuple[list[Subscriber], ...]) -> None:
        members = self.members(key)

        def tell() -> None:
            for entry in subscribers:
                if entry:
                    call(entry[0], members, "the registry")

        self._telling.add(tell)
