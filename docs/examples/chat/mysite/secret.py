# A SECRET_KEY for a demo on your own machine: made up once, then kept in a file,
# so that logins survive a restart and no key stands in the source.
import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def local_secret_key(path: Path) -> str:
    """Return the key kept in *path*; write a new one first if there is none."""
    try:
        # O_EXCL: of several workers that start together, one writes.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    key = get_random_secret_key()
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key
