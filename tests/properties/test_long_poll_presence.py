# Whether the client of a long-polling session is there: against a list of what happened.

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.longpoll._presence import Presence

SECONDS = 10.0
STEPS = st.lists(st.tuples(st.sampled_from(["begin", "end", "wait"]), st.integers(0, 6)))


@given(STEPS)
def test_it_expires_when_so_long_no_poll_has_waited(steps: list[tuple[str, int]]) -> None:
    """
    Newest wins; while one waits it never expires; else so long after the last one's end.
    """
    now, last = 0.0, 0.0
    presence = Presence(now, SECONDS)
    polls: list[object] = []
    current: object | None = None
    for step, number in steps:
        now += number
        if step == "begin":
            poll = object()
            polls.append(poll)
            assert presence.begin(poll) is current
            current = poll
        elif step == "end" and polls:
            poll = polls[number % len(polls)]
            presence.end(poll, now)
            if poll is current:
                current, last = None, now
        assert presence.current is current
        assert presence.polls == len(polls)
        due = inf if current is not None else last + SECONDS
        assert presence.expires == due
        assert presence.expired(now) is (now >= due)
