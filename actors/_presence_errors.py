"""What goes wrong with presence: both are the caller's own doing."""

from __future__ import annotations

from ._errors import GreenroomError


class NotPresent(GreenroomError, LookupError):
    """*actor* is not present in *topic* as *key*, so there is nothing to update."""

    def __init__(self, actor: str, topic: str, key: str) -> None:
        super().__init__(actor, topic, key)
        self.actor, self.topic, self.key = actor, topic, key

    def __str__(self) -> str:
        return (
            f"{self.actor} is not present in {self.topic!r} as {self.key!r}: use"
            " presence_track() first."
        )


class TooManyPresences(GreenroomError):
    """
    *actor* is present as often as its class allows; *key* in *topic* would be once more.

    Without a *key*: it watches as many topics as its class allows.
    """

    def __init__(self, actor: str, topic: str, key: str, limit: int) -> None:
        super().__init__(actor, topic, key, limit)
        self.actor, self.topic, self.key, self.limit = actor, topic, key, limit

    def __str__(self) -> str:
        if not self.key:
            return (
                f"{self.actor} may watch {self.limit} topics, unwatch one or raise max_presences"
                f" in its class. Got one more: {self.topic!r}"
            )
        return (
            f"{self.actor} may be present {self.limit} times, untrack one or raise max_presences"
            f" in its class. Got one more: {self.key!r} in {self.topic!r}"
        )
