# `manage.py runserver` on hypercorn's trio worker. It is Django's own command: options, checks,
# messages and the autoreloader are its. Only the server (`server_cls`) and what it serves
# (`get_handler`) are ours. The name matters: Django survives broken settings and models only
# under a command that is called runserver.
#
# A reload is a SystemExit(3) in the main thread, Ctrl-C a KeyboardInterrupt, a SIGTERM a
# SystemExit(0), and all of them pass through `run`. So the server is stopped there, and not by a
# receiver of `file_changed`: that one is also called for an edited template, which reloads
# nothing.

import io
import os
import re
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as Runserver
from django.core.management.base import CommandError, OutputWrapper, SystemCheckError
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from ....hypercorn._development import DevelopmentServer
from ....hypercorn._serve import ServeError
from ..._development import Development, StaticFiles
from ..._handler import django_application
from ..._reloading import (
    PATIENCE_SECONDS,
    RELOADS,
    Child,
    Children,
    FailedFiles,
    import_application,
    watch_and_run,
)
from .serve import load_application


class Command(Runserver):
    """Serves the project while it is written: views, WebSockets, residents, static files."""

    help = "Serves the project for development on trio, with WebSockets and reload."
    _server: DevelopmentServer | None = None

    def get_handler(self, *_args: Any, **options: Any) -> Any:
        """Return the application behind static files, if they are to be served."""
        wanted = options["use_static_handler"] and (settings.DEBUG or options["insecure_serving"])
        files = wanted and apps.is_installed("django.contrib.staticfiles")
        return Development(self._project(), StaticFiles() if files else None)

    def _project(self) -> Any:
        if not getattr(settings, "ASGI_APPLICATION", None):
            self.stderr.write("ASGI_APPLICATION is not set: only views are served, no WebSockets.")
            return django_application()
        return load_application()

    def _make_server(self, *args: Any, **options: Any) -> DevelopmentServer:
        self._server = DevelopmentServer(*args, **options)
        return self._server

    def handle(self, *args: Any, **options: Any) -> None:
        """
        Serve until it is interrupted.

        Raises:
            CommandError: an option is not right.
        """
        if not options["use_threading"]:
            raise CommandError(
                "--nothreading can't be had: views run in worker threads. For one at a time set"
                ' GREENROOM = {"VIEW_THREADS": 1}.'
            )
        self.server_cls = cast("Any", self._make_server)  # called where Django would make its own
        super().handle(*args, **{**options, "use_threading": False})  # no mix-in of Django's

    def run(self, **options: Any) -> None:
        """Run with or without the reloader, and stop the server before this process ends."""
        if options["use_reloader"] and os.environ.get(DJANGO_AUTORELOAD_ENV) != "true":
            with suppress(KeyboardInterrupt):  # as in Django's own loop
                sys.exit(Children().run(self.stderr.write))
            return
        child = Child()
        try:
            if options["use_reloader"]:
                watch_and_run(self.inner_run, **options)
            else:
                super().run(**options)
        except SystemExit as end:
            if end.code == RELOADS:
                child.makes_room()
            self._stop(end.code if isinstance(end.code, int) else 1)
            raise
        else:
            self._stop(0)

    def _stop(self, status: int) -> None:
        server = self._server
        if server is None or server.ended.is_set():
            return
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a reload is not cut short
        server.stop()
        if not server.ended.wait(PATIENCE_SECONDS):  # a view hangs in its thread
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Check and serve; a failed start is one line, and a reload may mend it."""
        try:
            if options["use_reloader"]:  # else the checks have a line for what fails
                import_application(FailedFiles())
            super().inner_run(*args, **options)
        except (ServeError, CommandError) as error:
            if options["use_reloader"]:
                coloured = isinstance(error, SystemCheckError)
                self.stderr.write(str(error), str if coloured else None)
            elif isinstance(error, CommandError):
                raise
            else:
                raise CommandError(str(error)) from error

    def on_bind(self, server_port: int) -> None:
        """Say what Django says, with our name in it."""
        out, text = self.stdout, io.StringIO()
        self.stdout = OutputWrapper(text)
        try:
            super().on_bind(server_port)
        finally:
            self.stdout = out
        ours = "Starting ASGI/Greenroom development"
        # Django 5.2 does not say WSGI.
        out.write(re.sub("Starting (WSGI )?development", ours, text.getvalue(), count=1), ending="")
