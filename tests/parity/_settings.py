# Django for the processes of the suite: sessions, users, a SQLite file.

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
"""As in a project that used Channels; Greenroom leads the path to its own."""


def configure(app: str, package: str, folder: Path) -> None:
    """Configure Django with *app* installed, and make the tables in *folder*."""
    import django
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["example.com", ".example.org"],
        ASGI_APPLICATION="parity.served.application",
        AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
        CHANNEL_LAYERS=LAYERS,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "db.sqlite3"),
                "OPTIONS": {"timeout": 20},
            }
        },
        DEBUG=False,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            app,
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="parity.served",
        SECRET_KEY="parity",
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def clean() -> None:
    """Empty the tables that cases write to, in a thread of its own."""

    def work() -> None:
        from django.contrib.auth.models import User
        from django.contrib.sessions.models import Session
        from django.db import connection

        User.objects.all().delete()
        Session.objects.all().delete()
        connection.close()

    in_plain_thread(work)


def in_plain_thread(work: Callable[[], None]) -> None:
    """Run *work* in a thread and wait for it."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def fresh_layers() -> AbstractContextManager[object]:
    """Channel layers that nobody has used yet, for a block."""
    from django.test import override_settings

    return override_settings(CHANNEL_LAYERS={name: dict(LAYERS[name]) for name in LAYERS})
