# The token of an InspectionApp, and the cookie that stands for it.

import hmac

import pytest

from greenroom.bridges.inspection._token import COOKIE, COOKIE_SECONDS, Token

GOOD = "a-token-that-nobody-guesses"


@pytest.mark.parametrize("token", ["", "short", "a" * 40, f" {GOOD}", f"{GOOD}\n"])
def test_one_that_can_be_guessed(token: str) -> None:
    """
    A token that is short, of few characters, or has blanks around it is refused, and not shown.
    """
    with pytest.raises(ValueError, match=r"secrets.token_urlsafe.*Got: \d+ characters"):
        Token(token)


def test_no_text() -> None:
    """
    What is no text is no token.
    """
    missing: object = None
    with pytest.raises(TypeError, match="token must be a text. Got: NoneType"):
        Token(missing)  # type: ignore[arg-type]


def test_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    CONSTANT: whatever is offered, digests of one length are compared in constant time.
    """
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr("greenroom.bridges.inspection._token.hmac.compare_digest", compare)
    token = Token(GOOD)
    offered = ["", "x", GOOD[:-1], GOOD, "\udcff", "ä" * 1000]
    assert [token.is_it(each) for each in offered] == [False, False, False, True, False, False]
    assert {(len(one), len(other)) for one, other in compared} == {(32, 32)}
    assert len(compared) == len(offered)


def test_the_header() -> None:
    """
    The header has the token behind Bearer, in any case, and no other scheme will do.
    """
    token = Token(GOOD)
    assert token.in_header(f"Bearer {GOOD}")
    assert token.in_header(f"bearer  {GOOD}")
    assert not token.in_header(GOOD)
    assert not token.in_header(f"Basic {GOOD}")
    assert not token.in_header("")


def test_not_it() -> None:
    """
    NOT IT: the cookie is not the token; it is good for a while, for this token alone, unchanged.
    """
    token = Token(GOOD)
    value = token.cookie(1000)
    assert GOOD not in value
    assert token.in_cookies(f"a=b; {COOKIE}={value}", 1000 + COOKIE_SECONDS - 1)
    assert not token.in_cookies(f"{COOKIE}={value}", 1000 + COOKIE_SECONDS)
    until, _, signature = value.partition(".")
    longer = f"{int(until) + 1}.{signature}"
    for wrong in (longer, until, f".{signature}", "", "x.y", "\xff.\xff"):
        assert not token.in_cookies(f"{COOKIE}={wrong}", 1000)
    assert not Token(f"{GOOD}!").in_cookies(f"{COOKIE}={value}", 1000)
    assert not token.in_cookies("", 1000)
    assert repr(token) == "<Token>"
