# Where the engine of a tree puts what it receives: groups and presences share one engine.

from ._groups import Groups
from ._presences import TOPIC, Presences


class Sink:
    """
    Hands on what other processes have published, by topic. Loop thread only, never raises.
    """

    def __init__(self, groups: Groups, presences: Presences) -> None:
        self._groups, self._presences = groups, presences

    def __repr__(self) -> str:
        return f"<Sink {self._groups!r} {self._presences!r}>"

    def deliver(self, topic: str, payload: object) -> None:
        """Take *payload*, published to *topic* by another process."""
        if topic == TOPIC:
            self._presences.deliver(payload)
        else:
            self._groups.deliver(topic, payload)

    def gap(self, reason: str) -> None:
        """Take note that messages of any topic may have been missed."""
        self._groups.gap(reason)
        self._presences.gap()
