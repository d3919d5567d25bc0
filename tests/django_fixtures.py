# Fixtures for tests with users and sessions; a conftest imports them once Django is set up.

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


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
def user(db: None) -> Any:
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
