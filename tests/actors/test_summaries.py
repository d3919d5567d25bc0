# What is said of a message where it is not shown: its type, and no more of that than fits.

from typing import Any

import pytest
from helpers import running, settle
from trio.testing import MockClock

from greenroom.actors import Actor
from greenroom.actors._messages import Call, Cast, summary


class Order:
    """A typed message."""


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"type": "order", "text": "secret"}, "'order'"),
        (Order(), "Order"),
        ({"type": "x" * 100}, repr("x" * 100)),
        ({"type": "x" * 1_000_000}, f"{'x' * 100!r}..."),
        ({"type": "\x1b[2J" * 50}, repr("\x1b[2J" * 25) + "..."),
    ],
)
def test_a_type_is_cut(message: object, said: str) -> None:
    """
    A message is named by its type, which is cut: a peer may have chosen it.
    """
    answer: Any = None
    assert summary(message) == Cast(message).summary() == said
    assert Call(message, answer).summary() == f"call {said}"


class Deaf(Actor):
    """Handles nothing."""


async def test_a_dead_letter_keeps_no_more_of_it(mock_clock: MockClock) -> None:
    """
    A message that nobody handles leaves no more of its type behind, in the letter's reason and in
    what letters are counted by, than fits: a peer may have chosen a long one each time.
    """
    async with running(Deaf) as server:
        root = server.root
        deaf = root.find("/residents/deaf")
        for nth in range(20):
            deaf.cast({"type": f"{nth}" + "x" * 100_000})
        await settle(lambda: len(root.dead_letters.recent()) == 20)
        letters, counts = root.dead_letters.recent(), root.dead_letters.counts()
    assert max(len(each.reason) for each in letters) < 300
    assert max(len(key.reason) + len(key.message_type) for key in counts) < 400
