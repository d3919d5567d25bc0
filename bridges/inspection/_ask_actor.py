# Everything that is known of one place: what holds for it, what became of it, what it does now.
#
# Nothing of it is kept for this question, but how long its handlers take, and that only while
# somebody watches: with `watch` he has them timed for so many seconds more, on the way of a trace.
# State is shown by describe() alone; of the arguments, the messages and the timers' messages
# nothing but names and types, and of a presence never its meta.

from collections.abc import Sequence
from itertools import islice
from typing import Any

import trio

from ...actors import ActorNotFound, CallTimeout, GreenroomError
from ...actors._messages import summary
from ...actors._monitors import Monitor
from ...actors._presence import Presence
from ...actors._seen import Pending, monitors_of, timers_of
from ...supervisor import ChildSpec, NodeSnapshot, Root
from ...supervisor._effective import effective_of_spec, effective_of_supervisor
from ...supervisor._events import printable
from ...supervisor._look import Look
from ...supervisor._request import RequestSlot
from ...supervisor._slot import Slot
from ...supervisor._stacks import Line, shown, users_line
from ...supervisor._standing import Standing
from ...supervisor._tree import CrashReport
from ._connection import connection_of
from ._event_rows import event_row
from ._handlers import handler_rows
from ._question import BadQuestion, Fields
from ._rows import row_at, row_of

MOST = 100
"""How many are told of each: timers, monitors, groups, names, presences, topics."""
EVENTS = 50
"""How many events are told."""
DESCRIBE_SECONDS = 0.7
"""How long is waited for describe(): less than who asks all processes waits for each."""
LONGEST_WATCH = 60.0
"""Seconds for which one question has an actor timed; who goes on looking asks again."""

Answer = dict[str, Any]


async def ask_actor(root: Root, fields: Fields) -> Answer:
    """
    Answer with all about the place at a path. A checkpoint.

    Raises:
        ActorNotFound: Nothing is there.
        BadQuestion: A field is wrong.
        InvalidState: So many actors are timed already.
    """
    path = fields.text("path", most=2000)
    tracebacks, stack = fields.flag("traceback"), fields.flag("stack")
    state, watch = fields.flag("state"), fields.seconds("watch", most=LONGEST_WATCH)
    fields.done()
    await trio.sleep(0)
    look = Look(root)
    place, row = look.place(path), row_at(look, path)
    if row is None:
        return _gone(root, path, tracebacks=tracebacks, stacks=stack)
    if watch is not None:
        _watch(root, path, watch)
    lines = _lines(place)
    answer = _blank(row, _events(root, path, stacks=stack)) | {
        "spec": _spec(root, path),
        "connection": connection_of(place) if isinstance(place, Slot | RequestSlot) else None,
        "stack": shown(lines) if stack else None,
        "where": _shown_line(users_line(lines)) if stack else None,
    }
    if isinstance(place, Slot):
        answer |= _of_slot(root, place, tracebacks=tracebacks, stacks=stack)
        if state and answer["describes"]:  # last: it waits
            answer |= await _state(root, path)
    elif isinstance(place, RequestSlot):
        answer["monitored_by"] = _watchers(root, place)[:MOST]
    return answer


def _blank(row: dict[str, object], events: list[Answer]) -> Answer:
    """Return an answer in which nothing is told but the *row* and the *events*."""
    lists = (
        "history", "handlers", "timers", "monitors", "monitored_by", "groups", "names",
        "presences", "watched_topics",
    )  # fmt: skip
    return {
        "row": row,
        "gone": False,
        "spec": {},
        "events": events,
        **{name: list[Any]() for name in lists},
        "watched": None,
        "connection": None,
        "state": None,
        "state_problem": "",
        "describes": False,
        "stack": None,
        "where": None,
        "left_out": {},
    }


def _gone(root: Root, path: str, *, tracebacks: bool, stacks: bool) -> Answer:
    """Answer with what is kept of a connection that has ended. Raises ActorNotFound."""
    fallen = root.connections.graveyard.find(path)
    if fallen is None:
        raise ActorNotFound(path)
    last = fallen.crashes[-1].brief
    name = path.rpartition("/")[2]
    node = NodeSnapshot(path, "slot", name, fallen.actor, state="ended", epoch=fallen.epoch)
    standing = Standing(unwell="ended", end=fallen.left.reason, left=fallen.left, crash=last)
    row = row_of(node, standing, {"total": 0, "states": {}, "unhealthy": 0})
    reports = [each.report if tracebacks else each.brief for each in fallen.crashes]
    history = [_crash(each, tracebacks=tracebacks, stacks=stacks) for each in reversed(reports)]
    answer = _blank(row, _events(root, path, stacks=stacks))
    return answer | {"gone": True, "history": history}


def _watch(root: Root, path: str, seconds: float) -> None:
    try:
        root.traces.time(path, seconds)
    except (TypeError, ActorNotFound):  # something is there: a supervisor, a route, a task
        raise BadQuestion(f"watch is for an actor, and {path} handles no messages") from None


def _of_slot(root: Root, slot: Slot, *, tracebacks: bool, stacks: bool) -> Answer:
    life, now = slot.life, trio.current_time()
    stopwatch, table = root.traces.timed(slot.path), slot.actor.handler_table()
    timings = None if stopwatch is None else stopwatch.timings()
    lists: dict[str, Sequence[Any]] = {
        "timers": [] if life is None else timers_of(life, MOST + 1),
        "monitors": [] if life is None else monitors_of(life),
        "monitored_by": _watchers(root, slot),
        "groups": root.groups.groups_of(slot),
        "names": root.registry.keys_of(slot),
        "presences": root.presences.presences_of(slot),
        "watched_topics": root.presences.watched_by(slot),
    }
    left_out = {name: len(all_) - MOST for name, all_ in lists.items() if len(all_) > MOST}
    cut = {name: list(islice(all_, MOST)) for name, all_ in lists.items()}
    return {
        "history": [
            _crash(report, tracebacks=tracebacks, stacks=stacks)
            for report in reversed(slot.history(tracebacks=tracebacks))
        ],
        "handlers": handler_rows(table.listed(), slot.actor.frame_handler, timings),
        "watched": stopwatch
        and {"seconds": round(stopwatch.seconds, 3), "left": round(stopwatch.left, 3)},
        **cut,
        "timers": [_timer(each, now) for each in cut["timers"]],
        "monitors": [_monitor(each) for each in cut["monitors"]],
        "presences": [_presence(topic, each) for topic, each in cut["presences"]],
        "describes": "describe" in table.special,
        "left_out": left_out,
    }


def _spec(root: Root, path: str) -> Answer:
    supervisor = root.supervisors.get(path)
    if supervisor is not None:
        return effective_of_supervisor(supervisor)
    slot = Look(root).slot(path)
    if slot is not None:
        return slot.effective()
    above, _, name = path.rpartition("/")
    parent = root.supervisors.get(above)
    entry = parent.entry(name) if parent is not None else None
    spec = entry.spec if entry is not None else None
    return effective_of_spec(spec) if isinstance(spec, ChildSpec) else {}


def _crash(report: CrashReport, *, tracebacks: bool, stacks: bool) -> Answer:
    """Return *report* as data; its traceback may be there though nobody has asked for it here."""
    told = report.as_dict()
    told["recent"] = [event_row(event, stacks=stacks) for event in report.recent]
    if not tracebacks:
        del told["traceback"]
    return told


def _events(root: Root, path: str, *, stacks: bool) -> list[Answer]:
    """Return the last events of *path*, the newest first."""
    return [event_row(each, stacks=stacks) for each in root.events.recent(EVENTS, path=path)][::-1]


def _timer(pending: Pending, now: float) -> Answer:
    timer = pending.timer
    key = timer.key
    return {
        # A key may be any object of the user's, whose words for itself are nobody's business.
        "key": printable(key, 100) if isinstance(key, str) else key and type(key).__name__,
        "message": summary(timer.message),
        "due": None if pending.due == float("-inf") else round(max(0.0, pending.due - now), 3),
        "every": timer.interval,
        "waiting": timer.waiting,
    }


def _presence(topic: str, presence: Presence) -> Answer:
    return {"topic": topic, "key": presence.key, "since": round(presence.since, 3)}


def _monitor(monitor: Monitor) -> Answer:
    return {"path": monitor.ref.path, "incarnations": monitor.incarnations}


def _watchers(root: Root, place: Slot | RequestSlot) -> list[str]:
    """Return the paths of who monitors *place*; of what is no actor, what it is."""
    return [_watcher(each) for each in root.monitors.watchers_of(place)]


def _watcher(watcher: object) -> str:
    owner = watcher.owner if isinstance(watcher, Monitor) else None
    return type(watcher).__name__.lstrip("_") if owner is None else owner.host.path


def _lines(place: object) -> list[Line]:
    return place.lines() if isinstance(place, Slot | RequestSlot) else []


def _shown_line(line: Line | None) -> str | None:
    return None if line is None else str(line)


async def _state(root: Root, path: str) -> Answer:
    """Ask the actor for its state. A checkpoint."""
    try:
        return {"state": await root.describe(path, timeout=DESCRIBE_SECONDS)}
    except CallTimeout:
        busy = f"it did not answer within {DESCRIBE_SECONDS:g} s: its handler runs yet"
        return {"state_problem": busy}
    except GreenroomError as error:  # it has ended, it rests, its describe() has raised
        return {"state_problem": str(error)[:500]}
    except TypeError as error:  # a task of a pool
        return {"state_problem": str(error)}
