# A project under two worker processes, for `manage.py actors`: one of its residents crashes until
# its budget is spent, with a text that would do something to a terminal.

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.conftest import Served, serve_project
from projects import MEMORY, Project

from greenroom.bridges.inspection import gather

SECONDS = 60.0
ASGI = """
    import os
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    from greenroom.bridges.django import Greenroom, django_application
    from django.urls import path
    application = Greenroom(
        http=django_application(),
        websocket=[path("ws/", "notes.consumers.Notes")],
        children=["notes.consumers.Ticker", "notes.feed.Feed"],
    )
    """
FEED = """
    from greenroom.actors import Actor, handles
    class Feed(Actor):
        restart = "permanent"
        max_restarts = 2
        max_seconds = 60.0
        async def started(self):
            self.send_after(0.01, {"type": "fetch"})
        @handles("fetch")
        async def on_fetch(self, message):
            raise ValueError("no such room: \\x1b[2J\\x1b]0;owned\\x07")  # the offending line
    """


class Market:
    """
    The project, and its command.

    Args:
        folder: Where its files are.
        sockets: The directory of its inspection.
    """

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.folder = folder
        self.sockets = sockets
        self.project = Project(folder)
        self.project.write("mysite/asgi.py", ASGI)
        self.project.write("notes/feed.py", FEED)
        settings = (folder / "mysite" / "settings.py").read_text()
        kept = "\n".join(line for line in settings.splitlines() if "GREENROOM" not in line)
        options = f'GREENROOM = {{"INSPECTION_DIR": {str(sockets)!r}}}'
        (folder / "mysite" / "settings.py").write_text(f"{kept}\n{options}\n")

    @property
    def env(self) -> dict[str, str]:
        return {"DATABASE": json.dumps(MEMORY), "PYTHONPATH": str(self.folder)}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", "manage.py", "actors", *arguments]

    def run(
        self, *arguments: str, text: bool = True, **env: str
    ) -> "subprocess.CompletedProcess[Any]":
        """
        Run the command where there is no terminal.

        Without ``--timeout`` it waits for who is slow: by itself it does for a second.
        """
        patience = () if "--timeout" in arguments else ("--timeout", "20")
        return subprocess.run(
            self.command(*arguments, *patience),
            cwd=self.folder,
            env={**os.environ, **self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=text,
            check=False,
            timeout=SECONDS,
        )

    def pids(self) -> list[int]:
        """The processes that answer."""
        return [each.pid for each in self.ask(ask="process") if each.answer is not None]

    def ask(self, **question: Any) -> Any:
        return gather(question, self.sockets, seconds=5.0).answers

    def until(self, what: str, check: Callable[[], object]) -> Any:
        """Wait for what another process does and does not tell of."""
        give_up = time.monotonic() + SECONDS
        while not (found := check()):
            assert time.monotonic() < give_up, f"not within {SECONDS:g} s: {what}"
            time.sleep(0.05)
        return found

    def settle(self, processes: int) -> None:
        """Wait until so many processes answer, and the feed of each has spent its restarts."""

        def parked() -> bool:
            answers = self.ask(ask="tree", path="/residents")
            states = [
                row["state"]
                for each in answers
                if each.answer is not None
                for row in each.answer.get("rows", ())
                if row["name"] == "feed"
            ]
            return states == ["parked"] * processes

        self.until("both feeds are parked", parked)


@contextmanager
def market(folder: Path) -> Iterator[Market]:
    """Make the project; its sockets have a short path, for that is bounded."""
    sockets = Path(tempfile.mkdtemp(prefix="gr-market-"))
    try:
        yield Market(folder, sockets)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


@contextmanager
def served_market(folder: Path) -> Iterator[tuple[Market, Served]]:
    """Serve it with two workers of the real server."""
    with market(folder) as made:
        application = "mysite.asgi:application"
        with serve_project(application, "-w", "2", folder=folder, **made.env) as served:
            made.settle(2)
            yield made, served
