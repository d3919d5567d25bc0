# The boundary around a connection: what goes wrong inside ends there. One object for all of
# them, since a connection that waits for days should not hold one of its own.

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import cast

logger = logging.getLogger("greenroom.hypercorn")


class Alone:
    """
    Ends every Exception that is raised inside it, with a line in the log.

    A cancellation goes through, and so does what is no Exception (Ctrl-C).
    """

    def __enter__(self) -> None:
        """Begin; the same one may be entered by many at once."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Say whether the error ends here."""
        if isinstance(error, Exception):
            _report(error)
            return True
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            errors, rest = group.split(Exception)
            if errors is not None:
                _report(errors)
                raise rest or group from None
        return False


ALONE = Alone()


def _report(error: Exception) -> None:
    logger.error(
        "a connection ended by an error between hypercorn and its peer; the others go on: %s",
        _first(error),
        exc_info=error,
    )


def _first(error: BaseException) -> str:
    inner = cast("Sequence[BaseException]", getattr(error, "exceptions", ()))
    return _first(inner[0]) if inner else f"{type(error).__name__}: {error}"
