# `manage.py actors`: the live tree of a running server in this terminal, or once as text or JSON.
# It asks the server's processes over their sockets, as the same user on the same machine, so it
# need not be one of them. It looks and changes nothing.
#
# Exit codes, for scripts: 0 it was shown; 1 nobody answers; 2 it was asked for what is not there;
# 3 with --unhealthy and --once: something is.

import os
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from django.conf import ENVIRONMENT_VARIABLE
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from ....inspection._hook import directories_of
from ..._project import project_name
from ..._settings import load_options
from ...terminal._asking import asking
from ...terminal._gathering import portraits
from ...terminal._options import Asked
from ...terminal._parts import fit
from ...terminal._plain import json_lines, text_lines, troubles
from ...terminal._said import EVERYBODY, Ask, Heard
from ...terminal._units import several

NOBODY, WRONG, UNHEALTHY = 1, 2, 3


class Command(BaseCommand):
    """Shows the tree of a running server."""

    help = (
        "Shows the live tree of the running server, of all its processes, in this terminal. It"
        " looks and changes nothing: to restart, stop, suspend, disconnect or drain, use the"
        " console in the admin (<admin>/greenroom/) or POST to its JSON API."
    )
    requires_system_checks = ()  # it looks at a server, which has run them

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is to be shown, and how."""
        parser.add_argument(
            "--once",
            action="store_true",
            help="Print the tree once as plain text. Where there is no terminal it is so anyway.",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print it once, one line of JSON for each process."
        )
        parser.add_argument(
            "--path", default="/", help="Where to begin, such as /residents. Default: /."
        )
        parser.add_argument(
            "--search",
            default="",
            metavar="TEXT",
            help="Only places whose path, class or user has this text.",
        )
        parser.add_argument(
            "--unhealthy",
            action="store_true",
            help="Only what is unhealthy. With --once the exit code is 3 if anything is.",
        )
        parser.add_argument("--process", default="", metavar="PID", help="Only this process.")
        parser.add_argument(
            "--depth", type=int, help="Levels to show, or to open at first. Default: all."
        )
        parser.add_argument(
            "--limit", type=int, default=50, help="Rows below one place. Default: 50."
        )
        parser.add_argument(
            "--every",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="How often the live tree is brought up to date. Default: 1.",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="How long a process may take to answer before it is shown as silent. Default: 1.",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """
        Show the tree.

        Raises:
            CommandError: it can't be shown, or with ``--unhealthy`` something is unhealthy; its
                ``returncode`` says which.
        """
        asked = Asked(
            path=options["path"],
            search=options["search"],
            unhealthy=options["unhealthy"],
            process=options["process"],
            depth=options["depth"],
            limit=options["limit"],
            every=options["every"],
            seconds=options["timeout"],
        )
        if wrong := asked.wrong():
            raise CommandError(wrong, returncode=WRONG)
        ask = asking(asked.seconds)
        once = options["once"] or options["json"]
        try:
            if once or not self._show(asked, ask, plain=options["no_color"]):
                self._print(asked, ask, as_json=options["json"])
        except ImproperlyConfigured as error:
            raise CommandError(" ".join(str(error).split())) from error

    # -- live ----------------------------------------------------------------------------------

    def _show(self, asked: Asked, ask: Ask, *, plain: bool) -> bool:
        """Show it until somebody quits; False, at once, if this is no place for that."""
        if not (self.stdout.isatty() and sys.stdin.isatty()):
            return False
        if threading.current_thread() is not threading.main_thread():
            return False  # signals are the main thread's
        try:
            from ...terminal._live import show
            from ...terminal._screen import Drawing
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "rich":
                raise
            raise CommandError(
                "the live tree needs the package rich: pip install 'greenroom[terminal]'. Without"
                " it write --once or --json."
            ) from error
        drawing = Drawing(sys.stdout, plain=plain)
        if not drawing.able:
            return False
        show(asked, ask, first_words(ask, asked), drawing, sys.stdin.fileno())
        return True

    # -- once ----------------------------------------------------------------------------------

    def _print(self, asked: Asked, ask: Ask, *, as_json: bool) -> None:
        first, now = first_words(ask, asked), time.time()
        found = portraits(ask, first, asked, now)
        lines = json_lines(found) if as_json else text_lines(found, asked, first.trouble, now)
        self._write(lines)
        answered = [each for each in found if not each.process.silent]
        if not answered:
            silent = several(len(found), "process is there and", "processes are there, and none")
            raise CommandError(f"{silent} answers within {asked.seconds:g} s", returncode=NOBODY)
        if all(each.missing for each in answered):
            raise CommandError(answered[0].trouble, returncode=WRONG)
        places, processes = troubles(found)
        if asked.unhealthy and (places or processes):
            counts = f"{several(places, 'place')}, {several(processes, 'process', 'processes')}"
            raise CommandError(f"unhealthy: {counts}", returncode=UNHEALTHY)

    def _write(self, lines: Iterable[str]) -> None:
        encoding = cast("str | None", getattr(self.stdout, "encoding", None)) or "utf-8"
        try:
            for line in lines:
                self.stdout.write(fit(line, encoding))
            self.stdout.flush()
        except BrokenPipeError:  # `manage.py actors | head`: whoever reads has seen enough
            with suppress(OSError), Path(os.devnull).open("w") as nothing:
                os.dup2(nothing.fileno(), sys.stdout.fileno())


def first_words(ask: Ask, asked: Asked) -> Heard:
    """
    Return what all processes say of themselves.

    Raises:
        CommandError: nobody is there, or not the one that is wanted.
    """
    heard = ask(EVERYBODY, None)
    if not heard.said:
        raise CommandError(_nobody(heard.trouble), returncode=NOBODY)
    pids = [str(each.process.get("pid")) for each in heard.said]
    if asked.process and asked.process not in (*pids, *(each.id for each in heard.said)):
        there = ", ".join(pids)
        said = f"--process must be one of {there}, or an id. Got: {asked.process!r}"
        raise CommandError(said, returncode=WRONG)
    return heard


def _nobody(trouble: str) -> str:
    places = directories_of(load_options(), project_name()) or []
    looked = " or ".join(str(each) for each in places) or "nowhere"
    module = os.environ.get(ENVIRONMENT_VARIABLE, "its own")
    return (
        f"nobody answers{f': {trouble}' if trouble else ''}. Does a server of this project run, as"
        f" the user with the number {os.getuid()}, with the settings {module} and the same"
        f" SECRET_KEY? Its socket would be in {looked};"
        ' GREENROOM = {"INSPECTION_DIR": "/run/mysite"} names a place for both.'
    )
