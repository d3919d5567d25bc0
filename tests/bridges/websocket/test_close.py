# Close codes, and the payload of a close frame.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.websocket._close import (
    Close,
    Violation,
    build_close,
    is_code,
    parse_close,
)

FORBIDDEN = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 4000, 4999])
def test_same_codes(code: int) -> None:
    """
    SAME CODES: registered codes and those for libraries and applications pass both ways.
    """
    assert is_code(code)
    assert parse_close(build_close(code, "why")) == Close(code, "why")


@pytest.mark.parametrize("code", FORBIDDEN)
def test_same_codes_refused(code: int) -> None:
    """
    SAME CODES: what may not be received is 1002, and may not be sent.
    """
    with pytest.raises(Violation) as caught:
        parse_close(code.to_bytes(2, "big"))
    assert (caught.value.code, caught.value.reason) == (1002, "a close code that may not be sent")
    with pytest.raises(ValueError, match=f"Got: {code}"):
        build_close(code, "why")


@pytest.mark.parametrize("code", [-1, 70000])
def test_codes_that_no_frame_holds(code: int) -> None:
    """
    A number that does not fit in two bytes is refused like any other.
    """
    with pytest.raises(ValueError, match="Got"):
        build_close(code)


def test_empty() -> None:
    """
    EMPTY: a payload without a code is 1005, and 1005 makes one.
    """
    assert parse_close(b"") == Close(1005, "")
    assert build_close(1005) == b""


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"\x03", 1002), (b"\x03\xe8\xff", 1007), (b"\x03\xe8" + "é".encode()[:1], 1007)],
)
def test_malformed(payload: bytes, code: int) -> None:
    """
    Half a code is a protocol error, a reason that is not UTF-8 is bad data.
    """
    with pytest.raises(Violation) as caught:
        parse_close(payload)
    assert caught.value.code == code


@given(st.text(max_size=200))
def test_fits(reason: str) -> None:
    """
    FITS: what is built has at most 125 bytes and parses to the beginning of the reason.
    """
    payload = build_close(4000, reason)

    assert len(payload) <= 125
    assert reason.startswith(parse_close(payload).reason)
    assert (
        len(reason.encode()) - len(parse_close(payload).reason.encode()) < 4 or len(payload) > 121
    )


def test_half_a_surrogate_pair_in_a_reason() -> None:
    """
    A reason that has no UTF-8 does not keep a socket from being closed.
    """
    assert parse_close(build_close(1000, "a\ud800b")) == Close(1000, "a?b")


def test_a_violation_says_what_it_is() -> None:
    """
    A violation reads as a log line and survives pickling by its arguments.
    """
    violation = Violation(1002, "reserved bits are set")

    assert str(violation) == "reserved bits are set (closed with 1002)"
    assert violation.args == (1002, "reserved bits are set")
