# System checks: what `manage.py check` says about a project before it is served. Each has
# an id that stays and a hint that says what to type; docs/_ext/provoked.py provokes each,
# and docs/reference lists them from CHECKS.

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.management import BaseCommand, get_commands, load_command_class
from django.db import connections
from django.urls import URLPattern, URLResolver, get_resolver

from .. import asgiref
from ..hypercorn import _internals
from . import _settings
from ._chain import is_async
from ._inspection_checks import untraceable
from ._paths import DottedConsumer, is_actor_class

CHECKS: dict[str, str] = {
    "greenroom.E001": "The setting GREENROOM is no dict.",
    "greenroom.E002": "The setting GREENROOM has a name that does not exist.",
    "greenroom.E003": "A value in the setting GREENROOM is refused.",
    "greenroom.E004": "ASGI_APPLICATION can't be imported.",
    "greenroom.E005": "ASGI_APPLICATION is Django's own, which can't run on trio, or for WSGI.",
    "greenroom.E006": "A consumer, or its dotted name, stands in urls.py.",
    "greenroom.E007": "A database has a connection pool and persistent connections.",
    "greenroom.E008": "TRACING is on, and its extra is not installed.",
    "greenroom.W001": "A database's connection pool is smaller than the number of threads.",
    "greenroom.W002": "Channels' or Daphne's app is installed, too.",
    "greenroom.W003": "The installed hypercorn is unknown, or lacks what Greenroom needs of it.",
    "greenroom.W004": "The installed asgiref is unknown, so async functions fail on trio.",
    "greenroom.W005": "Another app's `runserver` comes before Greenroom's.",
    "greenroom.W006": "ATOMIC_REQUESTS is set, which async views can't have.",
    "greenroom.W007": "No socket of the inspection can be in INSPECTION_DIR, or in its default.",
}
"""Every check and what it means."""


DJANGOS = (
    "django.core.handlers.asgi.ASGIHandler",
    "django.core.handlers.wsgi.WSGIHandler",
    "django.contrib.staticfiles.handlers.ASGIStaticFilesHandler",
    "django.contrib.staticfiles.handlers.StaticFilesHandler",
)


def check_setting(**_: object) -> list[CheckMessage]:
    """Check the setting GREENROOM: E001, E002, E003."""
    return [
        Error(problem.text, hint=problem.hint, id=problem.id) for problem in _settings.problems()
    ]


def check_asgi_application(**_: object) -> list[CheckMessage]:
    """Check ASGI_APPLICATION, if it is set, and rival apps: E004, E005, W002."""
    return [*_asgi_application(), *_rivals()]


def check_hypercorn(**_: object) -> list[CheckMessage]:
    """Check that the installed hypercorn is one whose connections can be replaced: W003."""
    problem = _internals.problem()
    hint = "Install a hypercorn that it knows, or a newer Greenroom."
    return [Warning(f"{problem}.", hint=hint, id="greenroom.W003")] if problem else []


def check_asgiref(**_: object) -> list[CheckMessage]:
    """Check that the installed asgiref is one that can be taught trio: W004."""
    problem = asgiref.patch_problem()
    hint = "Install an asgiref that it knows, or a newer Greenroom."
    return [Warning(f"{problem}.", hint=hint, id="greenroom.W004")] if problem else []


def check_runserver(**_: object) -> list[CheckMessage]:
    """Check that `manage.py runserver` is Greenroom's: W005."""
    from .management.commands.runserver import Command

    owner: str | BaseCommand = get_commands()["runserver"]
    command = load_command_class(owner, "runserver") if isinstance(owner, str) else owner
    if isinstance(command, Command):
        return []
    return [
        Warning(
            f"manage.py runserver is that of {owner!r}, which serves no WebSockets.",
            hint=f'Put "greenroom.bridges.django" before {owner!r} in INSTALLED_APPS.',
            id="greenroom.W005",
        )
    ]


def check_routes(**_: object) -> list[CheckMessage]:
    """Check that no consumer stands in urls.py, where only views can: E006."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    return [
        Error(
            f"The route {route!r} in urls.py leads to a consumer: {view!r}.",
            hint="Move it to Greenroom(websocket=[...]) in asgi.py.",
            id="greenroom.E006",
        )
        for route, view in _views(get_resolver())
        if isinstance(view, DottedConsumer) or is_actor_class(view) or _is_as_asgi(view)
    ]


def check_databases(**_: object) -> list[CheckMessage]:
    """Check that each thread can have a connection, and that Django gives one: W001, E007."""
    if _settings.problems():
        return []
    options = _settings.load_options()
    threads = options.view_threads + options.consumer_threads + options.orm_threads
    found: list[CheckMessage] = []
    for alias, size, is_persistent in _pools():
        if is_persistent:
            error = Error(
                f"Database {alias!r} has a connection pool, with which it can't have CONN_MAX_AGE.",
                hint="Set CONN_MAX_AGE to 0: the pool keeps the connections.",
                id="greenroom.E007",
            )
            found.append(error)
        if size < threads:
            warning = Warning(
                f"The connection pool of database {alias!r} has {size} places for {threads}"
                " threads.",
                hint=f'Set OPTIONS["pool"]["max_size"] to {threads} or more, or lower VIEW_THREADS,'
                " CONSUMER_THREADS and ORM_THREADS in GREENROOM.",
                id="greenroom.W001",
            )
            found.append(warning)
    return found


def check_atomic_requests(**_: object) -> list[CheckMessage]:
    """Check that no async view is to run in a transaction, which Django refuses: W006."""
    databases: dict[str, dict[str, Any]] = connections.settings
    atomic = {alias for alias, database in databases.items() if database["ATOMIC_REQUESTS"]}
    if not atomic or not getattr(settings, "ROOT_URLCONF", None):
        return []
    return [
        Warning(
            f"The view of the route {route!r} is async, so ATOMIC_REQUESTS fails it.",
            hint="Decorate it with django.db.transaction.non_atomic_requests.",
            id="greenroom.W006",
        )
        for route, view in _views(get_resolver())
        if is_async(view) and not atomic <= getattr(view, "_non_atomic_requests", set[str]())
    ]


def _asgi_application() -> Iterator[CheckMessage]:
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name or _settings.problems() or [*untraceable()]:  # asgi.py would say it again
        return
    module_name, _, attribute = str(name).rpartition(".")
    names = 'It names the variable, such as ASGI_APPLICATION = "mysite.asgi.application".'
    shows = f'python manage.py shell -c "import {module_name}" shows where.'
    try:
        application: object = getattr(import_module(module_name), attribute)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
        yield Error(
            f"ASGI_APPLICATION {name!r} can't be imported: {type(error).__name__}: {error}",
            hint=shows if module_name and _is_of_module(error, module_name) else names,
            id="greenroom.E004",
        )
        return
    kind = type(application)
    if f"{kind.__module__}.{kind.__qualname__}" in DJANGOS:
        yield Error(
            f"ASGI_APPLICATION {name!r} is Django's own {kind.__name__}, which can't run on trio.",
            hint="In asgi.py write application = Greenroom(http=django_application());"
            " `manage.py runserver` serves static files by itself.",
            id="greenroom.E005",
        )
    elif not callable(application):
        yield Error(
            f"ASGI_APPLICATION {name!r} is no application. Got: {application!r}",
            hint=names,
            id="greenroom.E004",
        )


def _is_of_module(error: Exception, module_name: str) -> bool:
    """Whether the module is there, and *error* is what came out of it."""
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return not f"{module_name}.".startswith(f"{error.name}.")
    return module_name not in sys.modules  # else it is there, and lacks the attribute


def _rivals() -> Iterator[CheckMessage]:
    for rival in ("channels", "daphne"):
        if apps.is_installed(rival) and not _is_ours(rival):
            yield Warning(
                f"{rival!r} is in INSTALLED_APPS beside greenroom.bridges.django.",
                hint=f"Remove {rival!r}: it serves on another event loop.",
                id="greenroom.W002",
            )


def _is_ours(name: str) -> bool:
    """Whether the module *name* is one of ours, behind `install_as_channels()`."""
    return getattr(sys.modules.get(name), "__name__", name) != name


def _views(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, object]]:
    for route in cast("Sequence[Any]", resolver.url_patterns):
        if isinstance(route, URLResolver):
            yield from _views(route, f"{prefix}{route.pattern}")
        elif isinstance(route, URLPattern):
            yield f"{prefix}{route.pattern}", cast("object", route.callback)


def _is_as_asgi(view: object) -> bool:
    return is_actor_class(getattr(view, "consumer_class", None))


def _pools() -> Iterator[tuple[str, int, bool]]:
    databases: dict[str, dict[str, Any]] = settings.DATABASES
    for alias, database in databases.items():
        options: dict[str, Any] = database.get("OPTIONS") or {}
        pool = options.get("pool")
        if pool:
            sizes = cast("dict[str, Any]", pool) if isinstance(pool, dict) else {}
            # psycopg_pool: max_size defaults to min_size, which defaults to 4
            size = sizes.get("max_size") or sizes.get("min_size") or 4
            if isinstance(size, int):  # else psycopg_pool says so
                yield alias, size, database.get("CONN_MAX_AGE", 0) != 0
