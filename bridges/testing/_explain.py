# Who is busy with what, and where, for the text of a test that fails.
#
# Frames of trio and of Greenroom itself are left out: what matters is the line of the user's that
# waits. For a `def` handler that is a line in a worker thread, which is looked up by the label of
# its job.

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import trio

from ...actors import ActorNotFound, Job
from ...actors._ref import target_of
from ...supervisor import NodeSnapshot, Root
from ...supervisor._request import RequestSlot
from ...supervisor._slot import Slot

_PACKAGES = (trio, sys.modules["greenroom.actors"], sys.modules["greenroom.supervisor"])
_OWN = (
    f"{Path(__file__).parent.parent}/",
    *(f"{Path(package.__file__ or '').parent}/" for package in _PACKAGES),
)
_LINE = re.compile(r"^  (?P<file>.+):(?P<line>\d+) in (?P<name>.+)$")
_MOST = 8  # actors that are told of


def explain(root: Root, nothing: str = "No handler runs.") -> str:
    """
    Say in lines of text which handlers and views run, and where they wait; *nothing* if none does.

    Loop thread only.
    """
    busy = [node for node in root.snapshot().walk() if node.kind == "slot" and _busy(node)]
    lines = [_said(root, node) for node in busy[:_MOST]]
    if len(busy) > _MOST:
        lines.append(f"and {len(busy) - _MOST} more handlers")
    return "\n".join(lines) if lines else nothing


def _busy(node: NodeSnapshot) -> object:
    facts = node.facts
    return facts.get("handling") or facts.get("tasks") or facts.get("request")


def _said(root: Root, node: NodeSnapshot) -> str:
    request = node.facts.get("request")
    if request is not None:
        method, _, path = str(request).partition(" ")
        label = f"{method} {path!r:.200}"  # as bridges/django/_handler.py names its jobs
        return f"{node.path} answers {request}{thread_of(label) or _task_of(root, node.path)}"
    handling, tasks = node.facts.get("handling"), node.facts.get("tasks")
    what = f"handles {handling}" if handling else f"runs its tasks {tasks}"
    if node.state != "running":
        what = f"is {node.state} and {what}"
    where = (thread_of(f"{node.path}#") or _task_of(root, node.path)) if handling else ""
    return f"{node.path} ({node.actor}) {what}{where}"


def _task_of(root: Root, path: str) -> str:
    try:
        target = target_of(root.find(path))
    except ActorNotFound:  # it has just ended
        return ""
    stack = target.waits_at() if isinstance(target, (Slot, RequestSlot)) else ""
    users = [
        found
        for found in map(_LINE.match, stack.splitlines())
        if found and _is_users(found["file"])
    ]
    return (
        f"; it waits at {users[-1]['file']}:{users[-1]['line']} in {users[-1]['name']}"
        if users
        else ""
    )


def thread_of(label: str) -> str:
    """Say where the worker thread is whose job is called *label*...; "" if there is none."""
    for thread in threading.enumerate():
        if not _is_job_of(thread, label):
            continue
        frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        for each in _frames(frame):
            if _is_users(each.f_code.co_filename):
                code = each.f_code
                return (
                    f"; it waits at {code.co_filename}:{each.f_lineno} in {code.co_name},"
                    f" in thread {thread.name}"
                )
    return ""


def _is_job_of(thread: threading.Thread, label: str) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    for each in _frames(frame):
        job = each.f_locals.get("self")
        if isinstance(job, Job) and job.label.startswith(label):
            return True
    return False


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_users(file: str) -> bool:
    return not file.startswith(_OWN) and "/lib/python" not in file
