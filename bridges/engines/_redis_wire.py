# Messages as bytes, as Channels' Redis layers write and read them: msgpack or JSON, behind random
# bytes where equal messages must differ, and encrypted if there are keys.

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from ._redis_extra import msgpack as _msgpack

msgpack: Any = _msgpack  # has no types

CARRIED = 71
"""Of msgpack's types for extensions: what goes with a message, and is no part of it."""

AGE_SLACK = 10
"""Seconds by which an encrypted message may be older than `expiry`."""


def packed_with(carried: bytes, sender: str, payload: dict[Any, Any]) -> bytes:
    """
    Return the array of *sender* and *payload*, which is not empty, with *carried* beside them.

    Who does not look for that gets the array alone, for it stands under a key of *payload* that
    comes once more behind it, with its own value; of two the last is what counts.

    Raises:
        TypeError: *payload* holds what can't be carried.
    """
    packer = msgpack.Packer(strict_types=True)
    head = packer.pack_array_header(2) + packer.pack(sender)
    head += packer.pack_map_header(len(payload) + 1)
    head += packer.pack(next(iter(payload))) + packer.pack(msgpack.ExtType(CARRIED, carried))
    return head + b"".join(packer.pack(part) for item in payload.items() for part in item)


def unpacked_with(data: bytes) -> tuple[Any, bytes]:
    """
    Return the array that *data* is, and what is carried beside it; empty if nothing is.

    Raises:
        TypeError, ValueError: It is no msgpack.
    """
    carried = b""

    def take(code: int, value: bytes) -> object:
        nonlocal carried
        if code == CARRIED:
            carried = value
        return msgpack.ExtType(code, value)

    return msgpack.unpackb(data, strict_map_key=False, ext_hook=take), carried


class Serializer(Protocol):
    """Turns messages into bytes and back."""

    def serialize(self, message: Any) -> bytes:
        """Return *message* as bytes. Raises TypeError if it holds what can't be carried."""
        ...

    def deserialize(self, message: bytes) -> Any:
        """Return what `serialize` was given."""
        ...


class _Crypter(Protocol):
    def encrypt(self, msg: bytes) -> bytes: ...

    def decrypt(self, msg: bytes, ttl: int | None = None) -> bytes: ...


class BaseMessageSerializer:
    """
    What serializers have in common. A format overrides `as_bytes` and `from_bytes`.

    Args:
        symmetric_encryption_keys: The first encrypts, all decrypt.
        random_prefix_length: Bytes before each message that mean nothing.
        expiry: Seconds after which an encrypted message is refused; None is never.
    """

    def __init__(
        self,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        random_prefix_length: int = 0,
        expiry: float | None = None,
    ) -> None:
        self.random_prefix_length = random_prefix_length
        self.expiry = expiry
        self.crypter = _crypter(symmetric_encryption_keys)

    def as_bytes(self, message: Any) -> bytes:
        """Return *message* as bytes."""
        raise NotImplementedError

    def from_bytes(self, message: bytes) -> Any:
        """Return what `as_bytes` was given."""
        raise NotImplementedError

    def serialize(self, message: Any) -> bytes:
        """Return *message* as it goes over the wire."""
        data = self.as_bytes(message)
        if self.crypter is not None:
            data = self.crypter.encrypt(data)
        return secrets.token_bytes(self.random_prefix_length) + data

    def deserialize(self, message: bytes) -> Any:
        """Return the message that came over the wire."""
        data = message[self.random_prefix_length :]
        if self.crypter is not None:
            age = None if self.expiry is None else int(self.expiry) + AGE_SLACK
            data = self.crypter.decrypt(data, age)
        return self.from_bytes(data)


class MsgPackSerializer(BaseMessageSerializer):
    """Plain msgpack: text, bytes, numbers, lists, dicts, booleans, None."""

    def as_bytes(self, message: Any) -> bytes:
        """Return *message* as msgpack."""
        return cast("bytes", msgpack.packb(message))

    def from_bytes(self, message: bytes) -> Any:
        """Return what the msgpack *message* says."""
        return msgpack.unpackb(message)


class JSONSerializer(BaseMessageSerializer):
    """JSON in UTF-8: no bytes."""

    def as_bytes(self, message: Any) -> bytes:
        """Return *message* as JSON."""
        return json.dumps(message).encode()

    def from_bytes(self, message: bytes) -> Any:
        """Return what the JSON *message* says."""
        return json.loads(message)


class SerializerDoesNotExist(KeyError):
    """No serializer is registered for the format."""


class SerializersRegistry:
    """Formats by name: "msgpack", "json", and what a project registers."""

    def __init__(self) -> None:
        self._classes: dict[str, Callable[..., Serializer]] = {
            "json": JSONSerializer,
            "msgpack": MsgPackSerializer,
        }

    def register_serializer(self, format: str, serializer_class: Any) -> None:
        """
        Have *format* stand for *serializer_class*, which has `serialize` and `deserialize`.

        Raises:
            TypeError: It has not.
        """
        if not (
            isinstance(serializer_class, type)
            and hasattr(serializer_class, "serialize")
            and hasattr(serializer_class, "deserialize")
        ):
            raise TypeError(
                "a serializer is a class with the methods serialize and deserialize."
                f" Got: {serializer_class!r}"
            )
        self._classes[format] = serializer_class

    def get_serializer(self, format: str, *args: Any, **kwargs: Any) -> Serializer:
        """Return a new serializer for *format*. Raises SerializerDoesNotExist if unknown."""
        if format not in self._classes:
            raise SerializerDoesNotExist(format)
        return self._classes[format](*args, **kwargs)


registry = SerializersRegistry()


def _crypter(keys: Sequence[str | bytes] | None) -> _Crypter | None:
    if not keys:
        return None
    if isinstance(keys, str | bytes):
        raise ValueError(  # noqa: TRY004 - as Channels does
            "symmetric_encryption_keys must be a list of possible keys"
        )
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError:
        raise ValueError("Cannot run with encryption without 'cryptography' installed.") from None
    return MultiFernet([Fernet(_fernet_key(key)) for key in keys])


def _fernet_key(key: str | bytes) -> bytes:
    secret = key.encode() if isinstance(key, str) else key
    return base64.urlsafe_b64encode(hashlib.sha256(secret).digest())
