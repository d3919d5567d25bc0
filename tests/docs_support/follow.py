# Does what a tutorial's pages tell their reader to do, in a folder of its own: makes the files,
# runs the commands, starts the server, talks to it. What a page shows has to be what comes.
#
#   ```console                        each line behind "$ " is run; below it is its output
#   <!-- file: chat/views.py -->      before a literalinclude: that becomes this file
#   <!-- edit: mysite/settings.py --> before a block: its first line is in the file, the others are
#                                     put behind it
#   <!-- append: ... -->              before a block: it is put at the end of the file
#   <!-- conversation: /path -->      before a text block: clients of the running server, each in
#                                     its own socket: "ann> sent", "ben< received"
#   <!-- server: /path -->            before a text block: lines that the server prints, once a
#                                     browser has opened the page (without a path: by itself)

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import trio
from docs_support.snippets import ROOT, Block, blocks, differences, normal
from e2e._server import START_SECONDS, WAIT_SECONDS, Server, dial

SERVES = r"Starting ASGI/Greenroom development server at http://127\.0\.0\.1:(\d+)/"
LOOK_SECONDS = 3.0  # the reloader looks once a second, and not at a change before its first look
COMMANDS = {"python": [sys.executable], "django-admin": [sys.executable, "-m", "django"]}
COMMANDS["pytest"] = [sys.executable, "-m", "pytest"]


class Runserver(Server):
    """`python manage.py runserver` in *folder*."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        super().__init__("", cwd=folder, env=env)
        self._command = [sys.executable, "manage.py", "runserver", "127.0.0.1:0"]

    def wait_serving(self, mark: int = 0, seconds: float = START_SECONDS) -> None:
        """Wait until it serves, again if since *mark*; on port 0 that is another port."""
        self.port = int(self.wait_for_line(SERVES, mark, seconds)[1])


class Follower:
    """A reader of pages, with an empty *folder*; a context manager that ends with the server."""

    def __init__(self, folder: Path, visit: Callable[[str], object]) -> None:
        self.server: Runserver | None = None
        self._folder = folder
        self._visit = visit  # opens a URL in a browser
        self._changed: Path | None = None  # since the server has looked
        self._mark = 0
        self._env = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self._serving().port}"

    def stop(self) -> None:
        """End the server."""
        if self.server is not None:
            self.server.kill()
            sys.stdout.write(self.server.output)  # pytest shows it beside a failure
            self.server = None

    def follow(self, page: str) -> None:
        """Do all that *page* (below docs/) tells."""
        self.stop()
        for block in blocks(ROOT / "docs" / page):
            problem = self._do(block)
            assert not problem, f"{block.where}: {problem}"

    def _do(self, block: Block) -> str:
        if block.marker == "file":
            source = (ROOT / block.page).parent / block.included
            return self._write(block.argument, source.read_text())
        if block.marker == "append":
            old = (self._folder / block.argument).read_text()
            return self._write(block.argument, f"{old}\n{block.text}\n")
        if block.marker == "edit":
            return self._edit(block)
        if block.marker == "conversation":
            return trio.run(self._converse, block)
        if block.marker == "server":
            return self._look_in_output(block)
        if block.language == "console" and block.marker != "fragment":
            return self._run_all(block.text)
        return ""

    # -- files ------------------------------------------------------------------------------

    def _write(self, name: str, text: str) -> str:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.suffix == ".py":
            self._changed = path
        return ""

    def _edit(self, block: Block) -> str:
        old = (self._folder / block.argument).read_text()
        first, _, rest = block.text.partition("\n")
        if old.count(f"{first}\n") != 1:
            return f"{first!r} is not one line of {block.argument}:\n{old}"
        return self._write(block.argument, old.replace(f"{first}\n", f"{first}\n{rest}\n"))

    # -- commands ---------------------------------------------------------------------------

    def _run_all(self, text: str) -> str:
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            problem = self._run(command, shown.strip("\n"))
            if problem:
                return f"{command}: {problem}"
        return ""

    def _run(self, command: str, shown: str) -> str:
        words = command.split()
        if words == ["python", "manage.py", "runserver"]:
            return self._start(shown)
        done = subprocess.run(
            [*COMMANDS[words[0]], *words[1:]],
            cwd=self._folder,
            env={**os.environ, **self._env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            return f"it ended with {done.returncode}:\n{done.stdout}"
        return differences(shown, done.stdout) if shown else ""

    def _start(self, shown: str) -> str:
        self.stop()
        self.server = Runserver(self._folder, self._env)
        self.server.start()
        self.server.wait_serving()
        self._mark, self._changed = self.server.mark(), None
        here = f"127.0.0.1:{self.server.port}"
        return differences(shown, self.server.output.replace(here, "127.0.0.1:8000") + "\n\n")

    # -- the running server -----------------------------------------------------------------

    def _serving(self) -> Runserver:
        """Return the server, once it serves what the files are now."""
        server = self.server
        assert server is not None, "the page has not started a server"
        for _ in range(10):
            if self._changed is None:
                return server
            self._changed.touch()
            try:
                server.wait_serving(self._mark, LOOK_SECONDS)
            except AssertionError:
                continue
            self._changed, self._mark = None, server.mark()
        raise AssertionError(server.explain("it has not noticed the change of a file"))

    async def _converse(self, block: Block) -> str:
        lines = [re.fullmatch(r"(\w+)([<>]) (.*)", line) for line in block.text.splitlines()]
        server = await trio.to_thread.run_sync(self._serving)
        async with AsyncExitStack() as stack:
            sockets = {
                line[1]: await stack.enter_async_context(dial(server, block.argument))
                for line in lines
                if line is not None
            }
            for line in lines:
                if line is None:
                    return f"no conversation: {block.text}"
                who, sign, text = line.groups()
                with trio.fail_after(WAIT_SECONDS):
                    if sign == ">":
                        await sockets[who].send_message(text)
                    elif (got := await sockets[who].get_message()) != text:
                        return f"{line[0]!r}: got {got!r}"
        return ""

    def _look_in_output(self, block: Block) -> str:
        server = self._serving()
        if block.argument:
            self._visit(f"{self.address}{block.argument}")
        until = time.monotonic() + WAIT_SECONDS
        while True:
            # Django's lines of requests begin with the time, in brackets.
            lines = [re.sub(r"^\[[^]]*\] ", "", line) for line in server.output.splitlines()]
            problem = missing(block.text, lines)
            if not problem or time.monotonic() > until:
                return problem
            server.wait_for_line("", server.mark())


def missing(shown: str, lines: list[str]) -> str:
    """Say what of *shown* is not in *lines*, in order; "..." stands for any lines."""
    wanted = "\n".join(f"...\n{normal(line)}" for line in shown.splitlines() if line != "...")
    return differences(f"{wanted}\n...", "\n".join(lines))
