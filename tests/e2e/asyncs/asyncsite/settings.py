# A project of async views. ASYNCS_SETTINGS is executed at the end: what one server has otherwise.
import os
import tempfile
from pathlib import Path

FOLDER = Path(os.environ.get("ASYNCS_FOLDER", tempfile.gettempdir()))

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "greenroom.bridges.django",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "asyncsite.middleware.Counted",
]
ROOT_URLCONF = "asyncsite.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"]},
}
STATIC_URL = "static/"
STATIC_ROOT = FOLDER
exec(os.environ.get("ASYNCS_SETTINGS", ""))
