# The smallest settings that Django and django-stubs accept.
SECRET_KEY = "only for type checkers"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "greenroom.bridges.django",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
