# What an exception is to those outside of the application: the server, and whoever reads its log.

from typing import cast

import trio

from ...actors._exits import Verdict, judge
from ...actors._lowlevel import inside_trio


def first_of(group: BaseException) -> BaseException:
    """Return the first error inside *group*, at any depth; itself if it is none."""
    while isinstance(group, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", group).exceptions[0]
    return group


def cancelled_from_outside(error: BaseException) -> bool:
    """Say whether *error* is the server's own cancellation, which it is to get back."""
    if judge(error) is not Verdict.FOREIGN or not inside_trio():
        return not inside_trio() and not isinstance(error, Exception)
    return trio.current_effective_deadline() == -float("inf")
