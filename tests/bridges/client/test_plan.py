# What a client class says about its connection, put into words for the link.

from __future__ import annotations

import ssl
import traceback
from typing import Any

import h11
import pytest

from greenroom.bridges.client import ClientSettings
from greenroom.bridges.client._plan import plan_of


def settings(**values: object) -> ClientSettings:
    return type("Feed", (ClientSettings,), values)()


@pytest.mark.parametrize(
    ("url", "host", "port", "host_header", "resource"),
    [
        ("ws://example.org", "example.org", 80, "example.org", "/"),
        ("ws://example.org:80/", "example.org", 80, "example.org", "/"),
        ("ws://example.org:8080/a/b?c=d", "example.org", 8080, "example.org:8080", "/a/b?c=d"),
        ("ws://[::1]:9000/x", "::1", 9000, "[::1]:9000", "/x"),
        ("wss://example.org/?q", "example.org", 443, "example.org", "/?q"),
        ("wss://user:pass@example.org:444", "example.org", 444, "example.org:444", "/"),
    ],
)
def test_a_url_is_taken_apart(
    url: str, host: str, port: int, host_header: str, resource: str
) -> None:
    """
    Host, port, Host header and request target follow from the URL.
    """
    plan = plan_of(settings(url=url))

    assert (plan.host, plan.port) == (host, port)
    assert (plan.host_header, plan.resource) == (host_header, resource)
    assert (plan.ssl_context is not None) is url.startswith("wss")


def test_the_name_keeps_secrets() -> None:
    """
    What stands in messages has neither the user nor the query.
    """
    plan = plan_of(settings(url="wss://user:pass@example.org/feed?token=secret"))

    assert plan.name == "wss://example.org/feed"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://me:s3cret@h:port/feed?token=s3cret", "ws://h:port/feed"),
        ("http://me:s3cret@h/feed?token=s3cret", "http://h/feed"),
    ],
)
def test_a_refusal_keeps_secrets(url: str, shown: str) -> None:
    """
    So does what is said of a URL that is refused, where it has its parts.
    """
    with pytest.raises(ValueError, match=f"Got: '{shown}'$"):
        plan_of(settings(url=url))


@pytest.mark.parametrize("headers", [{"X-Key": "1"}, [("X-Key", "1")]])
def test_headers_are_a_mapping_or_pairs(headers: object) -> None:
    """
    Headers may be given either way.
    """
    assert plan_of(settings(url="ws://h", headers=headers)).headers == ((b"X-Key", b"1"),)


def test_a_value_is_what_can_be_sent() -> None:
    """
    A character of a value, inside or at an edge, is taken or refused as h11 does.
    """

    def h11_takes(value: str) -> bool:
        try:
            h11.Request(
                method="GET", target="/", headers=[("Host", "h"), ("X", value.encode("latin-1"))]
            )
        except h11.LocalProtocolError:
            return False
        return True

    def is_taken(value: str) -> bool:
        try:
            plan_of(settings(url="ws://h", headers={"X": value}))
        except ValueError:
            return False
        return True

    values = [f"{a}{chr(n)}{b}" for n in range(256) for a in ("", "x") for b in ("", "x")]
    assert [value for value in values if is_taken(value) != h11_takes(value)] == []


@pytest.mark.parametrize(
    ("pair", "error", "complaint"),
    [
        (("X-Key", b"s3cret"), TypeError, "must be pairs of strings. Got: str, bytes"),
        (("X-Key", "s3cret", "s3cret"), TypeError, "pairs of strings. Got: str, str, str"),
        ("X-Key: s3cret", TypeError, "must be pairs of strings. Got: str"),
        (("X-Key: s3cret", ""), ValueError, "the name of header 2 of Feed.headers is no name"),
        (("", "s3cret"), ValueError, "the name of header 2"),
        (("X-Key", "s3cret\u20ac"), ValueError, "can't have 'X-Key' as it is: a value holds no"),
    ],
)
def test_what_is_no_header_is_not_quoted(pair: Any, error: type[Exception], complaint: str) -> None:
    """
    A header that can't be sent is refused with its name or its place, never with its value.
    """
    with pytest.raises(error, match=complaint) as refused:
        plan_of(settings(url="ws://h", headers=[("X-Own", "1"), pair]))

    assert "s3cret" not in "".join(traceback.format_exception(refused.value, chain=True))


def test_own_trust_is_for_wss() -> None:
    """
    An ssl_context is used for wss:// and refused for ws://.
    """
    context = ssl.create_default_context()
    assert plan_of(settings(url="wss://h", ssl_context=context)).ssl_context is context
    with pytest.raises(ValueError, match="must begin with wss://"):
        plan_of(settings(url="ws://h", ssl_context=context))


@pytest.mark.parametrize("value", [0, -1, "10", float("inf"), None])
def test_numbers_are_checked(value: object) -> None:
    """
    A time or a limit that is no number above 0 is refused with its name.
    """
    with pytest.raises(ValueError, match=r"Feed.close_timeout must be a number above 0. Got: "):
        plan_of(settings(url="ws://h", close_timeout=value))
