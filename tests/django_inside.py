# A Django project inside of the test process: settings made by hand, a SQLite file in a temporary
# folder. Whatever tests come first configure it, so it is the same for all.

import atexit
import shutil
import tempfile
from importlib import import_module
from pathlib import Path

from django.conf import settings


def configure() -> None:
    """Configure the settings, unless that has happened, and set Django up."""
    if not settings.configured:
        _configure(Path(tempfile.mkdtemp(prefix="greenroom-django-")))
    import_module("greenroom.bridges.django")  # sets Django up


def _configure(folder: Path) -> None:
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        ROOT_URLCONF="django_test_urls",
        MIDDLEWARE=[],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "greenroom.bridges.django",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "db.sqlite3"}
        },
        LOGGING_CONFIG=None,
    )
