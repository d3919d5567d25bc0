# How presences travel between processes: dicts that every engine carries, each with a number of
# its form, so that a process of another version is passed over and not misread.

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import msgspec

from ..actors._presence import Presence
from ._groups import refuse_bad_group
from ._presence_replica import Entry

TYPE = "greenroom.presence"
FORM = 1

Kind = Literal["ask", "alive", "changed", "state", "gone"]


class News(NamedTuple):
    """What one process says to the others of its presences."""

    kind: Kind
    process: str
    """Who says it."""
    version: int = 0
    """At which of its changes."""
    put: Sequence[Entry] = ()
    drop: Sequence[str] = ()
    at_once: bool = False
    part: int = 0
    parts: int = 1
    to: str = ""
    """Whom it asks; empty for all."""


def packed(news: News) -> dict[str, Any]:
    """Return *news* as an engine carries it."""
    return {
        "type": TYPE,
        "form": FORM,
        "kind": news.kind,
        "process": news.process,
        "version": news.version,
        "put": [_fields(each) for each in news.put],
        "drop": list(news.drop),
        "at_once": news.at_once,
        "part": news.part,
        "parts": news.parts,
        "to": news.to,
    }


def unpacked(payload: object) -> News | None:
    """
    Return what another process has said; None if it is of another form.

    Raises:
        ValueError: It can't be read.
    """
    if not isinstance(payload, dict):
        raise ValueError("it is no dict")  # noqa: TRY004 - what came is of no use, as below
    said = cast("dict[str, Any]", payload)
    if said.get("form") != FORM:
        return None
    try:
        wire = msgspec.convert(said, _Wire)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    return News(
        wire.kind,
        wire.process,
        wire.version,
        [_entry(each, wire.process) for each in wire.put],
        wire.drop,
        wire.at_once,
        wire.part,
        wire.parts,
        wire.to,
    )


class _WireEntry(msgspec.Struct, array_like=True):
    topic: str
    key: str
    meta: dict[str, Any]
    since: float
    path: str
    ref: str


class _Wire(msgspec.Struct):
    kind: Kind
    process: str
    version: int
    put: list[_WireEntry]
    drop: list[str]
    at_once: bool
    part: int
    parts: int
    to: str


def _fields(entry: Entry) -> list[Any]:
    topic, each = entry
    return [topic, each.key, dict(each.meta), each.since, each.path, each.ref]


def _entry(wire: _WireEntry, process: str) -> Entry:
    try:
        refuse_bad_group(wire.topic)
        refuse_bad_group(wire.key)
    except ValueError as error:
        raise ValueError("a topic or a key is no name") from error
    if not wire.ref.startswith(f"{process}:"):
        raise ValueError("a presence is not the sender's own")
    _refuse_depth(wire.meta, DEEPEST_META)
    presence = Presence(wire.key, wire.meta, wire.since, wire.path, wire.ref)
    return Entry(wire.topic, presence)


def checked_meta(meta: object) -> Mapping[str, Any]:
    """
    Return a copy of *meta*, as every engine carries it and every client can read it.

    Raises:
        TypeError: It is no mapping, or holds what JSON can't say, a key that is no text, a whole
            number of over 64 bits, or lists and mappings more than 32 deep.
        ValueError: It is over 4,096 bytes, as JSON.
    """
    if meta is None:
        return {}
    if not isinstance(meta, Mapping):
        kind = type(meta).__name__  # never what it says: that goes into logs
        raise TypeError(f"the meta of a presence is a mapping, or None. Got: {kind}")
    plain = dict(cast("Mapping[object, object]", meta))
    try:
        _refuse_depth(plain, DEEPEST_META)
        said = json.dumps(plain, allow_nan=False, ensure_ascii=False)
        size = len(said.encode())
        copy: dict[str, Any] = {}
        if size <= LONGEST_META:
            copy = json.loads(said, parse_int=_whole_number)
    except (TypeError, ValueError) as error:  # whose own attributes may hold what was said
        raise TypeError(f"the meta of a presence holds what JSON can say. Got: {error}") from None
    if size > LONGEST_META:
        raise ValueError(
            f"the meta of a presence goes to all who watch, in {LONGEST_META} bytes at most, as"
            f" JSON: say what it is about, and where to read the rest. Got: {size} bytes"
        )
    return copy


def _refuse_depth(value: object, left: int) -> None:
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        if not all(isinstance(key, str) for key in items):
            raise ValueError("a key that is no text")
        values = list(items.values())
    elif isinstance(value, list | tuple):
        values = list(cast("Sequence[object]", value))
    else:
        return
    if not left:
        raise ValueError(f"one in another, more than {DEEPEST_META} times")
    for each in values:
        _refuse_depth(each, left - 1)


def _whole_number(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise ValueError("a whole number of over 64 bits")
    return number


LONGEST_META = 4096
"""Bytes, as JSON."""
DEEPEST_META = 32
"""Lists and mappings in one another."""
