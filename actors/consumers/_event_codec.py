"""
The format of event streams (WHATWG HTML, "Server-sent events"), on its way out.

Pure. What a browser would read otherwise than it was meant is refused.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"\r\n|\n|\r")  # the format's line ends, and not those of str.splitlines()

HEARTBEAT = b":\n\n"
"""A comment that says nothing: it keeps a connection in use."""


def encode_event(
    data: str | None = None,
    *,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
) -> bytes:
    """
    Return one event as the bytes of a stream, with the empty line that ends it.

    Args:
        data: The event's data, of any number of lines: the client gets them with line feeds
            between. None for no event: *id* and *retry* alone are only taken note of.
        event: Its type; ``message`` where there is none.
        id: What the client names as the last that it got, when it comes back. An empty one
            makes it name none.
        retry: Milliseconds after which it comes back.

    Raises:
        TypeError: One is of another type.
        ValueError: A type or id with a line end, an id with NUL, a negative retry, text that is
            no valid Unicode, a type without data, or nothing at all.
    """
    lines: list[str] = []
    if event is not None:
        _refuse_no_line("event", event)
        if data is None:
            raise ValueError(f"an event needs data, if empty: browsers skip it. Got: {event!r}")
        lines.append(f"event: {event}")
    if id is not None:
        _refuse_no_line("id", id)
        if "\0" in id:
            raise ValueError(f"an id holds no NUL: browsers skip it. Got: {id!r}")
        lines.append(f"id: {id}")
    if retry is not None:
        if isinstance(retry, bool) or not isinstance(retry, int):
            raise TypeError(f"retry is a whole number of milliseconds. Got: {retry!r}")
        if retry < 0:
            raise ValueError(f"retry is 0 or more milliseconds. Got: {retry!r}")
        lines.append(f"retry: {retry}")
    if data is not None:
        if not isinstance(data, str):
            raise TypeError(f"the data of an event is a str. Got: {type(data).__name__}")
        lines.extend(f"data: {line}" for line in _LINE.split(data))
    if not lines:
        raise ValueError("an event has data, an id or a retry. Got: none of them")
    return _encoded("\n".join(lines) + "\n\n")


def encode_comment(text: str) -> bytes:
    """
    Return *text* as a comment, which clients skip.

    Raises:
        TypeError: It is no str.
        ValueError: It is no valid Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"a comment is a str. Got: {type(text).__name__}")
    return _encoded("".join(f": {line}\n" for line in _LINE.split(text)) + "\n")


def _refuse_no_line(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str. Got: {value!r}")
    if "\n" in value or "\r" in value:
        raise ValueError(f"{name} must be one line. Got: {value!r}")


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"an event must be valid Unicode. Got: {error.object!r:.100}") from None
