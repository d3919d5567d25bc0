# All counters and gauges of one process as data; bridges/metrics makes Prometheus' text of it.
#
# Labels have few values: a class, a supervisor, a route, a reason, a code; never a user, and never
# the path of a connection. Nearly all is counted already: asking costs the same with ten actors and
# with a hundred thousand. Only what actors count for themselves is added up here, so many actors a
# question: where there are more, the next question goes on (supervisor/_flow.py).

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import add
from typing import Any

import trio

from ...actors._lowlevel import tasks_living
from ...supervisor import Root
from ...supervisor._look import Look
from ...supervisor._meter import MOST_LABELS, OTHER, Counted, Histogram
from ._memory import resident_bytes
from ._question import Fields

Metric = dict[str, Any]

_MOST_LOOKS = 20_000
_MOST_BUDGETS = 2000
_SLICE = 200


async def ask_metrics(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with every metric of this process. A checkpoint.

    Raises:
        BadQuestion: A field is wrong.
    """
    fields.done()
    high = await _high(root)  # before the others: it lets go of who is well
    looks = 0
    while not root.meter.flow.look(_SLICE) and looks < _MOST_LOOKS:
        looks += _SLICE
        await trio.sleep(0)
    now = [*_of_tree(root), *high, *_of_flow(root), *_of_process(root), *_of_pools(root)]
    return {"metrics": [*now, *_of_past(root)]}


def _of_tree(root: Root) -> Iterator[Metric]:
    census = root.census.counts()
    yield _gauge(
        "actors", "Actors by class and state.", _labelled(("class", "state"), census.items())
    )
    yield _gauge("supervisors", "Supervisors that live.", _one(len(root.supervisors)))
    yield _gauge("places_in_trouble", "Places that may be in trouble.", _one(len(root.trouble)))
    stuck = len(root.trouble.stuck) + root.trouble.abandoned
    yield _gauge("actors_unkillable", "Actors that have not ended in time.", _one(stuck))
    yield _gauge("groups", "Groups with members in this process.", _one(root.groups.count))
    presences = root.presences
    yield _gauge("presences", "Presences of actors of this process.", _one(presences.count))
    yield _gauge(
        "presence_topics",
        "Topics in which somebody is present, in any process, or watches in this one.",
        _one(presences.topic_count),
    )
    open_ = (((route,), number) for route, number in root.connections.open_by_route())
    yield _gauge(
        "connections_open", "Connections that are open, by route.", _labelled(("route",), open_)
    )
    yield _gauge(
        "supervisor_budget_used_ratio",
        "Restarts that count now, of those that a supervisor's children have together.",
        _labelled(("supervisor",), _budgets(root), max),
    )


def _budgets(root: Root) -> Iterator[tuple[tuple[str, ...], float]]:
    for path, supervisor in islice(root.supervisors.items(), _MOST_BUDGETS):
        most = supervisor.spec.max_restarts
        if supervisor.shares_budget and most:
            yield (path,), min(1.0, supervisor.standing().restarts / most)


async def _high(root: Root) -> list[Metric]:
    """
    Return what is told of mailboxes that are high: only those are looked at.

    Who is well again is let go of, or he would be counted among those in trouble until somebody
    looks at the tree.
    """
    look, counts, deepest = Look(root), dict[tuple[str], int](), dict[tuple[str], int]()
    for at, path in enumerate(root.trouble.next(_MOST_LOOKS), start=1):
        if at % _SLICE == 0:
            await trio.sleep(0)
        if not look.unwell(path):
            root.trouble.let_go(path)
            continue
        slot = look.slot(path)
        if slot is not None and slot.mailbox.high:
            label = (slot.counted_as,)
            counts[label] = counts.get(label, 0) + 1
            deepest[label] = max(deepest.get(label, 0), slot.mailbox.messages)
    await trio.sleep(0)
    return [
        _gauge(
            "mailboxes_high",
            "Mailboxes that are four fifths full, and not normal again yet.",
            _labelled(("class",), counts.items()),
        ),
        _gauge(
            "mailbox_depth_max",
            "Messages in the deepest of the mailboxes that are high.",
            _labelled(("class",), deepest.items(), max),
        ),
    ]


def _of_flow(root: Root) -> Iterator[Metric]:
    flow = root.meter.flow
    handled = (((name,), number) for name, number in flow.handled().items())
    yield _counter(
        "messages_handled_total",
        "Messages that actors have handled, frames among them, by class.",
        _labelled(("class",), handled),
    )
    waiting = (((name,), number) for name, number in flow.waiting().items())
    yield _gauge(
        "mailbox_items", "What waits in mailboxes, by class.", _labelled(("class",), waiting)
    )
    oldest = (((name,), round(age, 3)) for name, age in flow.oldest().items())
    yield _gauge(
        "mailbox_oldest_seconds",
        "For how long the first of those has waited, at least, by class.",
        _labelled(("class",), oldest, max),
    )
    unsent = (((name,), number) for name, number in flow.unsent().items())
    yield _gauge(
        "output_bytes",
        "Bytes that peers have not taken yet, by class.",
        _labelled(("class",), unsent),
    )


def _of_process(root: Root) -> Iterator[Metric]:
    ready = not root.readiness()
    yield _gauge("ready", "1 if the tree is ready to serve.", _one(int(ready)))
    draining = int(root.state == "stopping")
    yield _gauge("draining", "1 while the tree stops.", _one(draining))
    yield _gauge("trio_tasks", "Tasks of the event loop.", _one(tasks_living()))
    lag = root.loop_lag()
    if lag is not None:
        yield _gauge("loop_lag_seconds", "How late the loop answered last.", _one(lag["last"]))
        yield _gauge(
            "loop_lag_worst_seconds", "How late it was at most in a minute.", _one(lag["worst"])
        )
    memory = resident_bytes()
    if memory is not None:
        yield _gauge("resident_memory_bytes", "Bytes of the process in memory.", _one(memory))


def _of_pools(root: Root) -> Iterator[Metric]:
    pools = [pool.statistics() for pool in root.pools]
    jobs = {
        (now.name, state): number
        for now in pools
        for state, number in (
            ("running", now.running),
            ("waiting", now.queued),
            ("parked", now.parked),
            ("abandoned", len(now.abandoned)),
        )
    }
    yield _gauge(
        "thread_jobs",
        "Jobs of a pool of threads; those abandoned run as well.",
        _labelled(("pool", "state"), jobs.items()),
    )
    sizes = (((now.name,), now.size) for now in pools)
    yield _gauge(
        "threads_size", "Jobs of a pool that may run at once.", _labelled(("pool",), sizes)
    )
    waiting = (((now.name,), round(now.waiting_seconds, 3)) for now in pools)
    yield _gauge(
        "thread_waiting_seconds",
        "How long the first job that waits has waited.",
        _labelled(("pool",), waiting, max),
    )


def _of_past(root: Root) -> Iterator[Metric]:
    meter = root.meter
    for name, help_, counter in (
        ("crashes_total", "Crashes, by class and exception.", meter.crashes),
        ("restarts_total", "Incarnations that took over a slot, by class.", meter.restarts),
        ("ended_total", "Actors that have ended, by class and how.", meter.ended),
        ("gave_up_total", "Actors that have spent their budget, by class.", meter.gave_up),
        (
            "supervisors_gave_up_total",
            "Supervisors that have spent their budget.",
            meter.supervisors_gave_up,
        ),
        ("connections_closed_total", "Connections that have ended, by code.", meter.closed),
        ("connections_refused_total", "Connections turned away, by reason.", meter.refused),
        ("overflows_total", "Messages for a full mailbox, by policy.", meter.overflows),
        ("threads_abandoned_total", "Jobs that did not return in time.", meter.abandoned),
        ("admin_actions_total", "What operators have done, by outcome.", meter.actions),
    ):
        yield _counter(name, help_, _counts_of(root, counter))
    for what, help_, number in zip(
        ("sent", "delivered", "dropped"),
        (
            "Messages to groups, from here or from other processes.",
            "Messages to groups that a member was handed.",
            "Messages to groups that a member had no use for.",
        ),
        root.groups.totals(),
        strict=True,
    ):
        yield _counter(f"groups_{what}_total", help_, _one(number))
    reasons: dict[tuple[str], int] = {}
    for key, number in root.dead_letters.counts().items():
        # What stands behind may be a peer's: the type of a message that nobody handles.
        reason = (re.split(r" \(|: ", key.reason, maxsplit=1)[0],)
        reasons[reason] = reasons.get(reason, 0) + number
    yield _counter(
        "dead_letters_total",
        "Messages that reached nobody, by reason.",
        _labelled(("reason",), reasons.items()),
    )
    events = (((kind,), number) for kind, number in root.events.counts().items() if number)
    yield _counter("events_total", "Events of each kind.", _labelled(("kind",), events))
    yield _histogram(
        root, "restart_gap_seconds", "From a crash until an actor served again.", meter.restart_gaps
    )
    yield _histogram(
        root, "stop_seconds", "From when an actor was asked to end until it had.", meter.stops
    )


def _counts_of(root: Root, counter: Counted) -> list[dict[str, Any]]:
    return _labelled(counter.names, root.meter.read(counter).items())


def _histogram(root: Root, name: str, help_: str, histogram: Histogram) -> Metric:
    buckets, total = root.meter.read_histogram(histogram)
    sample: dict[str, Any] = {
        "labels": {},
        "buckets": [list(each) for each in buckets],
        "count": buckets[-1][1],
        "sum": round(total, 6),
    }
    return {"name": f"greenroom_{name}", "kind": "histogram", "help": help_, "samples": [sample]}


def _gauge(name: str, help_: str, samples: list[dict[str, Any]]) -> Metric:
    return {"name": f"greenroom_{name}", "kind": "gauge", "help": help_, "samples": samples}


def _counter(name: str, help_: str, samples: list[dict[str, Any]]) -> Metric:
    return {"name": f"greenroom_{name}", "kind": "counter", "help": help_, "samples": samples}


def _one(value: float) -> list[dict[str, Any]]:
    return [{"labels": {}, "value": value}]


def _labelled(
    names: tuple[str, ...],
    values: Iterable[tuple[tuple[str, ...], float]],
    together: Callable[[float, float], float] = add,
) -> list[dict[str, Any]]:
    """Return *values* as samples; those beyond so many are one, the sum or what is *together*."""
    kept: dict[tuple[str, ...], float] = {}
    for labels, value in values:
        there = labels in kept or len(kept) < MOST_LABELS
        key = labels if there else (OTHER,) * len(names)
        kept[key] = value if key not in kept else together(kept[key], value)
    return [
        {"labels": dict(zip(names, labels, strict=True)), "value": value}
        for labels, value in kept.items()
    ]
