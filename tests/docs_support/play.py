# Run as a program by tests/test_docs.py: plays the pages that are named on its command line, inside
# the Django project of the introduction, and prints as JSON what is not as the pages say.

import ast
import contextlib
import io
import json
import logging
import math
import os
import pkgutil
import re
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snippets import DOCS, ROOT, Block, agrees, blocks, differences

Problem = tuple[str, str]
# ann> she sends, ann< she gets, x 1011 the socket is closed; ! POST /path body, = 200 its answer
LINE = re.compile(r"(\w*) ?([<>x!=])(?: (.*))?$")

READERS = ("file", "edit", "append", "server", "conversation")
"""What is done in a folder of the reader's own, by follow.py."""


class Page:
    """One page: its namespace, and what was seen last."""

    def __init__(self, path: Path) -> None:
        self.blocks = blocks(path)
        self.names: dict[str, Any] = {"__name__": "docs"}
        self.printed = self.logged = self.tree = self.error = ""

    def play(self) -> list[Problem]:
        """Play all blocks, from an empty database on; return what is wrong."""
        from django.core.management import call_command

        call_command("flush", verbosity=0, interactive=False)
        found: list[Problem] = []
        for block in self.blocks:
            try:
                problem = self.problem_of(block)
            except BaseException:
                problem = traceback.format_exc()
            if problem:
                found.append((block.where, problem))
        return found

    def problem_of(self, block: Block) -> str:
        """Play one block; "" if all is well."""
        if block.marker in READERS:
            return ""
        if block.language == "python":
            return self.run(block)
        seen: dict[str, Callable[[], str]] = {
            "raises": lambda: self.error,
            "prints": lambda: self.printed,
            "tree": lambda: self.tree,
            "manage": lambda: manage(block.argument),
        }
        if block.marker in seen:
            return differences(block.text, seen[block.marker]())
        if block.marker == "session":
            return self.converse(block)
        if block.marker == "log":
            return self.look_in_log(block.text)
        return ""

    def run(self, block: Block) -> str:
        """Execute a Python block."""
        source = textwrap.dedent(block.text)
        if block.marker == "fragment":
            ast.parse("async def _():\n" + textwrap.indent(source, "    "))
            return ""
        code = compile(source, block.where, "exec")
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, self.names)
        except Exception as error:
            if block.marker != "raises":
                raise
            self.error = textwrap.fill(f"{type(error).__name__}: {error}", 10000)
            return ""
        self.printed = printed.getvalue()
        return "it raises nothing" if block.marker == "raises" else ""

    def converse(self, block: Block) -> str:
        """Play a conversation with one or more clients."""
        import trio
        from trio.testing import wait_all_tasks_blocked

        from greenroom.bridges.testing import serve, virtual_clock

        name, _, path = block.argument.partition(" ")
        target = self.names.get(name) or pkgutil.resolve_name(name)
        application = target.as_asgi() if isinstance(target, type) else target

        # Time passes, virtually, only while a client waits for what it is shown to get.
        clock = virtual_clock()
        clock.autojump_threshold = math.inf

        async def go() -> str:
            async with contextlib.AsyncExitStack() as stack:
                server = await stack.enter_async_context(serve(application))
                clients = Clients(server, stack, path or "/")
                for line in block.text.splitlines():
                    if not line.strip() or line.startswith("#"):
                        continue
                    match = LINE.match(line)
                    if match is None:
                        return f"no line of a conversation: {line!r}"
                    who, sign, said = match[1], match[2], match[3] or ""
                    if sign == "!":
                        await clients.ask(said)
                    elif sign == ">":
                        await clients.send(who, said)
                    else:
                        clock.autojump_threshold = 0.001
                        got = clients.answer if sign == "=" else await clients.hear(who)
                        clock.autojump_threshold = math.inf
                        if not agrees(f"{sign} {said}", got):
                            return f"line {line!r}: got {got!r}"
                await wait_all_tasks_blocked(0.01)
                self.tree = server.root.render()
            return ""

        with listening() as records:
            problem = trio.run(go, clock=clock)
        self.logged = "\n".join(f"{each.levelname} {each.getMessage()}" for each in records)
        return problem

    def look_in_log(self, shown: str) -> str:
        """Find each shown line in the log, in order."""
        return differences(f"...\n{shown}\n...".replace("\n", "\n...\n"), self.logged)


class Clients:
    """The clients of one conversation, by name; and one browser's cookies."""

    def __init__(self, server: Any, stack: contextlib.AsyncExitStack, path: str) -> None:
        self.answer = ""
        self._server, self._stack, self._path = server, stack, path
        self._sockets: dict[str, Any] = {}
        self._headers = {"host": "localhost", "origin": "http://localhost"}

    async def ask(self, said: str) -> None:
        """Make a request, ``POST /path body``; or log in; or come from a page elsewhere."""
        from asgiref.sync import sync_to_async

        method, url, body = [*said.split(" ", 2), ""][:3]
        if method == "LOGIN":
            await sync_to_async(self._log_in)(url, staff=body == "staff")
        elif method == "ORIGIN":
            self._headers["origin"] = url
        else:
            answer = await self._server.http(
                method, url, headers=self._headers.items(), body=body.encode()
            )
            self.answer = f"= {answer.status} {answer.body.decode()}".rstrip()

    async def send(self, who: str, said: str) -> None:
        """Send one frame; b'...' is a binary one."""
        from trio.testing import wait_all_tasks_blocked

        socket = await self._socket(who)
        if said.startswith(("b'", 'b"')):
            socket.send_bytes(ast.literal_eval(said))
        else:
            socket.send_text(said)
        # One at a time, so that several clients' lines keep their order.
        await wait_all_tasks_blocked(0.01)

    async def hear(self, who: str) -> str:
        """Return what comes next: "< text", or "x code reason" for an end."""
        from greenroom.bridges.testing import HandshakeRefused, SocketClosed

        try:
            socket = await self._socket(who)
            return f"< {await socket.receive(timeout=3600)}"
        except SocketClosed as closed:
            return f"x {closed.code} {closed.reason}".rstrip()
        except HandshakeRefused as refused:
            return f"x {refused.status}"

    async def _socket(self, who: str) -> Any:
        if who not in self._sockets:
            socket = self._server.websocket(self._path, headers=self._headers.items())
            self._sockets[who] = await self._stack.enter_async_context(socket)
        return self._sockets[who]

    def _log_in(self, name: str, *, staff: bool) -> None:
        from django.contrib.auth import get_user_model
        from django.test import Client

        browser = Client()
        browser.force_login(get_user_model().objects.create_user(name, is_staff=staff))
        self._headers["cookie"] = browser.cookies.output(header="", sep=";")


@contextlib.contextmanager
def listening() -> Any:
    """Collect what is logged, instead of printing it."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = records.append
    logger = logging.getLogger("greenroom")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield records
    finally:
        logger.removeHandler(handler)


def manage(command: str) -> str:
    """Return what a management command prints."""
    from django.core.management import CommandError, call_command

    out = io.StringIO()
    try:
        call_command(*command.split(), stdout=out, stderr=out, no_color=True)
    except CommandError as error:
        out.write(f"CommandError: {error}")
    return out.getvalue()


def set_up(folder: str) -> None:
    """Make the introduction's project the current one, with its database in *folder*."""
    sys.path[:0] = [str(DOCS / "examples" / "introduction"), str(DOCS / "examples")]
    os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = str(Path(folder) / "db.sqlite3")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def main() -> None:
    """Play the pages."""
    with tempfile.TemporaryDirectory() as folder:
        set_up(folder)
        found = {name: Page(ROOT / name).play() for name in sys.argv[1:]}
        from django.db import connections

        connections.close_all()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
