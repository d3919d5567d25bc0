# An exception whose text is a whole message, as `ValueError(text)` of three megabytes: what is kept
# and told of it is bounded, or a few of them would blind whoever looks.

import json
from typing import Any

import pytest
from helpers import running
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.inspection._inspector import Inspector
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor._crashes import MOST_WORDS, _is_long

PATH = "/residents/careless"
LONG = 3_000_000
QUESTIONS: tuple[dict[str, object], ...] = (
    {"ask": "tree", "path": "/residents"},
    {"ask": "actor", "path": PATH, "traceback": True},
    {"ask": "events"},
)


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Careless(Actor):
    """Raises what it was sent, in each way."""

    @handles("raise")
    async def on_raise(self, message: dict[str, Any]) -> None:
        raise ValueError(message["text"])

    @handles("cause")
    async def on_cause(self, message: dict[str, Any]) -> None:
        try:
            raise ValueError(message["text"])
        except ValueError as error:
            raise LookupError("not found") from error

    @handles("group")
    async def on_group(self, message: dict[str, Any]) -> None:
        raise ExceptionGroup("two", [LookupError("not found"), ValueError(message["text"])])


@pytest.mark.parametrize("kind", ["raise", "cause", "group"])
async def test_what_is_told_is_bounded(clock: MockClock, kind: str) -> None:
    """
    Rows, events and tracebacks say how an exception's text begins, and where it was raised.
    """
    async with running(Careless) as server:
        await _crash(server, {"type": kind, "text": "y" * LONG})
        inspector = Inspector(server.root)
        answers = [await inspector.answer(question) for question in QUESTIONS]
    assert max(len(json.dumps(each)) for each in answers) < 2 * MOST_WORDS
    (crash,) = answers[1]["history"]
    assert len(crash["text"]) < 5000
    assert f"on_{kind}" in crash["traceback"]
    assert "yyy" in crash["traceback"]


def _caused(cause: BaseException, by: str) -> BaseException:
    error = LookupError("not found")
    setattr(error, by, cause)
    return error


@pytest.mark.parametrize(
    ("error", "long"),
    [
        (ValueError("y" * LONG), True),
        (_caused(ValueError("y" * LONG), "__cause__"), True),
        (_caused(ValueError("y" * LONG), "__context__"), True),
        (ExceptionGroup("two", [KeyError(), ValueError("y" * LONG)]), True),
        (ValueError("y" * 1000), False),
        (_caused(ValueError("y" * 1000), "__cause__"), False),
        (ExceptionGroup("two", [KeyError(), ValueError("y" * 1000)]), False),
    ],
)
def test_which_are_put_into_words_at_once(error: BaseException, long: bool) -> None:
    """
    A traceback that would keep a long text alive until somebody asks is put into words, and cut, at
    once; any other waits.
    """
    assert _is_long(error) is long


async def _crash(server: ServerDriver, message: dict[str, Any]) -> None:
    server.root.find(PATH).cast(message)
    await server.wait_restarted(PATH, timeout=600)
