# Messages as bytes, compared with what stock channels_redis writes and reads.

import subprocess
import sys
from typing import Any

import pytest
from channels_redis.serializers import registry as stock  # pyright: ignore[reportMissingTypeStubs]

from greenroom.bridges.engines._redis_ring import shard_of
from greenroom.bridges.engines._redis_wire import (
    BaseMessageSerializer,
    SerializerDoesNotExist,
    SerializersRegistry,
    registry,
)

HI = {"type": "hi", "text": "ü", "list": [1, 2.5, None, True, {"a": "b"}], "big": 2**63}
CONFIGS: list[dict[str, Any]] = [
    {},
    {"random_prefix_length": 12},
    {"random_prefix_length": 5, "symmetric_encryption_keys": ["a", b"b"], "expiry": 60},
]


@pytest.mark.parametrize("config", CONFIGS, ids=["plain", "random", "encrypted"])
@pytest.mark.parametrize("format", ["msgpack", "json"])
def test_the_same_wire(format: str, config: dict[str, Any]) -> None:
    """
    What ours writes stock reads, and the other way round.
    """
    ours = registry.get_serializer(format, **config)
    theirs = stock.get_serializer(format, **config)

    assert theirs.deserialize(ours.serialize(HI)) == HI
    assert ours.deserialize(theirs.serialize(HI)) == HI
    assert (ours.serialize(HI) == ours.serialize(HI)) == (not config)


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64])
def test_what_can_not_be_carried(value: object) -> None:
    """
    msgpack refuses what it has no form for.
    """
    with pytest.raises((TypeError, OverflowError)):
        registry.get_serializer("msgpack").serialize({"x": value})


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    """
    Keys can be rotated: the new one first, the old one behind.
    """
    old = registry.get_serializer("msgpack", symmetric_encryption_keys=["old"])
    new = registry.get_serializer("msgpack", symmetric_encryption_keys=["new"])
    both = registry.get_serializer("msgpack", symmetric_encryption_keys=["new", "old"])

    assert both.deserialize(old.serialize(HI)) == HI
    assert new.deserialize(both.serialize(HI)) == HI


def test_wrong_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One key instead of a list is refused, and so are keys without cryptography.
    """
    with pytest.raises(ValueError, match="must be a list of possible keys"):
        registry.get_serializer("json", symmetric_encryption_keys="key")
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(ValueError, match="without 'cryptography' installed"):
        registry.get_serializer("json", symmetric_encryption_keys=["key"])


def test_a_format_of_ones_own() -> None:
    """
    A project registers a format; an unknown one, and what is no serializer, is refused.
    """

    class Upper(BaseMessageSerializer):
        def as_bytes(self, message: Any) -> bytes:
            return message["text"].upper().encode()

        def from_bytes(self, message: bytes) -> Any:
            return {"text": message.decode()}

    formats = SerializersRegistry()
    formats.register_serializer("upper", Upper)
    serializer = formats.get_serializer("upper", random_prefix_length=3)

    assert serializer.deserialize(serializer.serialize({"text": "hi"})) == {"text": "HI"}
    with pytest.raises(SerializerDoesNotExist):
        formats.get_serializer("other")
    with pytest.raises(TypeError, match="serialize and deserialize"):
        formats.register_serializer("other", dict)


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_the_same_servers(shards: int) -> None:
    """
    A name is on the server where stock channels_redis looks for it.
    """
    from channels_redis.utils import _consistent_hash  # pyright: ignore[reportMissingTypeStubs]

    names = [f"asgi:group:{number}" for number in range(200)] + ["ü"]
    assert [shard_of(name, shards) for name in names] == [
        _consistent_hash(name, shards) for name in names
    ]
    assert {shard_of(name, shards) for name in names} == set(range(shards))


@pytest.mark.parametrize("missing", ["coredis", "msgpack"])
@pytest.mark.parametrize("wanted", ["channels.redis", "engines.redis"])
def test_without_the_extra(missing: str, wanted: str) -> None:
    """
    Without the extra the import says in one sentence what to install.
    """
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from django.conf import settings; settings.configure()\n"
        f"import greenroom.bridges.{wanted}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert f"needs {missing}: pip install 'greenroom[redis]'" in done.stderr
