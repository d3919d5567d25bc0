# A real PostgreSQL for tests: a throw-away cluster, reached through a Unix socket in a short
# temporary folder and through a free port. Nothing of it is safe against a crash of the machine,
# and so it is fast.
#
# PostgreSQL refuses to run as root, so under root its programs run as the user "postgres" (or
# "nobody"), by `setpriv`.

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any

import pytest
from free_ports import free_port

USER = "greenroom"
SECONDS = 60
_QUICK = """
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 100
listen_addresses = '127.0.0.1'
log_min_messages = warning
"""


class Postgres:
    """
    A running cluster; `stop` ends it and removes its folder.

    Skips the test, with a word what to install, where PostgreSQL or psycopg is missing.
    """

    def __init__(self) -> None:
        self._programs = _programs()
        try:
            import psycopg
        except ImportError:
            pytest.skip("needs psycopg: pip install 'psycopg[binary,pool]'")
        self._psycopg = psycopg
        self._numbers = count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
        self.host = "127.0.0.1"
        self.port = free_port()
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = _unprivileged()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as_user = [
                *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
            ]
        self._data = self.folder / "data"
        try:
            self._run(
                *("initdb", "--pgdata", str(self._data), "--username", USER, "--auth", "trust"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync"),
            )
            with (self._data / "postgresql.conf").open("a") as configuration:
                configuration.write(f"{_QUICK}port = {self.port}\n")
                configuration.write(f"unix_socket_directories = '{self.folder}'\n")
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    # -- its life -------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._run("pg_ctl", "start", *self._options("--log", str(self.folder / "log")))

    def halt(self) -> None:
        """End all its sessions and stop it; its data stay."""
        self._run("pg_ctl", "stop", *self._options("--mode", "fast"))

    def restart(self) -> None:
        """End all its sessions, stop it, and start it again."""
        self.halt()
        self.start()

    def stop(self) -> None:
        """End it for good."""
        try:
            self._run("pg_ctl", "stop", *self._options("--mode", "immediate"))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _options(self, *more: str) -> list[str]:
        return ["--pgdata", str(self._data), "--wait", "--timeout", str(SECONDS), *more]

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:  # a pipe would stay open with the server
            self._run_into(output, program, arguments)

    def _run_into(self, output: IO[bytes], program: str, arguments: tuple[str, ...]) -> None:
        done = subprocess.run(
            [*self._as_user, str(self._programs / program), *arguments],
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=2 * SECONDS,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
        log = self.folder / "log"
        told = log.read_text(errors="replace") if done.returncode and log.exists() else ""
        assert done.returncode == 0, f"{program} failed:\n{said}{told}"

    # -- what is in it --------------------------------------------------------------------

    def ask(self, query: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Return the rows of *query*, asked through a connection of its own."""
        with self._psycopg.connect(
            host=str(self.folder), port=self.port, user=USER, dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template0") -> str:
        """Make a database, empty or a copy of *template*, and return its name."""
        name = f"test_{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, and end who is in it."""
        self.ask(f"DROP DATABASE {name} WITH (FORCE)")

    def sessions(self, name: str) -> int:
        """Count the connections that are open to the database *name*."""
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'"  # not the autovacuum
        )
        return int(self.ask(query, name)[0][0])

    def terminate(self, name: str) -> int:
        """End all sessions of the database *name*, as an administrator may; say how many."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        return len(self.ask(query, name))

    def settings(self, name: str, **more: object) -> dict[str, Any]:
        """Return Django's settings for the database *name*."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": USER,
            "HOST": self.host,
            "PORT": str(self.port),
            **more,
        }


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a cluster of its own for a block."""
    postgres = Postgres()
    try:
        yield postgres
    finally:
        postgres.stop()


def _programs() -> Path:
    """Return the folder with initdb, pg_ctl and postgres; Debian has it outside of the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[-3])
    )
    if not versions:
        pytest.skip("needs postgresql: apt-get install postgresql")
    return versions[-1].parent


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    pytest.skip("needs a user named postgres: PostgreSQL does not run as root")
