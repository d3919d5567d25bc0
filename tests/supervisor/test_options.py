# Options are checked when they are made, and describe themselves.

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from greenroom.supervisor._options import Options

WHOLE = [field.name for field in dataclasses.fields(Options) if isinstance(field.default, int)]
WHOLE.remove("debug")
WHOLE.remove("fast_connections")
WHOLE.remove("patch_asgiref")
WHOLE.remove("origin_required")
WHOLE.remove("tracing")
WHOLE.remove("channels_on_asyncio")
SECONDS = [name for name in Options.__dataclass_fields__ if name.endswith("_seconds")]
SECONDS_OR_NONE = {
    "answer_seconds",
    "idle_limit_seconds",
    "lifetime_seconds",
    "loop_blocked_seconds",
    "ready_lag_seconds",
    "revalidate_seconds",
    "threads_busy_seconds",
}
NONE_ALLOWED = {
    "max_restarts", "max_connections", "storm_restarts", "connections_per_address",
    "connections_per_user", "audit_days",
}  # fmt: skip


def made_with(**options: Any) -> Options:
    """Make Options of anything, as a user may."""
    return Options(**options)


def test_defaults_are_valid() -> None:
    """
    Options() needs no argument and keeps the published defaults.
    """
    options = Options()

    assert (options.max_restarts, options.max_seconds) == (3, 5.0)
    assert options.on_fatal == "end"
    assert options.debug is False


def test_cannot_be_changed() -> None:
    """
    Options are frozen; replace() makes a changed, checked copy.
    """
    options = Options()

    with pytest.raises(dataclasses.FrozenInstanceError):
        options.debug = True  # type: ignore[misc]
    assert dataclasses.replace(options, debug=True).debug
    with pytest.raises(ValueError, match="Got: 0"):
        dataclasses.replace(options, view_threads=0)


def test_unknown_option_is_refused() -> None:
    """
    A misspelt option is a TypeError that names it.
    """
    with pytest.raises(TypeError, match="max_restart"):
        made_with(max_restart=3)


@pytest.mark.parametrize("name", [*WHOLE, "max_connections"])
@pytest.mark.parametrize("value", ["3", 3.0, True])
def test_whole_numbers_are_ints(name: str, value: object) -> None:
    """
    A count that is text, a float or a bool is refused by name and value.
    """
    with pytest.raises(TypeError, match=f"^{name} must be a whole number. Got: {value!r}"):
        made_with(**{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_counts_have_a_minimum(name: str) -> None:
    """
    Counts are at least 1, but for max_restarts, crash_events and parked_threads, which may be 0.
    """
    least = 0 if name in ("max_restarts", "crash_events", "parked_threads") else 1

    with pytest.raises(ValueError, match=f"^{name} must be at least {least}. Got: {least - 1}"):
        made_with(**{name: least - 1})


@pytest.mark.parametrize("name", WHOLE)
def test_none_means_no_limit_where_there_may_be_none(name: str) -> None:
    """
    None lifts max_restarts, max_connections and storm_restarts; elsewhere it is refused.
    """
    if name in NONE_ALLOWED:
        assert getattr(made_with(**{name: None}), name) is None
    else:
        with pytest.raises(TypeError, match="Got: None"):
            made_with(**{name: None})


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [-1, math.inf, math.nan])
def test_seconds_are_finite(name: str, value: float) -> None:
    """
    A deadline that is negative, infinite or not a number is refused.
    """
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        made_with(**{name: value})


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", ["5", None, False])
def test_seconds_are_numbers(name: str, value: object) -> None:
    """
    A deadline that is no number is refused; None, too, where it has no meaning.
    """
    if value is None and name in SECONDS_OR_NONE:
        return
    with pytest.raises(TypeError, match=f"{name} must be a number of seconds. Got: {value!r}"):
        made_with(**{name: value})


@pytest.mark.parametrize("name", sorted(SECONDS_OR_NONE))
def test_none_turns_a_watch_off(name: str) -> None:
    """
    What looks after the loop and the threads can be turned off, each for itself.
    """
    assert getattr(made_with(**{name: None}), name) is None


@pytest.mark.parametrize("name", ["max_seconds", "park_seconds", "batch_seconds"])
def test_some_seconds_are_more_than_none(name: str) -> None:
    """
    A window, a rest and a time slice of 0 seconds make no sense.
    """
    with pytest.raises(ValueError, match=r"more than 0 seconds\. Got: 0"):
        made_with(**{name: 0})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backoff_jitter": 1.5}, ValueError, "between 0 and 1. Got: 1.5"),
        ({"backoff_jitter": "much"}, TypeError, "from 0 to 1. Got: 'much'"),
        ({"backoff_jitter": math.nan}, ValueError, "Got: nan"),
        ({"on_fatal": "explode"}, ValueError, "'end' or 'shutdown'. Got: 'explode'"),
        ({"seed": "x"}, TypeError, "seed must be a whole number, or None. Got: 'x'"),
        ({"seed": True}, TypeError, "Got: True"),
        ({"debug": 1}, TypeError, "True or False. Got: 1"),
        (
            {"backoff_min_seconds": 2, "backoff_max_seconds": 1},
            ValueError,
            "backoff_min_seconds must not exceed backoff_max_seconds. Got: "
            "backoff_min_seconds=2, backoff_max_seconds=1",
        ),
        ({"output_limit_bytes": 100}, ValueError, "must not exceed output_limit_bytes"),
        ({"total_shutdown_seconds": 1}, ValueError, "must not exceed total_shutdown_seconds"),
    ],
)
def test_other_mistakes(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """
    Every other mistake is refused by name, with what was given.
    """
    with pytest.raises(error, match=message):
        made_with(**options)


def test_every_option_is_described() -> None:
    """
    described() lists each option once, with its default, a unit and whole sentences.
    """
    docs = Options.described()

    assert [doc.name for doc in docs] == [field.name for field in dataclasses.fields(Options)]
    for doc in docs:
        assert doc.default == getattr(Options(), doc.name)
        assert doc.unit
        assert doc.doc[0].isupper(), doc.name
        assert doc.doc.endswith("."), doc.name


def test_units_agree_with_names() -> None:
    """
    What ends in _seconds or _bytes has that unit.
    """
    for doc in Options.described():
        for unit in ("seconds", "bytes"):
            assert doc.name.endswith(f"_{unit}") == (doc.unit == unit), doc.name


def test_origins_are_a_list() -> None:
    """
    Origins are None, "*" or strings in a list, which becomes a tuple; anything else is refused.
    """
    assert made_with(origins=["https://a.example"]).origins == ("https://a.example",)
    assert made_with(origins="*").origins == "*"
    for wrong in ("https://a.example", 7, {"a"}):
        with pytest.raises(TypeError, match=r"origins must be a list of origins .* Got: "):
            made_with(origins=wrong)
    with pytest.raises(TypeError, match=r"origins must hold strings .* Got: ''"):
        made_with(origins=[""])


@pytest.mark.parametrize(
    ("option", "error", "text"),
    [
        ({"inspection": "yes"}, TypeError, "inspection must be True, False or None. Got: 'yes'"),
        ({"inspection_dir": 5}, TypeError, "inspection_dir must be a path like .* Got: 5"),
        ({"inspection_dir": b"/run"}, TypeError, "inspection_dir must be a path like"),
        ({"inspection_dir": "run"}, ValueError, "inspection_dir must be absolute.* Got: 'run'"),
    ],
)
def test_who_may_look_in(option: dict[str, Any], error: type[Exception], text: str) -> None:
    """
    Whether, and where, processes answer each other is checked; a Path is a path.
    """
    with pytest.raises(error, match=text):
        made_with(**option)
    assert made_with(inspection=None, inspection_dir=Path("/run")).inspection_dir == Path("/run")
