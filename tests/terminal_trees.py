# What processes might say, for the tests of what `manage.py actors` shows: rows, answers, and one
# who answers questions about trees that are made of plain data.

from collections.abc import Mapping, Sequence
from typing import Any

from greenroom.bridges.django.terminal._said import EVERYBODY, Heard, Said
from greenroom.bridges.django.terminal._tree import lines_of
from greenroom.bridges.django.terminal._view import View
from greenroom.bridges.django.terminal._world import World

NOW = 1_800_000_000.0
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\r\n"
"""What a client might call itself, to make an operator's terminal do something."""


def who(pid: int = 7) -> dict[str, Any]:
    return {"id": f"web:{pid}:1", "host": "web", "pid": pid, "started": NOW - 60}


def row(path: str, **fields: Any) -> dict[str, Any]:
    """A row of a healthy actor, but for *fields*; ``children`` makes it a supervisor."""
    below = fields.pop("children", 0)
    made = {
        "path": path,
        "kind": "supervisor" if below else "slot",
        "name": path.rpartition("/")[2] or "root",
        "actor": "" if below else "Greeter",
        "state": "running",
        "healthy": True,
        "epoch": 0 if below else 1,
        "uptime": 12.0,
        "restarts": 0,
        "restarts_left": 3,
        "backoff": None,
        "mailbox": None if below else {"queued": 0, "capacity": 256, "age": None},
        "doing": None,
        "below": {"total": below, "states": {}, "unhealthy": 0},
        "exit": None,
        "crash": None,
        "facts": {},
    }
    return {**made, **fields}


CRASHED = {
    "state": "backing off",
    "healthy": False,
    "epoch": 4,
    "uptime": None,
    "restarts": 3,
    "restarts_left": 0,
    "backoff": 2.5,
    "crash": {"exception": "ValueError", "text": "no such room", "at": NOW - 5, "epoch": 3},
}


class Trees:
    """
    Answers questions about trees of plain rows, as processes would.

    Args:
        trees: By pid, the rows by path, parents before their children; None for a silent one.
    """

    def __init__(self, trees: Mapping[int, Sequence[Mapping[str, Any]] | None]) -> None:
        self.trees = dict(trees)
        self.asked: list[tuple[dict[str, Any], str | None]] = []
        self.details: dict[str, Any] = {}
        self.trouble = ""
        self.partial = False

    def __call__(self, question: Mapping[str, object], only: str | None) -> Heard:
        self.asked.append((dict(question), only))
        said = [
            Said(who(pid), None, "no answer within 1 s")
            if rows is None
            else Said(who(pid), self.answer(rows, question))
            for pid, rows in self.trees.items()
            if only in (None, who(pid)["id"])
        ]
        return Heard(said, self.trouble)

    def answer(
        self, rows: Sequence[Mapping[str, Any]], question: Mapping[str, Any]
    ) -> dict[str, Any]:
        if question["ask"] == "process":
            lag = {"last": 0.001, "worst": 0.002}
            return {
                "ready": True, "problems": [], "loop_lag": lag, "connections": {"open": 3},
                "tasks": 40, "trouble": sum(not each["healthy"] for each in rows),
            }  # fmt: skip
        path = question["path"]
        if question["ask"] == "actor":
            return self.details.get(path) or missing(path)
        node = next((each for each in rows if each["path"] == path), None)
        if node is None:
            return missing(path)
        prefix = path.rstrip("/") + "/"
        below = [each for each in rows if each["path"].startswith(prefix) and each is not node]
        direct = [each for each in below if "/" not in each["path"].removeprefix(prefix)]
        found = direct
        if question.get("search") or question.get("unhealthy"):
            found = [each for each in below if question.get("search", "") in each["path"]]
            found = [each for each in found if not (question.get("unhealthy") and each["healthy"])]
        begin = int(question.get("after") or 0)
        page = found[begin : begin + question["limit"]]
        end = begin + len(page)
        following = str(end) if end < len(found) else None
        return {
            "node": node,
            "rows": page,
            "next": following,
            "total": len(direct),
            "partial": self.partial,
        }


def missing(path: str) -> dict[str, Any]:
    text = f"no actor lives at {path!r}"
    return {"error": {"code": "not-found", "text": text}}


def small_tree(*more: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A root with one connection, and two residents, one of which backs off."""
    return [
        row("/", kind="root", children=2, actor="", facts={"ready": True, "problems": []}),
        row("/connections", children=1),
        row("/connections/room", children=1),
        row("/connections/room/1", actor="Room", facts={"user": "ada"}),
        row("/residents", children=2, below={"total": 2, "states": {}, "unhealthy": 1}),
        row("/residents/greeter"),
        row("/residents/feed", actor="Feed", **CRASHED),
        *more,
    ]


def crowd(size: int) -> list[Mapping[str, Any]]:
    """A root with *size* connections on one route."""
    many = [row(f"/connections/room/{n}", actor="Room") for n in range(size)]
    return [
        row("/", kind="root", children=2, actor=""),
        row("/connections", children=1),
        row("/connections/room", children=size),
        *many,
        row("/residents", kind="supervisor"),
    ]


def seen(trees: Trees, view: View, rounds: int = 6) -> World:
    """What is known when all that *view* shows was asked for."""
    world = World()
    world.hear(trees(EVERYBODY, None), NOW)
    for _ in range(rounds):
        wanted = dict.fromkeys(each for line in lines_of(world, view) for each in line.wants)
        for branch in wanted:
            world.learn(branch, trees(branch.question(), branch.process).said)
    return world
