# Whose limits a connection is held to: the application's own, the tree's, or the handler's.

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from greenroom.bridges.hypercorn import Limits
from greenroom.bridges.hypercorn._limits import limits_from, limits_of
from greenroom.bridges.hypercorn._state import STATE
from greenroom.supervisor import Options

from ._serving import connected

LONG = b"GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (b"x" * 2000)


async def middleware(scope: Any, receive: Any, send: Any) -> None:
    """Stand for anything around an application; it answers by itself."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def state_with(**options: Any) -> dict[str, Any]:
    """Return the state that a tree with *options* leaves in a worker."""
    root = SimpleNamespace(options=Options(**options), stop=lambda: None)
    return {STATE: root}


async def test_the_settings_hold_behind_a_middleware() -> None:
    """
    A middleware hides the application, and the limits of its settings hold all the same.
    """
    async with connected(middleware, state=state_with(head_bytes=1000)) as peer:
        await peer.send(LONG)
        assert (await peer.rest()).startswith(b"HTTP/1.1 431")

    async with connected(middleware, state=state_with()) as peer:
        await peer.send(LONG)
        assert (await peer.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")


def test_the_setting_turns_the_handler_off_behind_a_middleware() -> None:
    """
    FAST_CONNECTIONS = False is heeded whatever is around the application.
    """
    wrapper = SimpleNamespace(app=middleware)

    assert limits_of(wrapper, state_with(fast_connections=False), Limits()) is None


def test_the_applications_own_limits_come_first() -> None:
    """
    An application with limits of its own keeps them; one without a tree gets the handler's.
    """
    own, general = Limits(head_bytes=1), Limits(head_bytes=2)
    wrapper = SimpleNamespace(app=SimpleNamespace(connection_limits=own))

    assert limits_of(wrapper, state_with(), general) is own
    assert limits_of(wrapper, state_with(), own) is own
    assert limits_of(SimpleNamespace(app=middleware), {}, general) is general


def test_connections_share_one_object() -> None:
    """
    Equal options give the same limits, so that no socket holds a copy.
    """
    assert limits_from(Options(ping_seconds=3)) is limits_from(Options(ping_seconds=3))


def test_every_option_of_that_name_counts() -> None:
    """
    What options and limits call by the same name is carried over; none is forgotten.
    """
    shared = {field.name for field in fields(Limits)} & {field.name for field in fields(Options)}
    found = limits_from(Options(**dict.fromkeys(shared, 77)))

    assert len(shared) > 5
    assert {name: getattr(found, name) for name in shared} == dict.fromkeys(shared, 77)
