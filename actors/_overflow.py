"""What may become of a message that is put into a mailbox."""

from __future__ import annotations

from enum import Enum, StrEnum


class Overflow(StrEnum):
    """What happens to a message for a full mailbox. Nothing is dropped silently."""

    WAIT = "wait"
    """``ref.send`` waits for room; ``ref.cast`` answers False (the default)."""
    DROP_NEWEST = "drop_newest"
    """The new message becomes a dead letter."""
    DROP_OLDEST = "drop_oldest"
    """The oldest waiting message becomes a dead letter; a call fails with MailboxFull."""
    ERROR = "error"
    """The sender gets :exc:`MailboxFull`."""
    CLOSE = "close"
    """The actor is stopped; a connection closes with 1013."""


class Put(Enum):
    """What became of a message."""

    TAKEN = "taken"
    RISEN = "risen"
    """Taken, and the mailbox is high now: see :attr:`Mailbox.high`."""
    FULL = "full"
    CLOSED = "closed"
