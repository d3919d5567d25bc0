# One process as a heading says it: whether it serves, since when, how busy it is. Pure.

import time
from typing import Any

from ._hearing import Voice
from ._words import Mark, duration, listing, mapping, number, size, told

READY = Mark("\N{CHECK MARK}", "ready", "good")
DRAINING = Mark("\N{BLACK SQUARE}", "draining", "busy")
NOT_READY = Mark("!", "not ready", "bad")
SILENT = Mark("!", "silent", "bad")


def mark_of(voice: Voice) -> Mark:
    """Return whether a process serves, as far as it says."""
    if voice.silent:
        return SILENT
    if voice.answer.get("draining"):
        return DRAINING
    return READY if voice.answer.get("ready") else NOT_READY


def header_of(voice: Voice) -> dict[str, Any]:
    """Return what the heading of a process says."""
    said = voice.answer
    facts = [
        {"name": name, "text": text}
        for name, text in (
            ("up", uptime_text(said)),
            ("connections", number(mapping(said.get("connections")).get("open"))),
            ("tasks", number(said.get("tasks"))),
            ("memory", size(memory_of(said))),
        )
        if said
    ]
    problems = [told(each) for each in listing(said.get("problems"))]
    if voice.silent:
        last = (
            "" if voice.heartbeat is None else f"; its last sign of life was {ago(voice.heartbeat)}"
        )
        problems = [f"{voice.silent}{last}"]
    return {"mark": mark_of(voice), "facts": facts, "problems": problems}


def uptime_text(said: Any) -> str:
    """Return for how long a process runs."""
    started = said.get("started")
    known = isinstance(started, int | float)
    return duration(max(time.time() - started, 0.0)) if known else duration(None)


def lag_of(said: Any) -> object:
    """Return how late the loop is, in seconds; None if that is not measured."""
    return mapping(said.get("loop_lag")).get("last")


def memory_of(said: Any) -> object:
    """Return the bytes of memory that a process holds; None if nobody says."""
    return mapping(said.get("memory")).get("rss")


def ago(at: float) -> str:
    """Return how long ago a moment is."""
    return f"{duration(max(time.time() - at, 0.0))} ago"
