# The reloader polls often here, and tells when it has: a test edits a file only after that,
# since what changes before the first poll was always so, to the reloader.
import os
import sys
from collections.abc import Iterator
from typing import Any

from django.core.management import execute_from_command_line
from django.utils.autoreload import StatReloader

snapshot_files = StatReloader.snapshot_files


def told(self: Any) -> Iterator[Any]:
    """Look at all files, then say so."""
    yield from snapshot_files(self)
    print("polled", flush=True)


if __name__ == "__main__":
    StatReloader.SLEEP_TIME = 0.05
    StatReloader.snapshot_files = told
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    execute_from_command_line(sys.argv)
