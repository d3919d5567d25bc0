# `manage.py serve`: hypercorn's trio worker on the project's ASGI_APPLICATION. By the time
# it runs manage.py has set Django up, so it can say in one line what plain hypercorn says
# with a traceback: a port in use, settings that are refused, an asgi.py that fails.

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from ....hypercorn._serve import ServeError, full_address, serve
from ..._paths import import_dotted


class Command(BaseCommand):
    """Serves the project with hypercorn on trio."""

    help = "Serves the project's ASGI_APPLICATION with hypercorn on trio."
    requires_system_checks = ()  # run below, after what has a one-line answer

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare ``--bind`` and ``--workers``."""
        parser.add_argument(
            "--bind",
            action="append",
            metavar="HOST:PORT",
            help="Address to listen on, also PORT or unix:PATH; may be given several times."
            " Default: 127.0.0.1:8000.",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=1,
            help="Number of processes. With 1 (the default) it is this one.",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """
        Serve until a signal says stop.

        Raises:
            CommandError: it can't be served; the text is one line.
        """
        if options["workers"] < 1:
            raise CommandError(f"--workers must be 1 or more. Got: {options['workers']}")
        application = load_application()
        self.check(fail_level=40)
        try:
            binds = [full_address(bind) for bind in options["bind"] or ["127.0.0.1:8000"]]
            path = "greenroom.bridges.django._served:application"
            status = serve(application, path, binds, options["workers"])
        except ServeError as error:
            raise CommandError(str(error)) from error
        if status:
            raise CommandError(f"a worker ended with status {status}", returncode=status)


def load_application() -> Callable[..., Any]:
    """
    Return the project's ASGI_APPLICATION.

    Raises:
        CommandError: it is not set, or leads nowhere; the text is one line.
    """
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name:
        package = str(getattr(settings, "ROOT_URLCONF", "mysite.urls")).partition(".")[0]
        raise CommandError(
            "ASGI_APPLICATION is not set. Put this into the settings:"
            f' ASGI_APPLICATION = "{package}.asgi.application"'
        )
    try:
        application: Any = import_dotted(name, "ASGI_APPLICATION")
    except (ImproperlyConfigured, TypeError, ValueError) as error:
        raise CommandError(" ".join(str(error).split())) from error
    if not callable(application):
        raise CommandError(f"ASGI_APPLICATION {name!r} is no application. Got: {application!r}")
    return cast("Callable[..., Any]", application)
