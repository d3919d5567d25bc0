# One message of the bus: its length in four bytes, then JSON. Pure.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_wire.py:
#   WHOLE      what was packed comes out, however it is cut on its way.
#   BOUNDED    who announces more than he may is refused before a byte of it is kept.

import json
from typing import Any, cast

import msgspec

MOST_QUESTION = 65_536
"""Bytes of a question."""
MOST_ANSWER = 16 * 2**20
"""Bytes of an answer."""
_HEAD = 4


class BadMessage(ValueError):
    """What came is no message of ours."""


def pack(message: dict[str, object], most: int) -> bytes:
    """
    Return *message* as bytes.

    Raises:
        BadMessage: It is longer than *most* bytes.
        TypeError: It holds what is no JSON.
    """
    try:
        body = msgspec.json.encode(message)  # on the loop of who is asked, so it must be quick
    except UnicodeEncodeError:  # half a character, as a client may have sent it
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        body = text.encode("utf-8", "replace")
    if len(body) > most:
        raise BadMessage(f"a message of {len(body)} bytes, where {most} may be sent")
    return len(body).to_bytes(_HEAD, "big") + body


def mended(answer: dict[str, Any]) -> dict[str, Any]:
    """
    Return *answer*, which was sent over no socket, as if it had been: with no half characters.

    A client may have sent one, in JSON, that became the type of a message, or the name of a group;
    no page with it could be encoded.
    """
    try:
        msgspec.json.encode(answer)
    except UnicodeEncodeError:
        text = json.dumps(answer, ensure_ascii=False)
        return cast("dict[str, Any]", json.loads(text.encode("utf-8", "replace")))
    except TypeError:
        pass  # it is no JSON, which whoever makes JSON of it says better
    return answer


class Unpacker:
    """
    Puts one message together from what comes.

    Args:
        most: How many bytes it may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = bytearray()

    def feed(self, data: bytes) -> dict[str, object] | None:
        """
        Take what has come; return the message when it is whole, else None.

        Raises:
            BadMessage: It is none, or too long, or there is more behind it.
        """
        self._kept += data
        if len(self._kept) < _HEAD:
            return None
        size = int.from_bytes(self._kept[:_HEAD], "big")
        if size > self._most:
            raise BadMessage(f"a message of {size} bytes was announced, where {self._most} may be")
        if len(self._kept) < _HEAD + size:
            return None
        if len(self._kept) > _HEAD + size:
            raise BadMessage("there is something behind the message")
        try:
            message = cast("object", json.loads(self._kept[_HEAD:]))
        except (ValueError, RecursionError):
            raise BadMessage("the message is no JSON") from None
        if not isinstance(message, dict):
            raise BadMessage("the message is no mapping")
        return cast("dict[str, object]", message)
