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
