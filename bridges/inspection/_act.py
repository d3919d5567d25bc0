# What an operator may have done to a running tree: each act reads its arguments strictly, does one
# thing, and says how much that touched.
#
# On a branch an act is done to what is below, one after the other, with a checkpoint at every two
# hundredth: whoever comes meanwhile is not touched. What can't be done raises `Refused`, or what
# the tree itself raises (_ask_act.py makes answers of these).
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_act.py:
#   STRICT    an argument that an act does not know, or that is out of range, refuses it all.
#   COUNTED   an act on a branch says how many it has touched.
#   NO TRAP   what would hit the one who acts, or everybody, is refused and says what to do instead.

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Literal

import trio

from ...actors import ActorNotFound
from ...actors.consumers._websocket import check_close
from ...supervisor import InvalidState, Root
from ...supervisor._look import Look
from ...supervisor._way_out import WayOut
from ._question import BadQuestion, Fields
from ._reach import at_and_below, handling, is_branch_of_connections, is_connection
from ._users import SLICE, users_of

ACT_SECONDS = 10.0
"""How long an act may take; past it, it is answered that it goes on, or has not happened."""
LONGEST_SUSPENSION = 86_400.0
LONGEST_TRACE = 600.0
LAST_EPOCH = 2**31 - 1
ANSWER_FIRST = 0.2
"""Seconds between the answer and the end of a process: or nobody would hear it."""

CLOSED_BY_OPERATOR = 1012
"""The close code of connections that an operator ends: they may come again."""
USER_CLOSED = 4401
"""That of a user's: it has to log in again."""

Arguments = dict[str, Any]
Done = dict[str, Any]


class Refused(Exception):
    """An act that is not done; the text says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants done."""

    path: str
    user: str
    arguments: Arguments
    by: str
    reason: str

    @property
    def why(self) -> str:
        """Why, for the log and for who is told."""
        return f"{self.reason} (by {self.by})" if self.reason else f"by {self.by}"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that can be done."""

    aim: Literal["path", "user", "process"]
    """What it is done to."""
    read: Callable[[Fields], Arguments]
    do: Callable[[Root, Order], Awaitable[Done]]
    everywhere: bool = False
    """Whether it may be done in all processes at once."""


# -- actors ------------------------------------------------------------------------------------


async def restart(root: Root, order: Order) -> Done:
    """Have an actor begin anew in its place; or a supervisor with all below it, from the start."""
    path = order.path
    _refuse_connections(path, "Restart its connections one by one, or disconnect them")
    if path == "/":
        _parent(root, path)
    if path in root.supervisors:
        touched = len(await handling(root, path))
        above, name = _parent(root, path)
        with _refusing():  # a pool of tasks can't
            await root.supervisor(above).restart_child(name)
        return {"touched": touched}
    _refuse_stopped(root, path)
    _refuse_another(root, path, order.arguments["epoch"])
    with _refusing():
        epoch = await root.restart(path, f"restarted: {order.why}", ACT_SECONDS)
    return {"touched": 1, "epoch": epoch}


async def stop(root: Root, order: Order) -> Done:
    """Stop a child of a supervisor; it stays down until it is started."""
    if is_connection(root, order.path) or is_branch_of_connections(order.path):
        raise Refused(f"{order.path} is no child that could be started again: disconnect it")
    above, name = _parent(root, order.path)
    touched = len(await handling(root, order.path))
    await root.supervisor(above).stop_child(name)
    return {"touched": touched}


async def start(root: Root, order: Order) -> Done:
    """Start a child of a supervisor that is stopped."""
    above, name = _parent(root, order.path)
    path = await root.supervisor(above).start_child(name)
    return {"touched": len(await handling(root, path))}


async def suspend(root: Root, order: Order) -> Done:
    """Have an actor, or all of a branch, handle nothing for a while."""
    if order.path == "/":
        raise Refused("the whole tree can't be suspended: it would answer nobody. Take a branch")
    return await _each(root, order, lambda path: _suspend(root, path, order))


async def resume(root: Root, order: Order) -> Done:
    """Have an actor, or all of a branch, go on."""
    done = await _each(root, order, root.suspensions.end)
    if not done["touched"]:
        raise Refused(f"nothing is suspended at {order.path}, or below")
    return done


async def reset_budget(root: Root, order: Order) -> Done:
    """Forget the restarts of one place."""
    with _refusing():
        root.reset_budget(order.path)
    await trio.sleep(0)
    return {"touched": 1}


async def wake(root: Root, order: Order) -> Done:
    """Have what is parked or backs off begin at once: one place, or all below it."""
    look, touched = Look(root), 0
    for nth, path in enumerate(await at_and_below(root, order.path), 1):
        if nth % SLICE == 0:
            await trio.sleep(0)
        if path not in root.supervisors and look.slot(path) is None:
            continue
        with suppress(ActorNotFound, InvalidState, TypeError):
            root.wake(path)
            touched += 1
    if not touched:
        raise Refused(f"nothing is parked or backs off at {order.path}, or below")
    return {"touched": touched}


# -- connections -------------------------------------------------------------------------------


async def disconnect(root: Root, order: Order) -> Done:
    """Ask one connection to end."""
    await trio.sleep(0)
    attached = root.connections.find(order.path)
    if attached is None and is_branch_of_connections(order.path):
        raise Refused(f"{order.path} is more than one connection: use disconnect-path")
    if attached is None:
        if Look(root).node(order.path) is None:
            raise ActorNotFound(order.path)
        raise Refused(f"{order.path} is no connection: stop it, or restart it")
    attached.request_stop(_ended(order), order.arguments["code"], order.arguments["text"])
    return {"touched": 1}


async def disconnect_path(root: Root, order: Order) -> Done:
    """Ask all connections of a route, or all there are, to end."""
    if not is_branch_of_connections(order.path):
        raise Refused(f"{order.path} is no route: it is /connections, or /connections/<route>")
    touched = 0
    for nth, path in enumerate(await at_and_below(root, order.path), 1):
        if nth % SLICE == 0:
            await trio.sleep(0)
        attached = root.connections.find(path)
        if attached is not None:
            attached.request_stop(_ended(order), order.arguments["code"], order.arguments["text"])
            touched += 1
    return {"touched": touched}


async def disconnect_user(root: Root, order: Order) -> Done:
    """Ask all connections of a user to end."""
    code, text = order.arguments["code"], order.arguments["text"]
    found = await users_of(root).disconnect(order.user, _ended(order), code, text)
    return {"touched": found.known, "unread": found.unread}


# -- the process, and looking ------------------------------------------------------------------


async def drain(root: Root, order: Order) -> Done:
    """Have the process take no more connections, end those it has, and end itself."""
    way = root.bridged.get(WayOut)
    if way is None:
        raise Refused(
            "this process has no way to leave its server in its own time: it is no worker of"
            " hypercorn's that Greenroom knows. Have its service manager restart it"
        )
    if not way.replaced and not order.arguments["for_good"]:
        raise Refused(
            "this process is the only one of its server, which starts no other in its place. If"
            " a service manager does, or it shall end for good, say so (for_good)"
        )
    if root.tasks is None or not root.up:
        raise Refused(f"this process is {root.state}: it drains already, or never served")
    open_now = root.connections.open
    # In no context: nothing of who asked shall live on in it.
    Context().run(root.tasks.start_soon, _leave, way)
    await trio.sleep(0)
    return {
        "touched": open_now,
        "seconds": root.options.total_shutdown_seconds,
        "replaced": way.replaced,
    }


async def trace(root: Root, order: Order) -> Done:
    """Tell of each message that is handled at, or below, a path for a while."""
    arguments = order.arguments
    with _refusing():
        root.traces.begin(order.path, arguments["seconds"], per_second=arguments["per_second"])
    return {"touched": len(await handling(root, order.path))}


async def untrace(root: Root, order: Order) -> Done:
    """Tell of them no more."""
    await trio.sleep(0)
    if not root.traces.end(order.path):
        raise Refused(f"nobody traces {order.path}; a trace is ended where it was begun")
    return {"touched": 1}


# -- how arguments are read ----------------------------------------------------------------------


def _nothing(_: Fields) -> Arguments:
    return {}


def _of_restart(fields: Fields) -> Arguments:
    return {"epoch": fields.number("epoch", 0, least=0, most=LAST_EPOCH)}


def _of_suspend(fields: Fields) -> Arguments:
    return {"seconds": fields.seconds("seconds", 60.0, most=LONGEST_SUSPENSION)}


def _of_trace(fields: Fields) -> Arguments:
    return {
        "seconds": fields.seconds("seconds", 60.0, most=LONGEST_TRACE),
        "per_second": fields.number("per_second", 100, least=1, most=1000),
    }


def _of_drain(fields: Fields) -> Arguments:
    return {"for_good": fields.flag("for_good")}


def _of_closing(default: int) -> Callable[[Fields], Arguments]:
    def read(fields: Fields) -> Arguments:
        code = fields.number("code", default, least=1000, most=4999)
        text = fields.text("text", most=123)
        try:
            check_close(code, text)
        except ValueError as refusal:
            raise BadQuestion(str(refusal)) from None
        return {"code": code, "text": text}

    return read


ACTS: dict[str, Act] = {
    "restart": Act("path", _of_restart, restart),
    "stop": Act("path", _nothing, stop),
    "start": Act("path", _nothing, start),
    "suspend": Act("path", _of_suspend, suspend),
    "resume": Act("path", _nothing, resume),
    "reset-budget": Act("path", _nothing, reset_budget),
    "wake": Act("path", _nothing, wake),
    "disconnect": Act("path", _of_closing(CLOSED_BY_OPERATOR), disconnect),
    "disconnect-path": Act(
        "path", _of_closing(CLOSED_BY_OPERATOR), disconnect_path, everywhere=True
    ),
    "disconnect-user": Act("user", _of_closing(USER_CLOSED), disconnect_user, everywhere=True),
    "drain": Act("process", _of_drain, drain),
    "trace": Act("path", _of_trace, trace),
    "untrace": Act("path", _nothing, untrace),
}
"""What can be done, by name."""


# -- inside --------------------------------------------------------------------------------------


async def _each(root: Root, order: Order, act: Callable[[str], bool]) -> Done:
    """Do *act* to what handles messages at the path and below; count those it was done to."""
    if order.path not in root.supervisors and not is_branch_of_connections(order.path):
        _refuse_stopped(root, order.path)
        if order.path != "/":
            await trio.sleep(0)
            with _refusing():
                return {"touched": int(act(order.path))}
    touched = 0
    for nth, slot in enumerate(await handling(root, order.path), 1):
        if nth % SLICE == 0:
            await trio.sleep(0)
        with suppress(ActorNotFound):  # it has ended meanwhile
            touched += act(slot.path)
    return {"touched": touched}


def _suspend(root: Root, path: str, order: Order) -> bool:
    root.suspensions.begin(path, order.arguments["seconds"])
    return True


def _ended(order: Order) -> str:
    return f"disconnected: {order.why}"


async def _leave(way: WayOut) -> None:
    await trio.sleep(ANSWER_FIRST)
    await way.leave()


@contextmanager
def _refusing() -> Generator[None]:
    """Make what the tree says of a wrong place, or a wrong value, a refusal."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise Refused(str(error)) from error


def _parent(root: Root, path: str) -> tuple[str, str]:
    """Return the supervisor that has a child at *path*, and the child's name."""
    above, _, name = path.rpartition("/")
    if above in root.supervisors and name:
        return above, name
    if Look(root).node(path) is None:
        raise ActorNotFound(path)
    raise Refused(f"{path} is there as long as its process: drain that, or take what is below it")


def _refuse_connections(path: str, instead: str) -> None:
    if is_branch_of_connections(path):
        raise Refused(f"{path} is no actor. {instead}")


def _refuse_another(root: Root, path: str, epoch: int) -> None:
    """Refuse an incarnation that is not the one that was seen, if it is said which that was."""
    node = Look(root).node(path) if epoch else None
    if node is not None and node.epoch not in (0, epoch):
        raise Refused(
            f"{path} has begun anew since it was looked at: it is in epoch {node.epoch}, not"
            f" {epoch}. Look again"
        )


def _refuse_stopped(root: Root, path: str) -> None:
    """Say that a child is down, which is there but not to be found."""
    above, _, name = path.rpartition("/")
    supervisor = root.supervisors.get(above)
    entry = None if supervisor is None else supervisor.entry(name)
    if entry is not None and not entry.alive:
        raise Refused(f"{path} does not run: start it")
