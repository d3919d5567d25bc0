# One process in words, and all of them together. Pure.

from collections.abc import Iterable

from ._data import Data, listed, mapping, number, text, whole
from ._parts import Part, Parts, joined
from ._units import count, duration, several, size
from ._world import Process

LATE = 0.1
"""Seconds of lag from which a loop is called late."""


def of_process(process: Process, now: float) -> Parts:
    """Return one line about *process*; *now* is the unix time."""
    name = Part(_name(process), "name")
    if process.silent:
        return joined([name, *_silent(process, now)])
    facts = process.facts
    started = number(process.who.get("started"))
    return joined(
        [
            name,
            _state(facts),
            _lag(facts),
            Part(several(connections(facts), "connection") if _has_connections(facts) else ""),
            _counted(facts, "tasks", "task"),
            _memory(facts),
            Part("" if started is None else f"up {duration(max(0.0, now - started))}", "quiet"),
        ]
    )


def header(processes: Iterable[Process], trouble: str, unhealthy: int) -> Parts:
    """
    Return the line about all of them.

    Args:
        processes: All that are known.
        trouble: Why nobody could be asked, if so.
        unhealthy: How many places are in trouble.
    """
    known = list(processes)
    silent = [each for each in known if each.silent]
    answering = [each for each in known if not each.silent]
    opened = sum(connections(each.facts) for each in answering)
    unready = sum(_is_unready(each.facts) for each in answering)
    lags = [found for each in answering if (found := lag(each.facts)) is not None]
    parts = [Part(several(len(known), "process", "processes"), "name")]
    if silent:
        parts.append(Part(f"✗ {len(silent)} silent", "bad"))
    if unready:
        parts.append(Part(f"▲ {unready} not ready", "bad"))
    if answering:
        parts.append(Part(several(opened, "connection")))
        parts.append(
            Part(
                f"{'▲ ' if unhealthy else ''}{count(unhealthy)} unhealthy",
                "bad" if unhealthy else "quiet",
            )
        )
    if lags:
        worst = max(lags)
        parts.append(Part(f"lag {duration(worst)} at most", "warn" if worst >= LATE else "quiet"))
    if trouble:
        parts.append(Part(trouble, "bad"))
    return joined(parts)


def connections(facts: Data) -> int:
    """Return how many connections are open."""
    found = facts.get("connections")
    return whole(mapping(found).get("open") if mapping(found) else found)


def lag(facts: Data) -> float | None:
    """Return how late the loop was when it was last looked at, in seconds."""
    found = facts.get("loop_lag")
    return number(mapping(found).get("last") if mapping(found) else found)


def is_ready(process: Process) -> bool:
    """Say whether it answers, and says that it is ready."""
    return not process.silent and not _is_unready(process.facts)


def _name(process: Process) -> str:
    tree = whole(process.who.get("tree"), 1)
    which = f", its tree {tree}" if tree > 1 else ""
    return f"pid {process.pid} on {text(process.who.get('host'))}{which}"


def _silent(process: Process, now: float) -> list[Part]:
    said = f"✗ SILENT: {process.silent}"
    parts = [Part(said, "bad")]
    if process.heard is not None:
        parts.append(Part(f"alive {duration(max(0.0, now - process.heard))} ago", "warn"))
    return parts


def _state(facts: Data) -> Part:
    if facts.get("draining"):
        return Part("◌ draining", "warn")
    if not _is_unready(facts):
        return Part("● ready", "well")
    problems = "; ".join(text(each) for each in listed(facts.get("problems")))
    return Part(f"▲ not ready: {problems}" if problems else "▲ not ready", "bad")


def _is_unready(facts: Data) -> bool:
    return facts.get("ready") is False


def _lag(facts: Data) -> Part:
    seconds = lag(facts)
    if seconds is None:
        return Part("")
    worst = number(mapping(facts.get("loop_lag")).get("worst"))
    late = seconds >= LATE
    at_worst = "" if worst is None else f", at worst {duration(worst)}"
    return Part(
        f"{'▲ ' if late else ''}lag {duration(seconds)}{at_worst}", "warn" if late else "quiet"
    )


def _has_connections(facts: Data) -> bool:
    return facts.get("connections") is not None


def _counted(facts: Data, name: str, noun: str) -> Part:
    found = number(facts.get(name))
    return Part("" if found is None else several(int(found), noun), "quiet")


def _memory(facts: Data) -> Part:
    found = facts.get("memory")
    amount = number(mapping(found).get("rss") if mapping(found) else found)
    return Part("" if amount is None else size(amount), "quiet")
