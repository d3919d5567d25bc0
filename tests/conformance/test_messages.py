# Mailboxes, dead letters and what is not handled: reference scenarios 93, 108 and 109.

import logging
import re

import pytest
from conformance.kit import Journal, member, tree
from trio.testing import MockClock


async def test_93_a_down_that_nobody_would_handle(clock: MockClock, journal: Journal) -> None:
    """
    Unlike in Pekko it can't come to a death pact: without a handler no monitor is set.
    """
    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        assert "no handler for Down" in await t.ask("a", "watch", whom=t.ref("b"))
        await t.s.stop_child("b")
        await t.calm()
        assert t.epochs()["a"] == 1
        assert t.letters() == []


async def test_108_a_full_mailbox(clock: MockClock, journal: Journal) -> None:
    """
    Of five messages for a mailbox of four that does not wait the fifth is a dead letter.
    """
    child = member(journal, "a", mailbox_capacity=4, overflow="drop_newest")
    async with tree(journal, [child]) as t:
        t.tell("a", "wait", seconds=10)
        await t.calm()
        taken = [t.tell("a", "note", text=str(n)) for n in range(1, 6)]
        assert taken == [True] * 4 + [False]
        assert t.letters() == [("a", "note")]
        await t.calm(10)
        assert journal.since(1) == ["a 1", "a 2", "a 3", "a 4"]


async def test_109_dead_letters_do_not_flood_the_log(
    clock: MockClock, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A thousand are counted as such; some are logged, with how many were not.
    """
    caplog.set_level(logging.INFO)
    child = member(journal, "a", mailbox_capacity=4, overflow="drop_newest", shutdown_seconds=0)
    async with tree(journal, [child]) as t:
        t.tell("a", "wait", seconds=1000)
        await t.calm()
        for _ in range(1004):
            t.tell("a", "note", text="hello")
        assert t.lost() == 1000
    said = [each.getMessage() for each in caplog.records if "dead_letter" in each.getMessage()]
    assert 10 <= len(said) <= 25
    assert not any("hello" in each for each in said)
    assert not any("not logged" in each for each in said[:10])
    left_out = [int(number) for each in said for number in re.findall(r"(\d+) more", each)]
    assert len(said) - 1 + sum(left_out) == 1000  # the last line says only how many
