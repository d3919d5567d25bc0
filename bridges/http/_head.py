# From the bytes of a whole head to its facts, or to the status that refuses it.
#
# Invariants, each with a test of that name in tests/bridges/http/test_head.py:
#   ONE READING   what two servers could read differently is refused: two lengths or codings,
#                 two Hosts, a space before the colon, folded lines, bare CR or LF, NUL.
#   OUR VERDICT   llhttp checks characters; what the request means (length, coding, host,
#                 upgrade, keep-alive) is decided here, from the headers it found.
#   NO CONFUSION  a name with an underscore is dropped, as by nginx: Django makes the same key
#                 of `X_Forwarded_For` as of the `X-Forwarded-For` that a proxy vouches for.
#   FRESH         each head has its own llhttp: nothing of one request is left for the next.
#
# httptools (llhttp in C), measured against h11 on a GET with eight headers: a quarter of the
# time, all checks of this folder included. Turned down: splitting lines in Python, which takes
# twice what llhttp takes once characters are checked as strictly. A parser kept for the next
# request: making one costs 1 us, and each body and each refusal would spoil it.
#
# Where llhttp is lenient and this is not: more than one space in the request line, HTTP/0.9 and
# 2.0, ICE and RTSP, a fragment, any absolute form, `*` for any method, no Host or several,
# leading zeros without end, `gzip, chunked`, and chunked in HTTP/1.0.
#
# Methods: CONNECT and a token that is none of these get 501 and not 405, which would have to
# name in Allow what the target does support (RFC 9110, 9.1): this server makes no tunnels.
# HTTP/1.2 may be read as 1.1 (RFC 9110, 2.5); nobody speaks it, and it gets 505 as 3.7 does.

import re
from collections.abc import Collection

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from ._request import BadRequest, Head, Limits

Headers = list[tuple[bytes, bytes]]

# fmt: off
_METHODS = {
    name.encode(): name
    for name in (
        "ACL", "BIND", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH",
        "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH",
        "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH",
        "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
    )
}
# fmt: on
_VERSIONS = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
_DECIDING = frozenset(
    (b"connection", b"content-length", b"expect", b"host", b"transfer-encoding", b"upgrade")
)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SOME_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
# RFC 3986's host and port, without the comma, which would let two Hosts pass for one.
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[!$&'()*+;=:0-9A-Za-z._~-]+\]"
    rb"|(?:[!$&'()*+;=0-9A-Za-z._~-]++|%[0-9A-Fa-f]{2})++)(?::[0-9]{0,5})?"
)
_ABSOLUTE = re.compile(rb"https?://([^/?]*)(/[^?]*)?(\?.*)?", re.IGNORECASE)
_LENGTH_DIGITS = 19  # 9 EB; more digits are an attack on somebody's integers
_BESIDE_TARGET = 32  # bytes for the longest method, the version and two spaces
_BAD_CODING = ("Invalid `Transfer-Encoding`", "Request has invalid `Transfer-Encoding`")


def longest_line(limits: Limits) -> int:
    """Return how many bytes a request line may have, as long as its end is not seen."""
    return min(limits.target_bytes + _BESIDE_TARGET, limits.head_bytes - 2)


def read_head(head: bytes, limits: Limits) -> Head:
    """
    Return what *head* says.

    Args:
        head: All of it, to the empty line; or, of what can't be a head, the part that shows it.
        limits: Its size as a whole is the caller's to check.

    Raises:
        BadRequest: It is not to be served.
    """
    end = head.find(b"\r\n")
    line = head[:end] if end >= 0 else head
    parts = line.split(b" ")
    if (
        len(parts) != 3
        or not parts[1]
        or parts[0] not in _METHODS
        or parts[2] not in _VERSIONS
        or len(parts[1]) > limits.target_bytes
    ):
        raise _bad_line(line, parts, limits)
    headers = _read_headers(head)
    if len(headers) > limits.headers:
        raise BadRequest(431, f"There are more than {limits.headers} headers.")
    found = dict(headers)
    if len(found) != len(headers):
        found = _joined(headers)
    if b"_" in b"".join(found):
        headers = [each for each in headers if b"_" not in each[0]]
    return _decide(_METHODS[parts[0]], parts[1], _VERSIONS[parts[2]], headers, found)


# Names that nearly every request has, so that a thousand connections share one of each.
_SHARED = {
    name: name
    for name in (
        b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"connection",
        b"content-length", b"content-type", b"cookie", b"host", b"origin", b"pragma", b"referer",
        b"sec-websocket-extensions", b"sec-websocket-key", b"sec-websocket-protocol",
        b"sec-websocket-version", b"upgrade", b"user-agent",
    )
}  # fmt: skip


class _Found:
    """What llhttp finds in one head: the callbacks it looks for, by name."""

    __slots__ = ("complete", "headers")

    def __init__(self) -> None:
        self.headers: Headers = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        name = name.lower()
        self.headers.append((_SHARED.get(name, name), value.rstrip()))

    def on_headers_complete(self) -> None:
        """Take note of the empty line."""
        self.complete = True


def _read_headers(head: bytes) -> Headers:
    found = _Found()
    try:
        HttpRequestParser(found).feed_data(head)
    except HttpParserUpgrade:
        pass  # it says where HTTP ends if the upgrade is accepted: here, behind the head
    except HttpParserError as error:
        status = 501 if str(error).startswith(_BAD_CODING) else 400
        raise BadRequest(status, f"{error}.") from None
    if not found.complete or not head.endswith(b"\r\n\r\n"):
        raise BadRequest(400, "The head breaks off.")
    return found.headers


def _joined(headers: Headers) -> dict[bytes, bytes]:
    """Join what is repeated to a list. What may stand but once is bad as a list."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _DECIDING and name in found:
            found[name] += b"," + value
        else:
            found[name] = value
    return found


def _bad_line(line: bytes, parts: list[bytes], limits: Limits) -> BadRequest:
    # A bare LF and a first byte that begins no method come before the length: fed in drips,
    # they are seen before the line is too long.
    longest = longest_line(limits)
    if not _TOKEN.match(line) or b"\n" in line[: longest + 2]:
        return BadRequest(400, "The request line is malformed.")
    long = BadRequest(414, f"The request target has more than {limits.target_bytes} bytes.")
    if len(line) > longest:
        return long
    if len(parts) != 3 or not parts[1] or not _TOKEN.fullmatch(parts[0]):
        return BadRequest(400, "The request line is malformed.")
    if parts[2] not in _VERSIONS:
        if _SOME_VERSION.fullmatch(parts[2]):
            return BadRequest(505, "The versions of HTTP spoken here are 1.0 and 1.1.")
        return BadRequest(400, "The version of HTTP is malformed.")
    return long if parts[0] in _METHODS else BadRequest(501, "The method is not implemented.")


def _decide(
    method: str, target: bytes, version: str, headers: Headers, found: dict[bytes, bytes]
) -> Head:
    get = found.get
    host = get(b"host")
    if host is None:
        if version == "1.1":
            raise BadRequest(400, "There is no Host.")
    elif not _HOST.fullmatch(host):
        raise BadRequest(400, "Host must be one host, with or without a port.")
    if not target.isascii() or b"#" in target:
        raise BadRequest(400, "The request target is malformed.")
    if not target.startswith(b"/") and (target != b"*" or method != "OPTIONS"):
        target = _from_absolute(target, host, headers)
    length, chunked = _framing(version, get(b"content-length"), get(b"transfer-encoding"))
    keep_alive, upgrade = version == "1.1", False
    connection = get(b"connection")
    if connection is not None:
        tokens = _tokens(connection)
        keep_alive = b"close" not in tokens and (keep_alive or b"keep-alive" in tokens)
        # Only what may be accepted: `h2c` would tunnel HTTP/2 past the rules of a proxy in
        # front. A server may ignore Upgrade (RFC 9110, 7.8), so others are ordinary requests.
        upgrade = (
            b"upgrade" in tokens
            and method == "GET"
            and version == "1.1"
            and b"websocket" in _tokens(get(b"upgrade", b""))
        )
    waits = (chunked or bool(length)) and version == "1.1"
    return Head(
        method,
        target,
        version,
        headers,
        keep_alive,
        waits and get(b"expect", b"").lower() == b"100-continue",
        upgrade,
        length,
        chunked,
    )


def _tokens(value: bytes) -> Collection[bytes]:
    value = value.lower()
    if b"," in value:
        return {each.strip(b" \t") for each in value.split(b",")}
    return (value,)


def _framing(version: str, length: bytes | None, coding: bytes | None) -> tuple[int | None, bool]:
    """Return the length of the body, if it is told, and whether the body is chunked."""
    if coding is not None:
        if length is not None:
            raise BadRequest(400, "Content-Length and Transfer-Encoding contradict each other.")
        if coding.lower() != b"chunked":
            raise BadRequest(501, "The only transfer coding spoken here is chunked.")
        if version == "1.0":
            raise BadRequest(400, "HTTP/1.0 has no transfer codings.")
        return None, True
    if length is None:
        return None, False
    length = length.strip(b" \t")  # llhttp takes spaces off, and leaves tabs
    if not length.isdigit() or len(length) > _LENGTH_DIGITS:
        raise BadRequest(400, "Content-Length must be one number.")
    return int(length), False


def _from_absolute(target: bytes, host: bytes | None, headers: Headers) -> bytes:
    # RFC 9112, 3.2.2: a server must take this form, and its authority before Host. A client
    # must send both the same (3.2), so where they differ, somebody is being deceived.
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _HOST.fullmatch(absolute[1]):
        raise BadRequest(400, "The request target must be a path, or * for OPTIONS.")
    if host is None:
        headers.append((b"host", absolute[1]))
    elif host.lower() != absolute[1].lower():
        raise BadRequest(400, "The host of the request target is not the one in Host.")
    return (absolute[2] or b"/") + (absolute[3] or b"")
