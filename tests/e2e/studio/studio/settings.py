# A project with an admin, uploads, whitenoise and, with STUDIO_DEBUG, django-debug-toolbar.
# STUDIO_FOLDER holds its files, STUDIO_DATABASE (JSON) names another database than SQLite's.
import json
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ["STUDIO_FOLDER"])

SECRET_KEY = "only for tests"
DEBUG = bool(os.environ.get("STUDIO_DEBUG"))
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INTERNAL_IPS = ["127.0.0.1"]

INSTALLED_APPS = [
    "greenroom.bridges.django",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "works",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if DEBUG:  # served by staticfiles instead of whitenoise, and with the toolbar
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE[1] = "debug_toolbar.middleware.DebugToolbarMiddleware"
    DEBUG_TOOLBAR_CONFIG = {"RESULTS_CACHE_SIZE": 500}  # its own files are in the history, too

ROOT_URLCONF = "studio.urls"
ASGI_APPLICATION = "studio.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": json.loads(os.environ.get("STUDIO_DATABASE", "null"))
    or {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = FOLDER / "static"
MEDIA_URL = "media/"
MEDIA_ROOT = FOLDER / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
