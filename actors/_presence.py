"""Who is present: what a topic shows of each, and how its changes are told."""

# Phoenix's Presence, per key in the place of per connection: a user with two tabs is present once,
# and two metas say where. So a diff needs no counting on the other side.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Presence:
    """One presence: an actor, in this process or another, that is present in a topic as a key."""

    key: str
    """As who: the same user may be present several times, once for each tab."""
    meta: Mapping[str, Any] = field(repr=False, hash=False)
    """What it says of itself. Not to be changed."""
    since: float
    """Since when, in unix seconds; an update changes nothing of it."""
    path: str
    """Where the actor is in the tree of its process."""
    ref: str
    """Which presence it is, of all in all processes; an update changes nothing of it."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as data for a client: its meta, and since when."""
        return {"meta": dict(self.meta), "since": self.since}


Listed = dict[str, tuple[Presence, ...]]


@dataclass(frozen=True, slots=True)
class PresenceDiff:
    """
    What has changed in a topic: for the handler ``@handles(PresenceDiff)`` of who watches it.

    Where it is :attr:`whole`, forget what was known. Then set the keys of :attr:`joined` and of
    :attr:`changed` to what is there, and remove those of :attr:`left`: applied twice it is no
    different. So keys and metas are followed; which presence it is that says so may be another
    since, as after a reconnect: :meth:`Actor.presence_list` has them as they are.

    The list that one begins with is a whole difference, from nothing:
    ``PresenceDiff(topic, joined=self.presence_watch(topic), whole=True)``.
    """

    topic: str
    """Which topic."""
    joined: Listed = field(default_factory=Listed)
    """Who was not there before, by key."""
    left: Listed = field(default_factory=Listed)
    """Who is not there any more, by key, with what was there last."""
    changed: Listed = field(default_factory=Listed)
    """Who is there still, in other words, or more or fewer times."""
    whole: bool = False
    """Whether :attr:`joined` is all who are there: a diff before this one was lost, for the mailbox
    was full; or who watched already began to watch again."""

    def as_dict(self) -> dict[str, Any]:
        """
        Return it as data for a client: of each presence its meta, and since when.

        Of who has left only the keys.
        """
        return {
            "topic": self.topic,
            "joined": shown(self.joined),
            "left": sorted(self.left),
            "changed": shown(self.changed),
            "whole": self.whole,
        }


def shown(listed: Mapping[str, tuple[Presence, ...]]) -> dict[str, list[dict[str, Any]]]:
    """Return *listed* as data for a client: of each presence its meta, and since when."""
    return {key: [each.as_dict() for each in presences] for key, presences in listed.items()}


def same_metas(some: tuple[Presence, ...], others: tuple[Presence, ...]) -> bool:
    """Say whether *some* say the same of themselves as *others*; True is not 1."""
    return len(some) == len(others) and all(
        one.meta is other.meta or repr(one.meta) == repr(other.meta)
        for one, other in zip(some, others, strict=True)
    )
