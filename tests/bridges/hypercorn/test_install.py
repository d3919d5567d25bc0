# Which connections hypercorn's trio worker is given.

import logging
from typing import Any, cast

import hypercorn.trio.run
import pytest
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.udp_server import UDPServer

from greenroom.bridges.hypercorn import Limits, _poller, install
from greenroom.bridges.hypercorn._connection import FastTCPServer
from greenroom.bridges.hypercorn._guard import GuardedTCPServer
from greenroom.bridges.hypercorn._install import OFF_SWITCH, _warn
from greenroom.bridges.hypercorn._quic import GuardedUDPServer


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Any:
    """hypercorn's worker module as it is without Greenroom."""
    module = cast("Any", hypercorn.trio.run)
    monkeypatch.setattr(module, "TCPServer", TCPServer)
    monkeypatch.setattr(module, "UDPServer", UDPServer)
    monkeypatch.delenv(OFF_SWITCH, raising=False)
    _warn.cache_clear()
    return module


def test_the_worker_takes_our_connection(untouched: Any) -> None:
    """
    Installing replaces the connection class, and doing it again changes nothing.
    """
    assert install()
    assert install()

    assert untouched.TCPServer is FastTCPServer
    assert untouched.UDPServer is GuardedUDPServer


def test_a_system_without_epoll_is_served_by_hypercorn(
    untouched: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Where our connections can't work hypercorn serves inside the boundary, and the log says so.
    """
    monkeypatch.setattr(_poller, "AVAILABLE", False)
    assert install()

    assert untouched.TCPServer is GuardedTCPServer
    assert "no epoll" in caplog.text


def test_the_off_switch_leaves_the_guard(untouched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Switched off by the environment, hypercorn serves by itself inside the boundary.
    """
    monkeypatch.setenv(OFF_SWITCH, "0")

    assert install()

    assert untouched.TCPServer is GuardedTCPServer
    assert untouched.UDPServer is GuardedUDPServer


def test_limits_are_for_applications_without_their_own(
    untouched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The limits given to install() are those of a connection whose application brings none.
    """
    monkeypatch.setattr(FastTCPServer, "limits", FastTCPServer.limits)

    install(Limits(head_bytes=1000))

    assert FastTCPServer.limits.head_bytes == 1000


def test_an_unknown_hypercorn_is_left_alone(
    untouched: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A version nobody has looked at is not patched, and one warning says what that means.
    """
    with caplog.at_level(logging.WARNING, "greenroom.hypercorn"):
        assert not install(installed="0.99.0")
        assert not install(installed="0.99.0")

    assert untouched.TCPServer is TCPServer
    assert untouched.UDPServer is UDPServer
    (record,) = caplog.records
    assert "hypercorn 0.99.0 is unknown" in record.getMessage()


def test_a_hypercorn_without_what_is_needed_is_left_alone(
    untouched: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Where something is missing nothing is patched, whatever the version says.
    """
    monkeypatch.delattr("hypercorn.events.RawData")

    assert not install()
    assert untouched.TCPServer is TCPServer
    assert "hypercorn.events: RawData(data, address)" in caplog.text
