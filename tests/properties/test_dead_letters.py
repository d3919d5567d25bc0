# Summaries of messages, for all messages.

import string

from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor._dead_letters import message_type, summarize

SECRET = "\N{SNOWMAN}secret"
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
MESSAGES = st.recursive(
    LEAVES | st.just(SECRET),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(string.ascii_letters), inner),
    max_leaves=20,
)


@given(MESSAGES)
def test_summaries_are_short_and_silent(message: object) -> None:
    """
    A summary never raises, has a bounded length, and quotes no value.
    """
    summary = summarize({"type": "chat.message", "body": message})

    assert len(summarize(message)) < 1000
    assert SECRET not in summary
    assert summary.startswith("chat.message (body: ")
    assert len(message_type(message)) <= 100
