# What a class says about itself is checked when it is created.

from typing import Any

import pytest

from greenroom.actors import Actor, WebsocketConsumer


@pytest.mark.parametrize(
    ("name", "value", "error", "told"),
    [
        ("restart", "sometimes", ValueError, "'permanent', 'transient', 'temporary'"),
        ("on_exceeded", 3, ValueError, "'park', 'stop', 'escalate'"),
        ("overflow", "spill", ValueError, "Wrong.overflow must be one of 'wait', 'drop_newest'"),
        ("overflow", "conflate", ValueError, "'close'"),
        ("mailbox_capacity", 0, ValueError, "a whole number from 1 on"),
        ("mailbox_capacity", 2.5, TypeError, "a whole number"),
        ("max_restarts", -1, ValueError, "a whole number from 0 on"),
        ("max_restarts", True, TypeError, "a whole number"),
        ("max_seconds", 0, ValueError, "more than that"),
        ("max_seconds", float("inf"), ValueError, "a number of seconds"),
        ("max_seconds", "5", TypeError, "a number of seconds"),
        ("shutdown_seconds", -0.1, ValueError, "a number of seconds from 0 on"),
        ("backoff_min_seconds", -1, ValueError, "a number of seconds from 0 on"),
        ("backoff_max_seconds", "30", TypeError, "a number of seconds"),
        ("backoff_jitter", 1.5, ValueError, "a number from 0 to 1"),
        ("supervise", [ValueError], TypeError, "must map exception classes to directives"),
        ("keep", "username", TypeError, "keep = ['username']"),
        ("expected_errors", [OSError], TypeError, "a tuple of exception classes"),
    ],
)
@pytest.mark.parametrize("base", [Actor, WebsocketConsumer])
def test_a_wrong_setting_is_refused(
    base: type[Actor], name: str, value: object, error: type[Exception], told: str
) -> None:
    """
    A setting that could not be kept is refused with the class, the setting and what came.
    """
    with pytest.raises(error) as refused:
        type("Wrong", (base,), {name: value})

    assert told in str(refused.value)
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_restarts": None, "mailbox_capacity": None},
        {"max_restarts": 0, "max_seconds": 0.5, "shutdown_seconds": 0},
        {"restart": "temporary", "on_exceeded": "escalate", "overflow": "close"},
        {"on_exceeded": "close", "supervise": {}},
        {"backoff_min_seconds": 1, "backoff_max_seconds": 1, "backoff_jitter": 0},
    ],
)
def test_a_right_setting_is_taken(settings: dict[str, Any]) -> None:
    """
    Every documented value, the extremes included, makes a class.
    """
    assert issubclass(type("Right", (WebsocketConsumer,), settings), Actor)


def test_backoff_limits_that_contradict_each_other_are_refused() -> None:
    """
    A class whose shortest pause is longer than its longest is refused with both.
    """
    with pytest.raises(ValueError, match=r"must not exceed its backoff_max_seconds. Got: 2 and 1"):
        type("Wrong", (Actor,), {"backoff_min_seconds": 2, "backoff_max_seconds": 1})


@pytest.mark.parametrize(
    ("name", "value", "error", "told"),
    [
        ("message_bytes", 0, ValueError, "a whole number from 1 on. Got: 0"),
        ("message_bytes", None, TypeError, "a whole number from 1 on. Got: None"),
        ("message_bytes", 1.5, TypeError, "a whole number"),
        ("messages_per_second", 0, ValueError, "a finite number above 0, or None. Got: 0"),
        ("bytes_per_second", "fast", TypeError, "a finite number above 0, or None"),
        ("idle_limit_seconds", float("inf"), ValueError, "a finite number above 0, or None"),
        ("lifetime_seconds", -1, ValueError, "a finite number above 0, or None"),
        ("lifetime_jitter", 2, ValueError, "a number from 0 to 1"),
        ("lifetime_code", 1006, ValueError, "Wrong.lifetime_code: close code must be"),
        ("lifetime_code", "4000", TypeError, "Wrong.lifetime_code: a close code is"),
        ("rate_patience_seconds", -1, ValueError, "a finite number from 0 on. Got: -1"),
        ("rate_burst_seconds", 0, ValueError, "a finite number above 0. Got: 0"),
        ("handshake_seconds", True, TypeError, "a finite number above 0"),
        ("ping_seconds", None, TypeError, "a finite number from 0 on. Got: None"),
        ("max_connections", 0, ValueError, "a whole number from 1 on, or None"),
        ("connections_per_address", 1.0, TypeError, "a whole number from 1 on, or None"),
        ("connections_per_user", "3", TypeError, "a whole number from 1 on, or None"),
        ("subprotocols", "chat", TypeError, 'subprotocols = ["chat.v2"]'),
        ("subprotocols", ["chat", ""], TypeError, 'subprotocols = ["chat.v2"]'),
        ("subprotocol_required", 1, TypeError, "True or False. Got: 1"),
        ("subprotocol_required", True, ValueError, "speaks none"),
        ("groups", "lobby", TypeError, 'groups = ["lobby"]'),
        ("groups", ["room.{0}"], ValueError, '"room.{room}"'),
        ("groups", ["room.{room.__class__}"], ValueError, '"room.{room}"'),
        ("groups", ["room.{"], ValueError, '"room.{room}"'),
        ("groups", [""], ValueError, '"room.{room}"'),
    ],
)
def test_a_wrong_limit_is_refused(
    name: str, value: object, error: type[Exception], told: str
) -> None:
    """
    What a consumer says of its sockets is checked with its class.
    """
    with pytest.raises(error) as refused:
        type("Wrong", (WebsocketConsumer,), {name: value})

    assert told in str(refused.value)
    assert "Wrong" in str(refused.value)


def test_right_limits_are_taken() -> None:
    """
    The extremes of every limit make a class, None where there may be none.
    """
    none = dict.fromkeys(
        (
            "messages_per_second",
            "bytes_per_second",
            "idle_limit_seconds",
            "lifetime_seconds",
            "max_connections",
            "connections_per_address",
            "connections_per_user",
        )
    )
    type("Open", (WebsocketConsumer,), none)
    small = {"message_bytes": 1, "messages_per_second": 0.1, "rate_patience_seconds": 0}
    type("Small", (WebsocketConsumer,), small | {"ping_seconds": 0, "lifetime_jitter": 1})
    spoken = {"subprotocols": ("a",), "subprotocol_required": True, "groups": ("x", "y.{z:>3}")}
    type("Spoken", (WebsocketConsumer,), spoken)
