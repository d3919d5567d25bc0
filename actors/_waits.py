"""How long the oldest item of a mailbox has waited, told from a few marks. Pure."""

# To look at the clock for each item costs more than the rest of putting it. So there are marks
# instead: the first so many items, counted from the mailbox's beginning, were there at that time.
# One is made when something comes that has to wait, the first of all that wait; others now and
# then by the loop, when it gives others a turn and has the time anyway.
#
# So what is told is never too long. It is exact for the first that had to wait; for those behind it
# it is short by what lies between two marks, which is a turn, or one handler.

from __future__ import annotations

_MOST = 8


class Waits:
    """The marks of one mailbox, the oldest first."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        # Replaced as a whole: threads mark as well, and one mark less is no harm.
        self._marks: tuple[tuple[int, float], ...] = ()

    def mark(self, upto: int, taken: int, now: float) -> None:
        """
        Take note of what is there.

        Args:
            upto: How many items there have been, those that wait included.
            taken: How many of them were taken.
            now: The time.
        """
        marks = [mark for mark in self._marks if mark[0] > taken]
        if upto > (marks[-1][0] if marks else taken):
            marks.append((upto, now))
            if len(marks) > _MOST:
                del marks[1:-1:2]
        self._marks = tuple(marks)

    def since(self, taken: int) -> float | None:
        """Return since when the first that was not *taken* has been there at least, if known."""
        return next((time for upto, time in self._marks if upto > taken), None)
