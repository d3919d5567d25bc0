# What gets out of an application, and what does not.

import pytest
import trio

from greenroom.bridges.hypercorn._boundary import Boundary
from greenroom.bridges.hypercorn._http import PeerGone


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(1)])
async def test_holds(error: BaseException) -> None:
    """
    HOLDS: whatever an application raises is kept and goes no further.
    """
    with Boundary() as boundary:
        raise error

    assert boundary.failed is error


async def test_holds_a_stray_cancellation() -> None:
    """
    HOLDS: a Cancelled that no scope of the server's has sent is an error like any.
    """
    stray: list[trio.Cancelled] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep(0)
        except trio.Cancelled as cancelled:
            stray.append(cancelled)
    with Boundary() as boundary:
        raise stray[0]

    assert boundary.failed is stray[0]


async def test_holds_nothing_back_of_the_servers_cancellation() -> None:
    """
    HOLDS: the server's own cancellation goes through, or the worker would not end.
    """
    boundary = Boundary()
    with trio.CancelScope() as server:
        server.cancel()
        with boundary:
            await trio.sleep(0)
        raise AssertionError("the cancellation was held back")

    assert server.cancelled_caught
    assert boundary.failed is None


@pytest.mark.parametrize(
    "error",
    [PeerGone("x"), ExceptionGroup("", [PeerGone("x"), ExceptionGroup("", [PeerGone("y")])])],
)
def test_no_fault(error: Exception) -> None:
    """
    NO FAULT: that the peer is gone is kept for nobody, nor is a group that says no more.
    """
    with Boundary() as boundary:
        raise error

    assert boundary.failed is None


def test_a_group_with_an_error_of_its_own() -> None:
    """
    HOLDS: a group that says more than that the peer is gone is an error.
    """
    with Boundary() as boundary:
        raise ExceptionGroup("", [PeerGone("x"), ValueError("y")])

    assert isinstance(boundary.failed, ExceptionGroup)
