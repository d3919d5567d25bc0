# What the registry keeps and hands out: one entry, and one change of a name.

from dataclasses import dataclass, field
from typing import Literal, Protocol

from ..actors import ActorRef


class Owner(Protocol):
    """Who holds keys: a slot."""

    path: str
    ref: ActorRef


@dataclass(frozen=True, slots=True)
class Registration:
    """One actor under one key, as it was when it was asked for."""

    key: str
    """The unique name, or the shared key."""
    ref: ActorRef
    """Whose it is."""
    value: object = None
    """What its owner says with it."""


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """What a listener is told: a unique name was taken, or is free again."""

    kind: Literal["registered", "unregistered"]
    """Which of the two."""
    registration: Registration
    """Key, owner and value; of a name that is free again, as they were at last."""


@dataclass(eq=False, slots=True)
class Held:
    """The keys of one owner: an index, so that its end costs what it holds and no more."""

    unique: dict[str, None] = field(default_factory=dict[str, None])
    shared: dict[str, list[int]] = field(default_factory=dict[str, list[int]])  # their numbers

    @property
    def number(self) -> int:
        """How many keys that is, against `max_keys`."""
        return len(self.unique) + sum(map(len, self.shared.values()))
