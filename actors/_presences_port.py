"""The presences of the process, as an actor uses them: handed in, as all in _ports.py is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ._presence import Listed


class PresencesPort(Protocol):
    """Who is present, as an actor uses it. Every method from any thread."""

    def track(
        self, topic: str, key: str, member: Any, meta: Mapping[str, Any] | None, limit: int
    ) -> None:
        """Make *member* present in *topic* as *key*."""
        ...

    def update(self, topic: str, key: str, member: Any, meta: Mapping[str, Any] | None) -> None:
        """Have *member* say *meta* of itself."""
        ...

    def untrack(self, topic: str, key: str | None, member: Any) -> None:
        """Make *member* present in *topic* no more, as *key* or at all."""
        ...

    def listed(self, topic: str) -> Listed:
        """Return who is present in *topic*."""
        ...

    def watch(self, topic: str, member: Any, limit: int) -> Listed:
        """Return who is present, and tell *member* of changes from now on."""
        ...

    def unwatch(self, topic: str, member: Any) -> None:
        """Tell *member* no more."""
        ...

    def release(self, member: Any) -> None:
        """Take *member* out of everything."""
        ...
