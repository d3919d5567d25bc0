import os
from pathlib import Path

SECRET_KEY = "only for tests"
DEBUG = True
USE_TZ = True
INSTALLED_APPS = ["greenroom.bridges.django", "django.contrib.staticfiles"]
ROOT_URLCONF = "mysite.urls"
ASGI_APPLICATION = os.environ.get("TEST_APPLICATION", "mysite.asgi.application")
STATIC_URL = "static/"
STATICFILES_DIRS = [Path(__file__).parent / "files"]
