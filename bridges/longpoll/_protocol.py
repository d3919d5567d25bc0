# The wire format, to and fro (docs/reference/long-polling.md). Pure.

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from ...actors.consumers._invalid import from_validation
from ._session import Sent
from ._window import Unacknowledged

TOKEN = b"greenroom-token"
"""The header with the session's token."""
REASON = b"greenroom-reason"
"""The header that says why, where an answer has no body."""

_NO_STORE = (b"cache-control", b"no-store")


class Answer(NamedTuple):
    """One response."""

    status: int
    content: object = None
    """What its body is, as JSON; None for no body."""
    headers: Sequence[tuple[bytes, bytes]] = ()
    raw: bytes | None = None
    """What its body is instead, of the type that the headers say."""

    def events(self) -> list[dict[str, Any]]:
        """Return the two events of ASGI."""
        body, headers = self.raw, [_NO_STORE, *self.headers]
        if body is None:
            body = b"" if self.content is None else msgspec.json.encode(self.content)
            if self.content is not None:
                headers.append((b"content-type", b"application/json"))
        if self.status != 204:
            headers.append((b"content-length", str(len(body)).encode()))
        return [
            {"type": "http.response.start", "status": self.status, "headers": headers},
            {"type": "http.response.body", "body": body},
        ]


def refusal(
    status: int,
    error: str,
    detail: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
    **facts: object,
) -> Answer:
    """Return an answer that says what was wrong."""
    return Answer(status, {"error": error, "detail": detail, **facts}, headers)


def retry_after(seconds: int) -> tuple[bytes, bytes]:
    """Return the header that says when to come again."""
    return (b"retry-after", str(seconds).encode())


def messages(found: Unacknowledged) -> dict[str, object]:
    """Return what a poll's body says."""
    listed: list[dict[str, object]] = []
    for number, frame in found.messages:
        if frame.text is not None:
            listed.append({"seq": number, "text": frame.text})
        else:
            listed.append({"seq": number, "bytes": frame.data})
    content: dict[str, object] = {"messages": listed}
    if found.lost is not None:
        content["lost"] = {"from": found.lost[0], "to": found.lost[1]}
    return content


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    seq: int
    text: str | None = None
    data: bytes | None = msgspec.field(name="bytes", default=None)


class _Messages(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[_Message]


_decoder = msgspec.json.Decoder(_Messages)


class BadRequest(Exception):
    """A request that is not of this protocol."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(detail, field)
        self.detail, self.field = detail, field


def parse_messages(body: bytes) -> list[Sent]:
    """
    Return what a client has posted.

    Raises:
        BadRequest: It is no JSON, or of another shape; the field is named.
    """
    try:
        found = _decoder.decode(body)
    except msgspec.ValidationError as error:
        invalid = from_validation(str(error))
        raise BadRequest(invalid.detail, invalid.field) from None
    except (ValueError, RecursionError):
        raise BadRequest("The body is no JSON.") from None
    sent: list[Sent] = []
    for at, each in enumerate(found.messages):
        if (each.text is None) is (each.data is None):
            raise BadRequest("Expected exactly one of `text` and `bytes`.", f"messages[{at}]")
        if each.seq < 1:
            raise BadRequest("Expected a number from 1 on.", f"messages[{at}].seq")
        sent.append(Sent(each.seq, each.text, each.data))
    return sent


def parse_after(query: bytes) -> int:
    """
    Return the number of the last message that the client has seen: ``?after=``, else 0.

    Raises:
        BadRequest: It is no number, or one field among too many.
    """
    try:
        fields = parse_qs(query.decode("latin-1"), max_num_fields=16)
    except ValueError:
        raise BadRequest("Expected no more than 16 fields.", "after") from None
    values = fields.get("after", ["0"])
    text = values[0]
    if len(values) != 1 or not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest("Expected the number of the last message that was seen.", "after")
    return int(text)
