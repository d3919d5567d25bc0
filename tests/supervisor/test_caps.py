# How many connections an address, a user and a class may have.

from typing import Any

import pytest

from greenroom.actors import WebsocketConsumer
from greenroom.supervisor import Options
from greenroom.supervisor._caps import Caps, address_key, claims_of_address, claims_of_user
from greenroom.supervisor._connection_limits import ConnectionLimits


class Chat(WebsocketConsumer):
    max_connections = 3
    connections_per_address = 2
    connections_per_user = 1


class Other(WebsocketConsumer):
    pass


def scope(host: object) -> dict[str, Any]:
    return {"client": None if host is None else (host, 1234)}


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ('"[2001:db8:1:2::9]"', "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unknown", "unknown"),
        ("", None),
        (None, None),
    ],
)
def test_addresses(host: object, key: str | None) -> None:
    """
    An IPv6 address counts with its /64; a port, brackets and a mapped IPv4 are no difference.
    """
    assert address_key(scope(host)) == key


def test_a_class_s_own_caps() -> None:
    """
    The class's own are counted apart from others'; the claim that fails takes nothing.
    """
    caps, limits = Caps(), ConnectionLimits.of(Chat, Options())
    claims = [claims_of_address(Chat, limits, scope(host)) for host in ("192.0.2.1",) * 3]
    assert [caps.claim(each) for each in claims[:2]] == [None, None]
    refused = caps.claim(claims[2])
    assert refused is not None
    assert (refused.status, refused.text) == (
        429,
        "too many connections of Chat from this address: 2 at most (connections_per_address)",
    )
    assert caps.claim(claims_of_address(Chat, limits, scope("192.0.2.2"))) is None
    full = caps.claim(claims_of_address(Chat, limits, scope("192.0.2.3")))
    assert full is not None
    assert (full.status, full.text) == (
        503,
        "too many connections of Chat: 3 at most (max_connections)",
    )
    caps.release(claims[0])
    assert caps.claim(claims[2]) is None


def test_the_tree_s_caps() -> None:
    """
    The tree's count all classes together, beside a class's own.
    """
    options = Options(connections_per_address=3, connections_per_user=2)
    caps = Caps()
    of_chat, of_other = (ConnectionLimits.of(each, options) for each in (Chat, Other))
    here = scope("192.0.2.1")
    for actor, limits in ((Chat, of_chat), (Other, of_other), (Other, of_other)):
        assert caps.claim(claims_of_address(actor, limits, here)) is None
    refused = caps.claim(claims_of_address(Chat, of_chat, here))
    assert refused is not None
    assert (
        refused.text
        == "too many connections from this address: 3 at most (connections_per_address)"
    )

    assert caps.claim(claims_of_user(Chat, of_chat, 7)) is None
    own = caps.claim(claims_of_user(Chat, of_chat, 7))
    assert own is not None
    assert (
        own.text == "too many connections of Chat from this user: 1 at most (connections_per_user)"
    )
    assert caps.claim(claims_of_user(Other, of_other, 7)) is None
    assert caps.claim(claims_of_user(Other, of_other, 7)) is not None
    assert claims_of_user(Chat, of_chat, None) == []


def test_nothing_is_left() -> None:
    """
    What is given back leaves nothing in memory.
    """
    caps, limits = Caps(), ConnectionLimits.of(Chat, Options())
    claims = claims_of_address(Chat, limits, scope("192.0.2.1"))
    caps.claim(claims)
    caps.release(claims)
    assert caps._taken == {}
    assert caps.taken(Chat) == 0
