# Which origins a list of patterns lets in: pure, as a table and by properties.

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.asgi._origins import (
    NULL,
    is_same_host,
    may_connect,
    origin_of,
    pattern_of,
)

TABLE = [
    ("https://example.com", "example.com", True),
    ("http://example.com:8000", "example.com", True),
    ("https://EXAMPLE.com", "Example.COM", True),
    ("https://example.com.", "example.com", True),
    ("https://example.com", "example.com.", True),
    ("https://www.example.com", "example.com", False),
    ("https://notexample.com", "example.com", False),
    ("https://example.com.evil.net", "example.com", False),
    ("https://example.com", ".example.com", True),
    ("https://a.b.example.com", ".example.com", True),
    ("https://notexample.com", ".example.com", False),
    ("https://a.example.com", "*.example.com", True),
    ("https://example.com", "*.example.com", False),
    ("https://example.com", "https://example.com", True),
    ("https://example.com:443", "https://example.com", True),
    ("https://example.com", "https://example.com:443", True),
    ("http://example.com", "https://example.com", False),
    ("http://example.com:443", "https://example.com", False),
    ("https://example.com:8443", "https://example.com", False),
    ("https://example.com:8443", "https://example.com:8443", True),
    ("https://example.com:8443", "https://example.com:*", True),
    ("https://a.example.com", "https://.example.com", True),
    ("https://a.example.com", "https://*.example.com", True),
    ("http://a.example.com", "https://*.example.com", False),
    ("http://example.com", "ws://example.com", True),
    ("https://example.com", "wss://example.com", True),
    ("https://example.com:8443", "example.com:8443", True),
    ("https://example.com", "example.com:8443", False),
    ("http://127.0.0.1:8000", "127.0.0.1", True),
    ("http://[::1]:8000", "[::1]", True),
    ("http://[0:0:0:0:0:0:0:1]", "[::1]", True),
    ("http://[::1]", "http://[::1]:80", True),
    ("http://[::2]", "[::1]", False),
    ("https://xn--bcher-kva.example", "bücher.example", True),
    ("https://xn--bcher-kva.example", "xn--bcher-kva.example", True),
    ("https://a.xn--bcher-kva.example", "https://*.bücher.example", True),
    ("null", "null", True),
    ("null", "*", True),
    ("null", "example.com", False),
    ("https://null", "null", False),
    ("capacitor://localhost", "capacitor://localhost", True),
    ("capacitor://localhost", "localhost", True),
    ("ionic://localhost", "capacitor://localhost", False),
    ("https://anything.example", "*", True),
]

MALFORMED = [
    "", " ", "example.com", "//example.com", "https://", "https://exa mple.com",
    "https://example.com/path", "https://example.com/", "https://user@example.com",
    "https://example.com:port", "https://example.com:0", "https://example.com:99999",
    "https://example.com?x", "https://example.com#x", "https://[::1", "https://[nonsense]",
    "https://a, https://b", "https://example.com\\.evil.net", "javascript:alert(1)",
    "https://example.com:٣",
]  # fmt: skip


@pytest.mark.parametrize(("origin", "pattern", "lets_in"), TABLE)
def test_table(origin: str, pattern: str, lets_in: bool) -> None:
    """
    Each pattern lets in what it stands for and nothing else.
    """
    parsed = origin_of(origin)
    assert parsed is not None
    assert may_connect(parsed, [pattern_of(pattern)]) is lets_in


@pytest.mark.parametrize("header", MALFORMED)
def test_malformed_origins(header: str) -> None:
    """
    What no browser sends is no origin, so no pattern, not even `*`, can let it in.
    """
    assert origin_of(header) is None


@pytest.mark.parametrize(
    "pattern",
    ["", "https://", "exa mple.com", "https://a/path", "a*b.com", "*.*.com", "x:y:z", "[::"],
)
def test_unreadable_patterns(pattern: str) -> None:
    """
    A pattern that could not match what its author meant is refused, with what was given.
    """
    with pytest.raises(ValueError, match="Got: "):
        pattern_of(pattern)


def test_a_pattern_is_a_string() -> None:
    """
    Something else than a string is refused as such.
    """
    with pytest.raises(TypeError, match=r"an origin is a string.* Got: 8000"):
        pattern_of(8000)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("https://example.com", "example.com", True),
        ("https://example.com", "example.com:8000", True),
        ("http://localhost:5173", "localhost:8000", True),
        ("https://example.com", "EXAMPLE.com.", True),
        ("http://[::1]:1", "[::1]:2", True),
        ("https://example.com", "www.example.com", False),
        ("https://example.com", "", False),
        ("https://example.com", "https://example.com", False),
        ("https://example.com", "evil.net, example.com", False),
    ],
)
def test_same_host(origin: str, host: str, same: bool) -> None:
    """
    A page of the host that is asked is told from others; ports don't count.
    """
    parsed = origin_of(origin)
    assert parsed is not None
    assert is_same_host(parsed, host) is same


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
SCHEME = st.sampled_from(["http", "https"])
PORT = st.one_of(st.none(), st.integers(1, 65535))


def written(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" + ("" if port is None else f":{port}")


@given(SCHEME, HOST, PORT)
def test_an_origin_matches_itself(scheme: str, host: str, port: int | None) -> None:
    """
    An origin is let in by itself as a pattern, by its host, and by the domain around it.
    """
    origin = origin_of(written(scheme, host, port))
    assert origin is not None
    for pattern in (written(scheme, host, port), host, f".{host}", f"{scheme}://{host}:*"):
        assert may_connect(origin, [pattern_of(pattern)])


@given(SCHEME, HOST, PORT, HOST, SCHEME, PORT)
def test_a_full_pattern_matches_nothing_else(
    scheme: str, host: str, port: int | None, other: str, other_scheme: str, other_port: int | None
) -> None:
    """
    With scheme, host and port a pattern lets in that one origin.
    """
    origin = origin_of(written(other_scheme, other, other_port))
    assert origin is not None
    own = {"http": 80, "https": 443}
    same = (scheme, host, port or own[scheme]) == (
        other_scheme,
        other,
        other_port or own[other_scheme],
    )
    assert may_connect(origin, [pattern_of(written(scheme, host, port))]) is same


@given(HOST, LABEL)
def test_a_domain_ends_at_a_dot(host: str, label: str) -> None:
    """
    A domain's pattern lets in what is below it, never what only ends alike.
    """
    domain = pattern_of(f".{host}")
    below, alike = origin_of(f"https://{label}.{host}"), origin_of(f"https://{label}{host}")
    assert below is not None
    assert alike is not None
    assert may_connect(below, [domain])
    assert not may_connect(alike, [domain]) or f"{label}{host}".endswith(f".{host}")


@given(st.ip_addresses(v=6))
def test_an_address_has_many_forms(address: ipaddress.IPv6Address) -> None:
    """
    An IPv6 address is the same however it is written.
    """
    origin = origin_of(f"http://[{address.exploded}]")
    assert origin is not None
    assert may_connect(origin, [pattern_of(f"[{address.compressed}]")])


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    """
    Whatever a client sends is an origin or none; nothing is raised.
    """
    origin = origin_of(text)
    assert origin is None or origin == NULL or (origin.scheme and origin.host)
    parsed = origin_of("https://example.com")
    assert parsed is not None
    is_same_host(parsed, text)
