# What a process holds, looked at twice: before a long time, and after it.
#
# Counted are the objects of the library and of trio by type, how much lies in each container
# of the library's objects, all small blocks of memory whatever they belong to, tasks, threads
# and descriptors. So a leak shows wherever it is: an object too many by its type, an entry of a
# table by the table, and a string, a number or a tuple by the blocks.

import gc
import json
import os
import sys
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from helpers import task_names

OURS = ("greenroom.", "trio.", "longevity.", "tests.longevity.")
CONTAINERS = (dict, list, set, tuple, deque, OrderedDict, Counter, bytearray)
RINGS = {
    "Failure": (50, 0),
    "Journal._causes": (50, 0),
    "Journal.failures": (50, 0),
    "DeadLetter": (100, 0),
    "DeadLetterKey": (1001, 0),
    "DeadLetters._counts": (1001, 0),
    "DeadLetters._ring": (100, 0),
    "Event": (1000, 50),
    "Ring._all": (2000, 0),
    "Ring._by_path": (2000, 0),
    "CrashReport": (0, 5),
    "CrashReport.recent": (0, 50),
}
"""What is bounded, and may be fuller than before: by so many, and so many for each slot."""
BLOCKS = 400
"""Small blocks that may come and go: caches of the interpreter, a ring's longer texts."""
BYTES = 8 << 20
"""What the whole process may have grown by, in a million restarts: eight bytes for each."""
WINDOW, SWING = "RestartWindow._moments", 250
"""A budget keeps between one and two times the moments that its limit allows, here at most 250."""


@dataclass
class Holdings:
    """What the process holds at one moment."""

    numbers: bytes
    """Of objects, of what lies in containers, and of tasks, by name; JSON, to take one block."""
    threads: int
    descriptors: int
    calls: int
    blocks: int
    resident: int

    def of(self, what: str) -> Counter[str]:
        """Return the numbers of "objects", "containers" or "tasks", by name."""
        return Counter(json.loads(self.numbers)[what])


def holdings() -> Holdings:
    """Look at the process; in a task of trio, at a moment of rest."""
    runner = trio._core._run.GLOBAL_RUN_CONTEXT.runner
    runner.deadlines._prune()  # trio keeps up to a thousand that are over
    gc.collect()
    gc.collect()  # what finalizers have let go
    blocks = sys.getallocatedblocks()
    objects, containers = Counter[str](), Counter[str]()
    ours = dict[type, bool]()
    for each in gc.get_objects():
        kind = type(each)
        if kind not in ours:
            ours[kind] = str(kind.__module__).startswith(OURS) and kind is not Holdings
        if not ours[kind]:
            continue
        objects[kind.__qualname__] += 1
        for name, value in _attributes(each):
            if isinstance(value, CONTAINERS) and isinstance(value, Sized):
                containers[f"{kind.__qualname__}.{name}"] += len(value)
    numbers = {"objects": objects, "containers": containers, "tasks": Counter(task_names())}
    return Holdings(
        numbers=json.dumps(numbers).encode(),
        threads=threading.active_count(),
        descriptors=_descriptors(),
        calls=trio.lowlevel.current_statistics().run_sync_soon_queue_size,
        blocks=blocks,
        resident=_resident(),
    )


def grown(before: Holdings, after: Holdings) -> list[str]:
    """
    Say of what there is more than before; empty if the time between has left nothing.

    Args:
        before: After a while, when caches and rings are full.
        after: After a long time, at the same place.
    """
    objects = after.of("objects")
    swing = objects["RestartWindow"] * SWING
    allowed = {WINDOW: swing} | {
        name: total + each * objects["Slot"] for name, (total, each) in RINGS.items()
    }
    more = [
        f"{number} {name} more"
        for what in ("objects", "containers", "tasks")
        for name, number in (after.of(what) - before.of(what)).items()
        if number > allowed.get(name, 0)
    ]
    if after.threads > before.threads:
        more.append(f"{after.threads - before.threads} threads more")
    if after.descriptors > before.descriptors:
        more.append(f"{after.descriptors - before.descriptors} descriptors more")
    if after.calls > before.calls:
        more.append(f"{after.calls - before.calls} calls wait more")
    moments = (after.of("containers") - before.of("containers"))[WINDOW]  # a block each
    if after.blocks > before.blocks + BLOCKS + moments:
        more.append(f"{after.blocks - before.blocks} blocks of memory more")
    if after.resident > before.resident + BYTES:
        more.append(f"{(after.resident - before.resident) >> 10} KiB more")
    return more


def told(before: Holdings, after: Holdings) -> str:
    """Say in one line how the process has changed, for the record."""
    blocks, resident = after.blocks - before.blocks, (after.resident - before.resident) >> 10
    return (
        f"objects {before.of('objects').total()} to {after.of('objects').total()}, blocks"
        f" {blocks:+d}, resident {resident:+d} KiB, tasks {after.of('tasks').total()},"
        f" threads {after.threads}, descriptors {after.descriptors}"
    )


def _attributes(thing: Any) -> Iterator[tuple[str, object]]:
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                yield name, getattr(thing, name)


def _descriptors() -> int:
    here = Path("/proc/self/fd")
    return len(list(here.iterdir())) if here.exists() else 0


def _resident() -> int:
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0
