# The question "act": what somebody wants done to the tree, or would like to know beforehand.
#
#   ask act, action restart, path /residents/feed, by ada, reason "it hangs"
#
# The answer is {"done": {...}}; with "preview" it is {"preview": {...}}, and nothing is done.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_ask_act.py:
#   TOLD      whatever becomes of an act is one event, `admin.action`, also if nobody waits for it.
#   IN TIME   what was asked for is not done once who asked has given up (`until_ms`).
#   HARMLESS  a preview changes nothing, and is no event.

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import trio

from ...actors import ActorNotFound, GreenroomError, SelfWait
from ...supervisor import InvalidState, Root
from ...supervisor._errors import AlreadyStarted, ChildNotFound, SupervisorStopping
from ...supervisor._way_out import WayOut
from ._act import ACT_SECONDS, ACTS, Act, Order, Refused
from ._question import BadQuestion, Fields, nothing_at
from ._reach import reach_of
from ._users import users_of

_LAST = 2**53  # past it JSON's numbers are not whole everywhere


async def ask_act(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Do what is asked for, or say what it would reach. A checkpoint.

    A cancellation leaves done what is done.

    Raises:
        BadQuestion: A field, or an argument, is wrong.
    """
    action = fields.choice("action", "", ACTS)
    act = ACTS[action]
    path, user = fields.text("path", most=500), fields.text("user", most=255)
    by, reason = fields.text("by", most=255), fields.text("reason", most=500)
    preview = fields.flag("preview")
    until = fields.number("until_ms", _LAST, least=0, most=_LAST)
    given = fields.mapping("arguments")
    fields.done()
    order = Order(path, user, _arguments(act, given), by, reason)
    _refuse_misplaced(action, act, order)
    if preview:
        return await _preview(root, act, order)
    if not by:
        raise BadQuestion("by must say who does it. Got: ''")
    with _told(root, action, act, order) as outcome:
        return await _in_time(root, act, order, until, outcome)


@dataclass(slots=True)
class _Outcome:
    text: str = "cut off, as nobody waited any more"
    touched: int | None = None


async def _in_time(
    root: Root, act: Act, order: Order, until: int, outcome: _Outcome
) -> dict[str, Any]:
    code, text = "", ""
    try:
        if time.time() * 1000 > until:
            raise Refused("too late: who asked for it has given up waiting, so it was not done")
        with trio.move_on_after(ACT_SECONDS) as scope:
            done = await act.do(root, order)
            outcome.text, outcome.touched = "done", done.get("touched")
            return {"done": done}
        assert scope.cancelled_caught
        code, text = "timeout", f"it is not done after {ACT_SECONDS:g} s; what was begun goes on"
    except ActorNotFound as missing:
        code, text = "not-found", nothing_at(missing.path)
    except ChildNotFound as missing:
        code, text = "not-found", str(missing)
    except (AlreadyStarted, InvalidState, Refused, SelfWait, SupervisorStopping) as refusal:
        code, text = "refused", str(refusal)
    except GreenroomError as failure:
        code, text = "failed", str(failure)
    outcome.text = f"{code}: {text}"
    return {"error": {"code": code, "text": text}}


@contextmanager
def _told(root: Root, action: str, act: Act, order: Order) -> Generator[_Outcome]:
    """Have it be an event what has become of an act, whichever way it ends."""
    outcome = _Outcome()
    try:
        yield outcome
    except Exception as error:
        outcome.text = f"failed: {type(error).__name__}"
        raise
    finally:
        facts: dict[str, Any] = {"action": action, "by": order.by, "outcome": outcome.text}
        if act.aim == "user":
            facts["user"] = order.user
        if order.reason:
            facts["reason"] = order.reason
        if outcome.touched is not None:
            facts["touched"] = outcome.touched
        root.events.emit("admin.action", order.path or "/", **facts)


def _arguments(act: Act, given: Any) -> dict[str, Any]:
    if "ask" in given:  # which Fields takes for its own
        raise BadQuestion("no such argument. Got: ['ask']")
    fields = Fields(given)
    arguments = act.read(fields)
    fields.done()
    return arguments


def _refuse_misplaced(action: str, act: Act, order: Order) -> None:
    """Refuse what names too much, or too little, of what it is for."""
    for aim, value in (("path", order.path), ("user", order.user)):
        if act.aim == aim and not value:
            raise BadQuestion(f"{action} needs a {aim}. Got: ''")
        if act.aim != aim and value:
            raise BadQuestion(f"{action} is for a {act.aim}, and takes no {aim}. Got: {value!r}")


async def _preview(root: Root, act: Act, order: Order) -> dict[str, Any]:
    if act.aim == "user":
        found = await users_of(root).count(order.user)
        return {"preview": {"connections": found.known, "unread": found.unread}}
    seen = (await reach_of(root, order.path or "/")).as_dict()
    if act.aim == "process":
        way = root.bridged.get(WayOut)
        seen["can_leave"] = way is not None
        seen["replaced"] = way is not None and way.replaced
        seen["seconds"] = root.options.total_shutdown_seconds
    return {"preview": seen}
