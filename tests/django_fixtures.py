# Fixtures for tests with users and sessions; a conftest imports them once Django is set up.

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def database(django_db_blocker: Any) -> Iterator[None]:
    """
    Tables in the SQLite file, and pytest-django's leave to use it.
    """
    from django.core.management import call_command
    from django.db import connections

    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        connections.close_all()
        yield
        connections.close_all()


@pytest.fixture
def rolled_back(database: None) -> Iterator[None]:
    """
    A transaction for the test, of which nothing is left behind it.
    """
    from django.db import connection, transaction

    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    connection.close()


@pytest.fixture
def own_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Admin sites that the test makes are forgotten behind it, not whenever they are collected.
    """
    from weakref import WeakSet

    from greenroom.bridges.django.console import _mounted

    monkeypatch.setattr(_mounted, "_sites", WeakSet(_mounted._sites))  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def console(rolled_back: None) -> Iterator[None]:
    """
    A project with an admin, for tests of the console's pages.
    """
    from console_project import console_settings

    with console_settings():
        yield


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """
    The name of the session engine in use: `db`, unless the test asks for another.
    """
    from django.test import override_settings

    name: str = getattr(request, "param", "db")
    full = f"django.contrib.sessions.backends.{name}"
    with override_settings(SESSION_ENGINE=full, SESSION_FILE_PATH=str(tmp_path)):
        yield name


@pytest.fixture
def user(rolled_back: None) -> Any:
    """
    A user named ada.
    """
    from django_sessions import make_user

    return make_user()


@pytest.fixture
def key(engine: str, user: Any) -> str:
    """
    The key of a session in which the user is logged in.
    """
    from django_sessions import log_in

    return log_in(user)


@pytest.fixture
def queries(key: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """
    The SQL of the queries from here on, in whatever thread they are made.
    """
    from django.db.backends.utils import CursorWrapper

    asked: list[str] = []
    execute: Any = CursorWrapper.execute

    def noted(self: Any, sql: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(sql)
        return execute(self, sql, *args, **kwargs)

    monkeypatch.setattr(CursorWrapper, "execute", noted)
    return asked
