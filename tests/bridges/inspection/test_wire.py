# Messages of the bus, in every split, and what is none.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.inspection._wire import BadMessage, Unpacker, pack

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    message=st.dictionaries(st.text(max_size=5), values, max_size=4),
    cuts=st.lists(st.integers(1, 30)),
)
def test_whole(message: dict[str, object], cuts: list[int]) -> None:
    """
    WHOLE: what was packed comes out once all of it is there, however it is cut on its way.
    """
    data, unpacker, found = pack(message, 10**6), Unpacker(10**6), None
    for cut in cuts:
        if data and found is None:
            found, data = unpacker.feed(data[:cut]), data[cut:]
    if data:
        assert found is None
        found = unpacker.feed(data)
    assert found == message


def test_bounded() -> None:
    """
    BOUNDED: a length above the most is refused when it is announced, and nothing of it is packed.
    """
    with pytest.raises(BadMessage, match="announced"):
        Unpacker(100).feed((101).to_bytes(4, "big"))
    with pytest.raises(BadMessage, match="may be sent"):
        pack({"x": "y" * 100}, 100)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"nope", "no JSON"),
        (b"[1]", "no mapping"),
        (b"[" * 50_000, "no JSON"),
        (b"\xff", "no JSON"),
    ],
)
def test_no_message(body: bytes, text: str) -> None:
    """
    What is no JSON, or no mapping, is refused.
    """
    with pytest.raises(BadMessage, match=text):
        Unpacker(10**6).feed(len(body).to_bytes(4, "big") + body)


def test_more_behind_it() -> None:
    """
    A message is the only one.
    """
    with pytest.raises(BadMessage, match="behind"):
        Unpacker(100).feed(pack({}, 100) + b"x")


def test_half_a_character() -> None:
    """
    Half a character, which a client may have sent and no page can show, is told as "?".
    """
    data = pack({"x": "\udc80", "y": "ä"}, 100)
    assert Unpacker(100).feed(data) == {"x": "?", "y": "ä"}


def test_what_is_no_json() -> None:
    """
    Who would send what is no JSON is told at once.
    """
    with pytest.raises(TypeError):
        pack({"x": object()}, 100)
