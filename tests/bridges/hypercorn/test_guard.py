# The guard around hypercorn's connections, over streams in memory. That a server lives on
# after a response that can't be written is seen in tests/e2e/test_http.py.

import logging
from typing import Any

import pytest
import trio
from hypercorn.trio.tcp_server import TCPServer

from greenroom.bridges.hypercorn._guard import GuardedTCPServer


class Failing:
    """A connection that raises what it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        async def run(_: TCPServer) -> None:
            await trio.lowlevel.checkpoint()
            raise error

        monkeypatch.setattr(TCPServer, "run", run)

    async def run(self) -> None:
        """Serve, as hypercorn does."""
        no: Any = None
        await GuardedTCPServer(no, no, no, {}, no)


@pytest.mark.parametrize(
    "error", [KeyError("stream"), ExceptionGroup("", [ExceptionGroup("", [KeyError("stream")])])]
)
async def test_an_error_is_logged_and_ends_there(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What a connection raises is logged with its traceback and goes no further.
    """
    with caplog.at_level(logging.ERROR, "greenroom.hypercorn"):
        await Failing(monkeypatch, error).run()

    (record,) = caplog.records
    assert "KeyError: 'stream'" in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("", [SystemExit(3)])])
async def test_what_is_no_exception_goes_through(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Ctrl-C and its like are not the guard's to absorb.
    """
    with pytest.raises(BaseException) as raised:
        await Failing(monkeypatch, error).run()

    assert not isinstance(raised.value, Exception)


async def test_a_cancellation_beside_an_error_goes_through(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Of an error and a cancellation at once the error is logged and the cancellation obeyed.
    """

    async def run(_: TCPServer) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("stream")

    monkeypatch.setattr(TCPServer, "run", run)
    no: Any = None
    with trio.CancelScope() as scope:
        scope.cancel()
        await GuardedTCPServer(no, no, no, {}, no)

    assert scope.cancelled_caught
    assert "KeyError" in caplog.text
