# A PostgreSQL server of one's own: made in a folder, reached by a socket in it, gone at the end.

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

QUICK = "-F -c listen_addresses='' -c synchronous_commit=off -c full_page_writes=off"


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    return program


@contextmanager
def postgres() -> Iterator[dict[str, Any]]:
    """Yield what goes into DATABASES for a new server's only database."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, user)

    def run(name: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
        command = [*as_user, _program(name), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)

    try:
        run("initdb", "--no-sync", "--auth=trust", "--username=greenroom", "--encoding=UTF8")
        log = str(folder / "log")
        run("pg_ctl", "start", "--wait", f"--log={log}", "-o", f"{QUICK} -k {folder}")
        try:
            engine = "django.db.backends.postgresql"
            yield {
                "ENGINE": engine,
                "NAME": "postgres",
                "USER": "greenroom",
                "HOST": str(folder),
            }
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
