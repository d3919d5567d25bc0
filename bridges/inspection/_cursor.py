# Where a page of the tree ends, as an opaque text. Pure.

import base64
import binascii
import json
from typing import cast

from ...supervisor._look import Key
from ._question import BadQuestion

_MOST = 2000


def cursor_of(key: Key) -> str:
    """Return *key* as a text that fits into a URL."""
    # As it is: a name of 200 characters, each escaped, would be longer than a cursor may be.
    text = json.dumps(key, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def key_of(cursor: str) -> Key:
    """
    Return the key that *cursor* stands for; () for "".

    Raises:
        BadQuestion: It is no cursor.
    """
    if not cursor:
        return ()
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = cast("object", json.loads(base64.b64decode(padded, b"-_", validate=True)))
    except (binascii.Error, UnicodeError, ValueError, RecursionError):
        raise BadQuestion(
            f"after must be what an answer's next said. Got: {cursor[:100]!r}"
        ) from None
    if not isinstance(parts, list) or len(cursor) > _MOST:
        raise BadQuestion(f"after must be what an answer's next said. Got: {cursor[:100]!r}")
    listed = cast("list[object]", parts)
    # The tree compares them: the first is a number, then a route's name or numbers alone.
    for at, part in enumerate(listed):
        named = at == 1 and listed[0] == 0
        if type(part) is not (str if named else int):
            raise _refused(cursor)
    return tuple(cast("list[int | str]", listed))


def _refused(cursor: str) -> BadQuestion:
    return BadQuestion(f"after must be what an answer's next said. Got: {cursor[:100]!r}")
