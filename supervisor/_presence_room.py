# What one process knows of one topic of presence, and how much that is.

import math
from typing import NamedTuple

from ..actors._presence import Presence
from ._groups import Member
from ._presence_topic import PresenceTopic


class PresenceTally(NamedTuple):
    """How much there is of a topic."""

    keys: int
    """How many are listed, of all processes."""
    here: int
    """How many presences are of this process."""
    watchers: int
    """How many actors of this process are told of changes."""


class Room:
    """What this process knows of one topic."""

    __slots__ = ("behind", "behind_until", "here", "rests_until", "topic", "watchers")

    def __init__(self, name: str, grace: float) -> None:
        self.topic = PresenceTopic(name, grace)
        """Who is there, of all processes."""
        self.watchers: dict[Member, None] = {}
        """Who is told of changes, in this process."""
        self.here: dict[str, Presence] = {}
        """The presences of this process, by reference."""
        self.behind: dict[Member, None] = {}
        """Of those who watch, who was not told something, and so is owed the whole."""
        self.behind_until = -math.inf
        """Until when they are given time for what is in their mailboxes."""
        self.rests_until = -math.inf
        """Until when nothing is told, for it was just now."""

    def __repr__(self) -> str:
        return f"<Room {self.topic!r} {len(self.watchers)} watchers>"

    @property
    def is_idle(self) -> bool:
        """Whether nobody needs it any more."""
        return not self.watchers and self.topic.is_empty

    @property
    def tally(self) -> PresenceTally:
        """How much there is of it."""
        return PresenceTally(self.topic.keys, len(self.here), len(self.watchers))

    def forget(self, member: Member) -> None:
        """Tell *member* nothing more."""
        self.watchers.pop(member, None)
        self.behind.pop(member, None)
