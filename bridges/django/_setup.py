# Setting Django up, once, whoever comes first.
#
# Importing greenroom.bridges.django sets Django up, because asgi.py imports the
# project's consumers right after it, and those import models. But an entry in
# INSTALLED_APPS imports the same package *while* Django is being set up, and a
# settings-less tool (a docs builder, a type checker's stub test) imports it with no
# project at all. So:
#
#   during apps.populate()      nothing is done: Django is on its way already
#   no settings, no hypercorn   nothing is done; the first use raises, see require_django()
#   otherwise                   django.setup(), with readable errors
#
# tests/bridges/django/test_setup.py runs each order in a fresh interpreter.

import os

import django
from django.apps import apps
from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.exceptions import ImproperlyConfigured

from ..hypercorn._startup import in_hypercorn_worker, refuse

NO_SETTINGS = (
    f"{ENVIRONMENT_VARIABLE} is not set. Put"
    f' os.environ.setdefault("{ENVIRONMENT_VARIABLE}", "mysite.settings") at the top of asgi.py,'
    " before the first import of greenroom, Django or your own code."
)


def set_up_on_import() -> None:
    """
    Set Django up if it can be and nobody has begun to. Blocks for the imports.

    Raises:
        ImproperlyConfigured: the settings can't be loaded (below hypercorn's command:
            SystemExit with one line).
    """
    if apps.ready or apps.loading:
        return
    if _settings_named() or in_hypercorn_worker():
        _set_up()


def require_django() -> None:
    """
    Set Django up if that has not happened, or say why it can't be.

    Raises:
        ImproperlyConfigured: no settings, or they can't be loaded.
    """
    if not (apps.ready or apps.loading):
        _set_up()
    apps.check_models_ready()


def _settings_named() -> bool:
    return settings.configured or bool(os.environ.get(ENVIRONMENT_VARIABLE))


def _set_up() -> None:
    if not _settings_named():
        refuse(NO_SETTINGS, ImproperlyConfigured)
    name = os.environ.get(ENVIRONMENT_VARIABLE, "")
    try:
        django.setup(set_prefix=False)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not (name == missing or name.startswith(f"{missing}.")):
            raise  # some other import inside the project: its traceback says where
        refuse(
            f"{ENVIRONMENT_VARIABLE} is {name!r}, but there is no module {missing!r}."
            " Is it spelled right, and was the server started in the folder of manage.py?",
            ImproperlyConfigured,
        )
    except ImproperlyConfigured as error:
        refuse(f"Django's settings are refused: {error}", ImproperlyConfigured)
