# What can be done from the console, as a table: who may, what it is done to, what will happen.
#
# Pure: no Django, no tree. The pages read from here which actions a place offers; the confirm page
# what to say; the form what to ask for. What an action does is bridges/inspection/_act.py's.
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_actions.py:
#   SAME       there is an entry for each act of a tree, and no other, with the same arguments.
#   PERMITTED  each has a permission of its own kind, which models.py has.

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

Kind = Literal["seconds", "code", "whole", "text", "flag", "seen"]
"""What a field holds; ``seen`` is what the page fills in itself: the incarnation that it showed."""


class Field(NamedTuple):
    """One thing that the confirm page asks for."""

    name: str
    label: str
    kind: Kind
    default: float | str | bool
    most: float = 0
    help: str = ""


class Effect(NamedTuple):
    """What an action will do, in words."""

    happens: str
    kept: str = ""
    lost: str = ""


class Action(NamedTuple):
    """One thing that can be done."""

    name: str
    """As in a question, and in URLs."""
    title: str
    """A verb, as it stands on a button."""
    permission: str
    """The codename, in the app ``greenroom``."""
    aim: Literal["path", "user", "process"]
    """What it is done to."""
    effects: Mapping[str, Effect]
    """By what is there: ``actor``, ``connection``, ``branch``, ``route``, ``user``, ``process``."""
    fields: tuple[Field, ...] = ()
    everywhere: bool = False
    """Whether it may be done in all processes at once."""

    def effect(self, subject: str) -> Effect:
        """Return what it does to a *subject*; to one that it is not for, what it does at all."""
        return self.effects.get(subject) or next(iter(self.effects.values()))


_CODE = "What the peers of WebSockets are told. 1012: come again; 4401: log in again."
_TEXT = "A short text that the peers get with it; they can read it."


def _closing(code: int) -> tuple[Field, ...]:
    return (
        Field("code", "Close code", "code", code, 4999, _CODE),
        Field("text", "Text for the peer", "text", "", 123, _TEXT),
    )


_LISTED = (
    Action(
        "restart", "Restart", "restart_actor", "path",
        {
            "actor": Effect(
                "The handler that runs may end in its time, then it is cancelled. A new incarnation"
                " takes over in the same place.",
                "Reference, mailbox, groups, names, monitors and the restart budget.",
                "What its state was, but for what the class keeps across crashes.",
            ),
            "connection": Effect(
                "The handler that runs may end in its time, then it is cancelled. A new incarnation"
                " takes the connection over.",
                "The socket, of which no disconnect handler runs; mailbox and groups.",
                "What its state was, but for what the class keeps across crashes.",
            ),
            "branch": Effect(
                "The supervisor stops all of its children, and itself, and starts anew.",
                "Its place, and the budgets of those above it.",
                "All references to what is below, their mailboxes and their state.",
            ),
        },
        (
            Field(
                "epoch", "Incarnation", "seen", 0, 2**31 - 1,
                "Only if it is in this epoch still: a page that was sent twice, or has grown old,"
                " restarts nothing.",
            ),
        ),
    ),
    Action(
        "stop", "Stop", "stop_actor", "path",
        {
            "actor": Effect(
                "It is asked to end, in its own time, and stays down until somebody starts it.",
                "Its place, if it is not a temporary or a dynamic child.",
                "Its mailbox and its state; what is sent to it from now on is a dead letter.",
            ),
            "branch": Effect(
                "The supervisor and all below it are asked to end, and stay down until somebody"
                " starts it.",
                "Its place, if it is not a dynamic child.",
                "The mailboxes and the state of all of them.",
            ),
        },
    ),
    Action(
        "start", "Start", "start_actor", "path",
        {"actor": Effect("It is started anew, with a reference of its own.")},
    ),
    Action(
        "suspend", "Suspend", "suspend_actor", "path",
        {
            "actor": Effect(
                "Its running handler ends; then it handles nothing until the time is over, or"
                " somebody resumes it. Its tasks and timers go on.",
                "Everything; what comes waits in its mailbox.",
                "What no longer fits into its mailbox, by its overflow policy.",
            ),
            "branch": Effect(
                "All actors below handle nothing until the time is over, or somebody resumes them.",
                "Everything; what comes waits in their mailboxes.",
                "What no longer fits into a mailbox, by its overflow policy.",
            ),
        },
        (Field("seconds", "Seconds until it goes on by itself", "seconds", 60.0, 86_400.0),),
    ),
    Action(
        "resume", "Resume", "suspend_actor", "path",
        {"actor": Effect("What is suspended here goes on at once.", "What waits in its mailbox.")},
    ),
    Action(
        "reset-budget", "Reset budget", "reset_budget", "path",
        {
            "actor": Effect(
                "Its restarts so far are forgotten. What rests or backs off goes on waiting.",
                "The history of its crashes.",
            )
        },
    ),
    Action(
        "wake", "Wake", "restart_actor", "path",
        {
            "actor": Effect(
                "What is parked or backs off here begins at once; what was parked with a fresh"
                " restart budget.",
                "Its mailbox.",
            )
        },
    ),
    Action(
        "disconnect", "Disconnect", "disconnect_connection", "path",
        {
            "connection": Effect(
                "It is asked to end as by the server: its handler may finish, its disconnect"
                " handler runs, a WebSocket gets the close code.",
                lost="What waits in its mailbox. Most clients connect again by themselves.",
            )
        },
        _closing(1012),
    ),
    Action(
        "disconnect-path", "Disconnect all", "disconnect_connection", "path",
        {
            "route": Effect(
                "All connections here are asked to end as by the server, requests among them:"
                " handlers may finish, WebSockets get the close code.",
                lost="What waits in their mailboxes. Most clients connect again, all at once.",
            )
        },
        _closing(1012),
        everywhere=True,
    ),
    Action(
        "disconnect-user", "Disconnect user", "disconnect_user", "user",
        {
            "user": Effect(
                "All connections of the user are asked to end, in every process.",
                "The user's account and sessions: whoever is logged in may connect again.",
                "What waits in their mailboxes.",
            )
        },
        _closing(4401),
        everywhere=True,
    ),
    Action(
        "drain", "Drain", "drain_process", "process",
        {
            "process": Effect(
                "The process takes no more connections, asks those it has to end, stops its"
                " residents, and ends. hypercorn starts another one in its place; a process that is"
                " the only one of its server is started again only by a service manager.",
                lost="All that lives in it: residents, connections, their mailboxes and state.",
            )
        },
        (
            Field(
                "for_good", "Also if nobody starts another process", "flag", False, 0,
                "Without it a process that its server does not replace is left as it is.",
            ),
        ),
    ),
    Action(
        "trace", "Trace", "trace_actor", "path",
        {
            "actor": Effect(
                "Each message that is handled here, or below, is an event for a while: its type,"
                " how long it took, what came of it; never its body. It ends by itself.",
                "Everything. It costs some time for each message.",
            )
        },
        (
            Field("seconds", "Seconds", "seconds", 60.0, 600.0),
            Field("per_second", "Most events in a second", "whole", 100, 1000),
        ),
    ),
    Action(
        "untrace", "End trace", "trace_actor", "path",
        {"actor": Effect("The trace that was begun at this path ends at once.")},
    ),
)  # fmt: skip

ACTIONS: dict[str, Action] = {action.name: action for action in _LISTED}
"""All, by name, in the order in which a page offers them."""


def subject_of(path: str, kind: str) -> str:
    """Return what is at *path*, in the words of `Action.effects`."""
    if path in ("", "/"):
        return "process"
    if path == "/connections" or path.startswith("/connections/"):
        return "connection" if path.count("/") > 2 else "route"
    return "branch" if kind in ("supervisor", "root") else "actor"


_OFFERED = {
    "actor": ("restart", "stop", "suspend", "resume", "wake", "reset-budget", "trace", "untrace"),
    "connection": (
        "restart", "disconnect", "suspend", "resume", "wake", "reset-budget", "trace", "untrace",
    ),
    "branch": (
        "restart", "stop", "suspend", "resume", "wake", "reset-budget", "trace", "untrace",
    ),
    "route": ("disconnect-path", "suspend", "resume", "wake", "trace", "untrace"),
    "process": ("drain", "trace", "untrace"),
}  # fmt: skip
_DOWN = frozenset({"not started", "stopped", "ended"})
_PAUSED = frozenset({"backing off", "parked"})


def actions_for(
    path: str, kind: str, state: str, may: Callable[[str], bool] = lambda codename: True
) -> list[Action]:
    """
    Return the actions that a page offers for a place.

    Args:
        path: Where.
        kind: The kind of a row: root, supervisor or slot.
        state: The state of a row.
        may: Says of a permission's codename whether the user has it.
    """
    names = _OFFERED[subject_of(path, kind)]
    if state in _DOWN:
        names = ("start",) if subject_of(path, kind) in ("actor", "branch") else ()
    elif path == "/residents":  # as old as its process
        names = tuple(name for name in names if name not in ("restart", "stop"))
    if subject_of(path, kind) in ("actor", "connection"):
        names = tuple(name for name in names if _fits(name, state))
    return [ACTIONS[name] for name in names if may(ACTIONS[name].permission)]


def _fits(name: str, state: str) -> bool:
    if name == "wake":
        return state in _PAUSED
    return state == "suspended" if name == "resume" else True
