# All of one actor, or of one process, as lines. Pure.

from collections.abc import Iterator, Mapping

from . import _words as words
from ._data import Data, listed, mapping, mappings, number, refusal, text, whole
from ._outline import outline, short
from ._parts import Part, Parts, joined
from ._processes import of_process
from ._units import duration, moment
from ._world import Process

_SHOWN = frozenset(
    {
        "row", "history", "events", "stack", "state", "state_problem", "describes", "where",
        "presences",
    }
)  # fmt: skip
_ON_ITS_LINE = frozenset({"id", "host", "pid", "started", "tree", "columns", "samples"})
_TITLES: Mapping[str, str] = {
    "spec": "Options",
    "handlers": "Handlers",
    "timers": "Timers",
    "monitors": "Watches",
    "monitored_by": "Watched by",
    "groups": "Groups",
    "names": "Names",
    "watched_topics": "Watches who is present in",
    "connection": "Connection",
}


def of_actor(answer: Data | None, path: str, now: float, *, state: bool) -> list[Parts]:
    """
    Return the lines about one actor.

    Args:
        answer: What its process said; None as long as it has not.
        path: Where it is.
        now: The unix time.
        state: Whether its state was asked for.
    """
    if answer is None:
        return [(Part(path, "title"),), (Part("...", "quiet"),)]
    refused = refusal(answer)
    if refused:
        return [(Part(path, "title"),), (Part(refused, "bad"),)]
    return list(_actor(answer, path, now, state=state))


def of_one_process(process: Process | None, now: float) -> list[Parts]:
    """Return the lines about one process; None for one that has gone."""
    if process is None:
        return [(Part("this process has ended", "bad"),)]
    lines = [of_process(process, now), ()]
    said = {name: value for name, value in process.facts.items() if name not in _ON_ITS_LINE}
    return [*lines, *outline(said)]


def _actor(answer: Data, path: str, now: float, *, state: bool) -> Iterator[Parts]:
    row = mapping(answer.get("row"))
    yield joined([Part(path, "title"), Part(text(row.get("actor")), "name")])
    yield joined(summary(row, now))
    yield from _section("Crashes, the last one first", _crashes(answer, now))
    yield from _section("Stack: where its task is now", _frames(answer))
    yield from _section("Events, the last one first", _events(answer, now))
    if state:
        yield from _section("State", outline(_state(answer), 2))
    yield from _section("Present as", _presences(answer, now))
    for name, value in _without_spreads(answer).items():
        if name not in _SHOWN and value not in (None, [], {}, ""):
            yield from _section(_TITLES.get(name, name.replace("_", " ").capitalize()), _any(value))


def _without_spreads(answer: Data) -> Data:
    """Return *answer* without what is there for a chart; the percentiles say it in numbers."""
    rows = [
        {name: value for name, value in row.items() if name != "spread"}
        for row in mappings(answer.get("handlers"))
    ]
    return {**answer, "handlers": rows}


def summary(row: Data, now: float) -> list[Part]:
    """Return what there is to say of a place on one line."""
    return [
        words.state(row),
        words.unwell(row),
        words.pause(row),
        words.epoch(row),
        words.uptime(row),
        words.restarts(row),
        words.mailbox(row),
        words.waiting(row),
        words.doing(row),
        words.ending(row),
        words.crash(row, now),
        words.trouble(row),
        words.contents(row),
        words.peer(row),
    ]


def _section(title: str, lines: Iterator[Parts]) -> Iterator[Parts]:
    first = next(lines, None)
    if first is not None:
        yield ()
        yield (Part(title, "title"),)
        yield first
        yield from lines


def _frames(answer: Data) -> Iterator[Parts]:
    where = text(answer.get("where"))
    if where:
        yield (Part("  in your own code: ", "quiet"), Part(where, "name"))
    for frame in listed(answer.get("stack")):
        for line in text(frame).splitlines():
            yield (Part("  "), Part(line.expandtabs(4)))


def _crashes(answer: Data, now: float) -> Iterator[Parts]:
    for nth, crash in enumerate(_newest_first(answer.get("history"))):
        if nth:
            yield ()
        at = number(crash.get("at"))
        when = "" if at is None else f"{moment(at)}, {duration(max(0.0, now - at))} ago"
        how = "resumed" if crash.get("directive") == "resume" else "crashed"
        during, caller = text(crash.get("message")), text(crash.get("caller"))
        yield joined(
            [
                Part(f"  {how} {when}", "bad"),
                Part(f"in epoch {whole(crash.get('epoch'))}"),
                Part(f"handling {during}" if during else ""),
                Part(f"from {caller}" if caller else ""),
            ]
        )
        said = text(crash.get("text"))
        yield (
            Part("  "),
            Part(f"{text(crash.get('exception'))}{f': {said}' if said else ''}", "bad"),
        )
        for line in text(crash.get("traceback")).splitlines():
            yield (Part("    "), Part(line.expandtabs(4)))


def _events(answer: Data, now: float) -> Iterator[Parts]:
    for event in _newest_first(answer.get("events")):
        at = number(event.get("at"))
        when = "" if at is None else f"{duration(max(0.0, now - at))} ago"
        facts = mapping(event.get("facts"))
        said = short(facts) if facts else ""
        yield joined(
            [Part(f"  {when}".ljust(14), "quiet"), Part(text(event.get("kind")), "key"), Part(said)]
        )


def _presences(answer: Data, now: float) -> Iterator[Parts]:
    for each in mappings(answer.get("presences")):
        since = number(each.get("since"))
        yield joined(
            [
                Part(f"  {text(each.get('key'))}", "name"),
                Part(f"in {text(each.get('topic'))}"),
                Part("" if since is None else f"for {duration(max(0.0, now - since))}", "quiet"),
            ]
        )


def _newest_first(value: object) -> list[Data]:
    return sorted(mappings(value), key=lambda each: number(each.get("at")) or 0.0, reverse=True)


def _state(answer: Data) -> object:
    shown = answer.get("state")
    if shown is not None:
        return shown
    none = "it shows none: its class has no describe()"
    return text(answer.get("state_problem")) or none


def _any(value: object) -> Iterator[Parts]:
    if isinstance(value, dict | list):
        yield from outline(value, 2)  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield (Part("  "), Part(short(value)))
