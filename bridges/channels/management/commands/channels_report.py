# `manage.py channels_report`: what the project has to change, coming from Channels.

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ...report import RENDER, report_on


class Command(BaseCommand):
    """Lists by file and line what has to be changed; ends with 1 if there is something."""

    help = "Lists by file and line what a project written for Channels has to change."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the folder and ``--format``."""
        parser.add_argument(
            "folder",
            nargs="?",
            help="What to look through. Default: BASE_DIR of the settings, else this folder.",
        )
        parser.add_argument("--format", choices=list(RENDER), default="text")

    def handle(self, *_: Any, **options: Any) -> None:
        """
        Print the report.

        Raises:
            CommandError: There is no such folder.
            SystemExit: With 1, if something has to be changed.
        """
        folder = Path(options["folder"] or getattr(settings, "BASE_DIR", None) or Path.cwd())
        try:
            findings = report_on(folder)
        except NotADirectoryError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(RENDER[options["format"]](findings))
        if any(each.level == "change" for each in findings):
            sys.exit(1)
