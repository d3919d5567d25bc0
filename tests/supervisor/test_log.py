# The adapter from events to logging, and its throttle.

import logging

import pytest

from greenroom.supervisor._dead_letters import DeadLetters
from greenroom.supervisor._events import EVENTS, EventStream
from greenroom.supervisor._log import LEVELS, Throttle, Verdict, log_events

FULL, LINE, SILENT = Verdict.FULL, Verdict.LINE, Verdict.SILENT


class Clock:
    """A clock that tests turn by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock at 0."""
    return Clock()


@pytest.fixture
def stream(clock: Clock, caplog: pytest.LogCaptureFixture) -> EventStream:
    """Return a stream whose events are logged, all levels shown."""
    caplog.set_level(logging.DEBUG, "greenroom")
    stream = EventStream()
    log_events(stream, clock=clock)
    return stream


def raised(error: Exception) -> Exception:
    """Return *error* with a traceback, as a handler's would have."""
    try:
        raise error
    except type(error) as caught:
        return caught


def crash(stream: EventStream, path: str = "/connections/chat/1", text: str = "no room") -> None:
    """Emit a crash, with a traceback of its own."""
    stream.emit("slot.crashed", path, 1, exception=raised(ValueError(text)))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged."""
    return [record.getMessage() for record in caplog.records]


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    """Count the records that carry a traceback."""
    return sum(record.exc_info is not None for record in caplog.records)


def test_every_kind_has_a_level() -> None:
    """
    LEVELS and EVENTS list the same kinds.
    """
    assert LEVELS.keys() == EVENTS.keys()


def test_first_reports_are_full() -> None:
    """
    The first *limit* reports of a window are made in full.
    """
    throttle = Throttle(limit=3, seconds=60)

    assert [throttle.decide("a", 0.0) for _ in range(3)] == [(FULL, 0)] * 3


def test_then_a_line_each_time_the_number_doubles() -> None:
    """
    Past the limit report 1, 2, 4, 8 ... is one line that counts those left out.
    """
    throttle = Throttle(limit=0, seconds=60)

    decided = [throttle.decide("a", 0.0) for _ in range(8)]

    assert decided == [
        (LINE, 0),
        (LINE, 0),
        (SILENT, 0),
        (LINE, 1),
        (SILENT, 0),
        (SILENT, 0),
        (SILENT, 0),
        (LINE, 3),
    ]


def test_next_window_says_what_was_left_out() -> None:
    """
    The first report of a new window is full and counts the silent ones before it.
    """
    throttle = Throttle(limit=1, seconds=60)
    for _ in range(1 + 7):
        throttle.decide("a", 0.0)

    assert throttle.decide("a", 59.9) == (LINE, 3)
    assert throttle.decide("a", 59.9) == (SILENT, 0)
    assert throttle.decide("a", 60.0) == (FULL, 1)


def test_keys_are_apart() -> None:
    """
    A flood of one sort does not silence another.
    """
    throttle = Throttle(limit=1, seconds=60)
    for _ in range(100):
        throttle.decide("flood", 0.0)

    assert throttle.decide("rare", 0.0) == (FULL, 0)


def test_keys_are_bounded() -> None:
    """
    Of too many sorts the one whose window is oldest is forgotten.
    """
    throttle = Throttle(limit=1, seconds=60, keys=2)
    for key in ("a", "b", "c"):
        throttle.decide(key, 0.0)

    assert throttle.decide("c", 0.0) == (LINE, 0)
    assert throttle.decide("a", 0.0) == (FULL, 0)


def test_pending_is_told_once() -> None:
    """
    pending() names the sorts with silent reports and forgets them.
    """
    throttle = Throttle(limit=1, seconds=60)
    for _ in range(4):
        throttle.decide("a", 0.0)
    throttle.decide("b", 0.0)

    assert throttle.pending() == {"a": 1}
    assert throttle.pending() == {}


def test_crash_is_logged_with_its_traceback(
    stream: EventStream, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A crash is an error with path, epoch, exception and traceback.
    """
    crash(stream)

    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.name == "greenroom"
    assert record.getMessage() == (
        "slot.crashed: /connections/chat/1 (epoch 1); exception ValueError: no room"
    )
    assert tracebacks(caplog) == 1


def test_records_carry_the_event(stream: EventStream, caplog: pytest.LogCaptureFixture) -> None:
    """
    A structured log finds the event as a dict on the record.
    """
    stream.emit("connection.refused", "/connections", reason="max_connections")

    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.__dict__["greenroom"]["facts"] == {"reason": "max_connections"}


def test_crashes_of_a_supervisor_share_a_throttle(
    stream: EventStream, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """
    A hundred connections that crash alike make five reports a minute, then few lines.
    """
    for number in range(100):
        crash(stream, f"/connections/chat/{number}", f"no room for {number}")

    assert tracebacks(caplog) == 5
    assert len(caplog.records) == 5 + 7
    assert messages(caplog)[-1].endswith("31 more like this were not logged")

    clock.now = 60.0
    crash(stream)
    assert tracebacks(caplog) == 6
    assert messages(caplog)[-1].endswith("31 more like this were not logged")


def test_no_traceback_twice(
    stream: EventStream, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """
    A traceback that was logged word for word within a minute is not logged again, but said so.
    """
    for number in range(3):
        crash(stream, f"/connections/chat/{number}")

    assert tracebacks(caplog) == 1
    assert [each.endswith("; traceback as before") for each in messages(caplog)] == [
        False, True, True,
    ]  # fmt: skip
    crash(stream, text="another room")
    assert tracebacks(caplog) == 2
    clock.now = 61.0
    crash(stream)
    assert tracebacks(caplog) == 3


def test_another_exception_is_another_sort(
    stream: EventStream, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A new kind of exception, or another supervisor, gets its traceback during a storm.
    """
    for _ in range(100):
        crash(stream)
    caplog.clear()
    stream.emit("slot.crashed", "/connections/chat/1", exception=raised(KeyError("x")))
    crash(stream, "/connections/market/1")

    assert tracebacks(caplog) == 2


def test_expected_errors_share_by_type(
    stream: EventStream, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Errors told as text are throttled by the type that they begin with.
    """
    for number in range(100):
        stream.emit("slot.crashed", "/connections/chat/1", error=f"BadInput: field {number}")
    stream.emit("slot.crashed", "/connections/chat/1", error="TooOld: 3 s")

    assert len(caplog.records) == 5 + 7 + 1
    assert messages(caplog)[-1] == "slot.crashed: /connections/chat/1; error TooOld: 3 s"


def test_dead_letters_pause(
    stream: EventStream, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """
    Ten dead letters are logged, then only doublings of their number, for five minutes.
    """
    letters = DeadLetters(stream)
    for number in range(10 + 64):
        letters.add(f"/connections/chat/{number}", {"type": f"kind.{number}"}, "stopped")

    assert len(caplog.records) == 10 + 7
    clock.now = 299.0
    letters.add("/residents/ticker", "x", "stopped")
    assert len(caplog.records) == 10 + 7
    clock.now = 300.0
    letters.add("/residents/ticker", "x", "stopped")
    assert messages(caplog)[-1].endswith("1 more like this were not logged")


def test_what_matters_most_is_never_throttled(
    stream: EventStream, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Fatal and unkillable actors are reported every time, in full.
    """
    for _ in range(20):
        stream.emit("slot.fatal", "/connections/chat/1", exception=raised(ValueError("x")))
        stream.emit("slot.unkillable", "/connections/chat/1", stack="...")

    assert len(caplog.records) == 40
    assert tracebacks(caplog) == 20


def test_stack_stands_below_the_line(stream: EventStream, caplog: pytest.LogCaptureFixture) -> None:
    """
    The stack of an actor that will not stop is readable, a line each.
    """
    stream.emit("slot.unkillable", "/residents/ticker", 3, seconds=5.0, stack="a.py:1\nb.py:2")

    assert messages(caplog) == [
        "slot.unkillable: /residents/ticker (epoch 3); seconds 5.0\na.py:1\nb.py:2"
    ]


def test_stop_tells_what_was_left_out(
    stream: EventStream, caplog: pytest.LogCaptureFixture
) -> None:
    """
    When the root has stopped, silent reports are summed up.
    """
    for _ in range(5 + 7):
        crash(stream)
    stream.emit("root.stopped", "/")

    assert messages(caplog)[-2:] == [
        "root.stopped: /",
        "slot.crashed below /connections/chat (ValueError): 3 more were not logged",
    ]


def test_a_text_cannot_forge_a_line(stream: EventStream, caplog: pytest.LogCaptureFixture) -> None:
    """
    Line breaks, escape codes and halves of characters in a fact, or in a path that somebody has
    typed, are shown as text, and long facts are cut.
    """
    forged = "x\r\nroot.stopped: /\x1b[2J" + "y" * 1000
    stream.emit("connection.refused", "/", reason=forged)
    stream.emit("admin.action", "/\ud800\nroot.stopped: /", 0, action="stop")

    [message, typed] = messages(caplog)
    assert typed == "admin.action: /\\ud800\\nroot.stopped: /; action stop"
    assert "\n" not in message
    assert "\x1b" not in message
    assert "x\\r\\nroot.stopped" in message
    assert len(message) < 600


def test_debug_is_not_throttled(stream: EventStream, caplog: pytest.LogCaptureFixture) -> None:
    """
    Whoever asks for the debug level sees every start and end.
    """
    for number in range(20):
        stream.emit("slot.started", f"/connections/chat/{number}", 1)

    assert len(caplog.records) == 20


def test_levels_that_are_off_cost_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """
    An event below the logger's level is not even put into words.
    """

    class Loud:
        def __str__(self) -> str:
            raise AssertionError("was put into words")

    stream = EventStream()
    log_events(stream)
    with caplog.at_level(logging.INFO, "greenroom"):
        stream.emit("connection.opened", "/connections/chat/1", who=Loud())

    assert caplog.records == []


def test_logging_ends(caplog: pytest.LogCaptureFixture) -> None:
    """
    log_events() returns what ends it, and another logger may be given.
    """
    caplog.set_level(logging.INFO, "mine")
    own = EventStream()
    end = log_events(own, logging.getLogger("mine"))
    own.emit("root.started", "/")
    end()
    own.emit("root.stopped", "/")

    assert [record.name for record in caplog.records] == ["mine"]
