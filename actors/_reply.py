"""The place where one caller waits for one reply."""

# A one-shot slot and not a channel: a late reply must neither block nor crash
# the actor that gives it. Set on the loop's thread only, at most once; later
# attempts answer False and the caller of set() counts them.

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Answer(Protocol):
    """Where the reply to a call goes: a :class:`Reply`, or what stands in for one."""

    @property
    def done(self) -> bool:
        """Whether a reply or an error is there."""
        ...

    @property
    def abandoned(self) -> bool:
        """Whether the caller waits no more."""
        ...

    def set(self, value: object) -> bool:
        """Give the reply; False when nobody waits for it any more."""
        ...

    def fail(self, error: BaseException) -> bool:
        """Say why there is no reply; False when nobody waits for it any more."""
        ...


class Reply:
    """One reply, or the reason why there will be none."""

    __slots__ = ("_done", "_on_done", "abandoned", "error", "value")

    def __init__(self, on_done: Callable[[], object]) -> None:
        self._on_done = on_done
        self._done = False
        self.abandoned = False
        self.value: object = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether a reply or an error is there."""
        return self._done

    def abandon(self) -> None:
        """The caller waits no more: a queued request is skipped, a reply dropped."""
        self.abandoned = True

    def set(self, value: object) -> bool:
        """Give the reply; False when nobody waits for it any more."""
        return self._finish(value, None)

    def fail(self, error: BaseException) -> bool:
        """Say why there is no reply; False when nobody waits for it any more."""
        return self._finish(None, error)

    def _finish(self, value: object, error: BaseException | None) -> bool:
        if self._done or self.abandoned:
            return False
        self._done, self.value, self.error = True, value, error
        self._on_done()
        return True

    def result(self) -> object:
        """Return the value or raise the error: once, for whoever has waited."""
        error, self.error = self.error, None
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del error  # its traceback holds this frame, and those of who called: no cycle
