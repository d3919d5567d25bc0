# What the address of the tree page says: where to look, what is open, what is looked for. Pure.
#
# `open` names the places that are unfolded, each as process|path; without it the top ones are.

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Spot = tuple[str, str]
"""The id of a process and a path in it."""

PAGE = 50
"""How many places one page lists below another."""
MOST_OPEN = 40
"""How many places may be unfolded at a time."""
MOST_NUMBER = 10**6
MOST_MINUTES = 60 * 24 * 7


@dataclass(frozen=True)
class TreeQuery:
    """What somebody wants to see of the tree."""

    process: str = ""
    """The only process; "" for all."""
    path: str = "/"
    """Below which place."""
    after: str = ""
    """The cursor behind which the page begins."""
    search: str = ""
    unhealthy: bool = False
    mailbox: int | None = None
    """At least so many messages wait."""
    restarted: int | None = None
    """Restarted within so many minutes."""
    opened: tuple[Spot, ...] | None = None
    """What is unfolded; None for what is from the start."""
    users: tuple[str, ...] = ()
    """The keys of the users who have what is looked for in their names."""

    @classmethod
    def read(cls, get: Mapping[str, Any], opened: Iterable[str] | None) -> "TreeQuery":
        """Return what *get*, the query of a URL, says; what can't be is left out."""
        path = str(get.get("path", "") or "/")[:500]
        return cls(
            process=str(get.get("process", ""))[:300],
            path=path,
            after=str(get.get("after", ""))[:2000],
            search=str(get.get("q", "")).strip()[:200],
            unhealthy=get.get("unhealthy", "") not in ("", "0"),
            mailbox=whole(get.get("mailbox"), MOST_NUMBER),
            restarted=whole(get.get("restarted"), MOST_MINUTES),
            opened=None if opened is None else tuple(_spots(opened))[:MOST_OPEN],
        )

    @property
    def looking(self) -> bool:
        """Whether something is looked for in all that is below the place."""
        return bool(self.search or self.unhealthy or self.mailbox or self.restarted)

    @property
    def focused(self) -> bool:
        """Whether one place of one process is looked at."""
        return bool(self.process) and not self.looking

    def question(self, path: str | None = None, **more: object) -> dict[str, object]:
        """Return what to ask a process for."""
        asked: dict[str, object] = {"ask": "tree", "path": path or self.path, "limit": PAGE, **more}
        if self.looking and path is None:
            if self.search:
                asked["search"] = self.search
            if self.users:
                asked["users"] = "\n".join(self.users)
            if self.unhealthy:
                asked["unhealthy"] = True
            if self.mailbox:
                asked["mailbox"] = self.mailbox
            if self.restarted:
                asked["restarted"] = self.restarted * 60
        return asked

    def is_open(self, process: str, path: str, *, few: bool) -> bool:
        """Say whether a place is unfolded; *few* if there are few enough processes for more."""
        if self.opened is None:
            return path == "/" or (few and path in ("/connections", "/residents"))
        return (process, path) in self.opened

    def toggled(self, opened: Iterable[Spot], spot: Spot) -> "TreeQuery":
        """Return the query with *spot* unfolded, or folded if it is among *opened*."""
        others = tuple(each for each in opened if each != spot)
        now = others if spot in opened else (*others, spot)
        return replace(self, opened=now[-MOST_OPEN:], after="")

    def params(self) -> dict[str, object]:
        """Return the query of a URL that says the same."""
        said: dict[str, object] = {
            "process": self.process,
            "path": "" if self.path == "/" else self.path,
            "after": self.after,
            "q": self.search,
            "unhealthy": "1" if self.unhealthy else "",
            "mailbox": self.mailbox or "",
            "restarted": self.restarted or "",
        }
        if self.opened is not None:
            said["open"] = [f"{process}|{path}" for process, path in self.opened] or ["-"]
        return said


def whole(value: object, most: int) -> int | None:
    """Return a text as a whole number from 1 to *most*; None for anything else."""
    text = str(value or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return None
    number = int(text)
    return number if 1 <= number <= most else None


def _spots(opened: Iterable[str]) -> Iterable[Spot]:
    for each in opened:
        process, bar, path = each.partition("|")
        if bar and path.startswith("/") and len(each) <= 800:
            yield process, path
