# The setting GREENROOM, and the system checks.

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from greenroom.bridges.django import checks
from greenroom.bridges.django._settings import KNOWN, load_options
from greenroom.bridges.django.management.commands.runserver import Command


def test_without_the_setting_there_are_defaults() -> None:
    """
    A project without GREENROOM has the default options.
    """
    assert load_options().view_threads == 8


def test_the_setting_and_the_arguments() -> None:
    """
    GREENROOM's values hold, and arguments win over them.
    """
    with override_settings(GREENROOM={"VIEW_THREADS": 3, "CONSUMER_THREADS": 5}):
        options = load_options(view_threads=4)

    assert (options.view_threads, options.consumer_threads) == (4, 5)
    assert load_options().view_threads == 8


@pytest.mark.parametrize(
    "option",
    [
        {"async_views": "trio"},
        {"patch_asgiref": False},
        {"inspection": False},
        {"inspection_dir": "/run/mysite"},
    ],
)
def test_what_holds_for_all_is_no_argument(option: dict[str, Any]) -> None:
    """
    An option that would have no effect as an argument is refused; the message says what to write.
    """
    (name,) = option
    with pytest.raises(TypeError, match=f'GREENROOM = {{"{name.upper()}": '):
        load_options(**option)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"VIEW_TREADS": 3}, "has no option 'VIEW_TREADS'. Did you mean 'VIEW_THREADS'?"),
        ({"view_threads": 3}, "has no option 'view_threads'. Did you mean 'VIEW_THREADS'?"),
        ({"XYZZY": 3}, "There are: CONSUMER_THREADS, VIEW_THREADS"),
        ({5: 3}, "has no option 5"),
        ({"VIEW_THREADS": "3"}, "GREENROOM: .*Got: '3'"),
        ({"VIEW_THREADS": 0}, "GREENROOM: .*Got: 0"),
        (["VIEW_THREADS"], "GREENROOM must be a dict"),
    ],
)
def test_a_wrong_setting_is_refused(setting: Any, message: str) -> None:
    """
    Unknown names and bad values are refused by name.
    """
    with (
        override_settings(GREENROOM=setting),
        pytest.raises(ImproperlyConfigured, match=message),
    ):
        load_options()


def test_a_wrong_argument_is_refused() -> None:
    """
    Options given to Greenroom() are checked like those of the setting.
    """
    with pytest.raises(TypeError, match=r"Greenroom\(\) has no option 'view_treads'"):
        load_options(view_treads=3)
    with pytest.raises(TypeError, match="Did you mean 'view_threads'"):
        load_options(VIEW_THREADS=3)
    with pytest.raises(ValueError, match="view_threads"):
        load_options(view_threads=0)


def test_every_option_is_a_setting() -> None:
    """
    Each field of Options can be set, under its name in capital letters.
    """
    from greenroom.supervisor import Options

    assert {option.name.upper() for option in Options.described()} == set(KNOWN)


@pytest.fixture
def site() -> Iterator[ModuleType]:
    """
    A module `checked_site` for applications and routes.
    """
    module = ModuleType("checked_site")
    module.urlpatterns = []  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    with override_settings(ROOT_URLCONF=module.__name__):
        yield module
    del sys.modules[module.__name__]


def ids(messages: list[CheckMessage]) -> list[str | None]:
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({}, []),
        ([], ["greenroom.E001"]),
        ({"X": 1, "Y": 2}, ["greenroom.E002", "greenroom.E002"]),
        ({"VIEW_THREADS": None}, ["greenroom.E003"]),
        ({"VIEW_THREADS": 0, "ORM_THREADS": -1}, ["greenroom.E003", "greenroom.E003"]),
        ({"SHUTDOWN_SECONDS": 30.0}, ["greenroom.E003"]),
    ],
)
def test_check_setting(setting: Any, expected: list[str]) -> None:
    """
    E001 to E003 say what is wrong with GREENROOM.
    """
    with override_settings(GREENROOM=setting):
        assert ids(checks.check_setting()) == expected


@pytest.mark.parametrize("name", ["checked_site.application", "no_such_module.application"])
def test_check_asgi_application_missing(site: ModuleType, name: str) -> None:
    """
    E004: what ASGI_APPLICATION names is not there.
    """
    with override_settings(ASGI_APPLICATION=name):
        (message,) = checks.check_asgi_application()

    assert message.id == "greenroom.E004"
    assert name in message.msg


def test_a_refused_value_is_explained() -> None:
    """
    E003 names the option as the settings do, and its hint says what the option is.
    """
    with override_settings(GREENROOM={"VIEW_THREADS": "8"}):
        (message,) = checks.check_setting()

    assert message.msg == "GREENROOM: VIEW_THREADS must be a whole number. Got: '8'"
    assert "Django's views" in str(message.hint)
    assert str(message.hint).endswith("Default: 8.")


def test_what_greenroom_says_is_said_once() -> None:
    """
    Where asgi.py fails because of the setting GREENROOM, there is no E004 beside E003.
    """
    with override_settings(GREENROOM={"X": 1}, ASGI_APPLICATION="no_such_module.application"):
        assert checks.check_asgi_application() == []


def test_check_asgi_application_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    E004: an asgi.py that raises is said to, and its hint is not about the setting's form.
    """
    (tmp_path / "raising_asgi.py").write_text("import no_such_module_here")
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(ASGI_APPLICATION="raising_asgi.application"):
        (message,) = checks.check_asgi_application()

    assert message.id == "greenroom.E004"
    assert 'shell -c "import raising_asgi"' in str(message.hint)


def test_check_asgi_application_is_none(site: ModuleType) -> None:
    """
    E004: ASGI_APPLICATION names something that can't be called.
    """
    site.application = "something"  # type: ignore[attr-defined]
    with override_settings(ASGI_APPLICATION="checked_site.application"):
        assert ids(checks.check_asgi_application()) == ["greenroom.E004"]


def test_check_asgi_application_of_django(site: ModuleType) -> None:
    """
    E005: Django's own handlers can't run on trio; ours is fine.
    """
    with override_settings(ASGI_APPLICATION="checked_site.application", STATIC_URL="/static/"):
        for handler in (ASGIHandler(), WSGIHandler(), ASGIStaticFilesHandler(None)):
            site.application = handler  # type: ignore[attr-defined]
            assert ids(checks.check_asgi_application()) == ["greenroom.E005"]

    from greenroom.bridges.django import django_application

    site.application = django_application()  # type: ignore[attr-defined]
    with override_settings(ASGI_APPLICATION="checked_site.application"):
        assert checks.check_asgi_application() == []


def test_check_routes(site: ModuleType) -> None:
    """
    E006: a consumer or a dotted name in urls.py.
    """
    from greenroom.actors import WebsocketConsumer

    class Chat(WebsocketConsumer):
        pass

    site.urlpatterns = [path("a/", "some.Chat"), path("b/", Chat)]  # type: ignore[attr-defined]
    first, second = checks.check_routes()

    assert ids([first, second]) == ["greenroom.E006", "greenroom.E006"]
    assert "'a/'" in first.msg


def test_check_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    W001: a connection pool with fewer places than there are threads, of all three pools.
    """
    pool = {"max_size": 23}
    monkeypatch.setattr(settings, "DATABASES", {"default": {"OPTIONS": {"pool": pool}}})

    assert ids(checks.check_databases()) == ["greenroom.W001"]
    pool["max_size"] = 24
    assert checks.check_databases() == []


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ({"OPTIONS": {"pool": {"max_size": 24}}, "CONN_MAX_AGE": None}, ["greenroom.E007"]),
        ({"OPTIONS": {"pool": {"max_size": 24}}, "CONN_MAX_AGE": 0}, []),
        ({"OPTIONS": {"pool": {"max_size": "x"}}}, []),
        ({"OPTIONS": None}, []),
    ],
)
def test_check_pools(
    database: dict[str, Any], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    E007: a pool with CONN_MAX_AGE, which Django refuses; other nonsense is left to Django.
    """
    monkeypatch.setattr(settings, "DATABASES", {"default": database})

    assert ids(checks.check_databases()) == expected


def test_check_atomic_requests(site: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    W006: with ATOMIC_REQUESTS, an async view that is not excepted from it.
    """

    async def news(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    async def weather(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    site.urlpatterns = [  # type: ignore[attr-defined]
        path("news/", news),
        path("weather/", transaction.non_atomic_requests(weather)),
        path("page/", page),
    ]
    assert checks.check_atomic_requests() == []

    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    (message,) = checks.check_atomic_requests()
    assert ids([message]) == ["greenroom.W006"]
    assert "'news/'" in message.msg


def test_check_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    W002: Channels or Daphne installed beside us.
    """
    monkeypatch.setattr(apps, "is_installed", lambda name: name == "daphne")

    assert ids(checks.check_asgi_application()) == ["greenroom.W002"]


@pytest.mark.parametrize("app", ["django.contrib.staticfiles", "django.core"])
def test_check_runserver(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    W005: the runserver of an app that comes before ours, but not one that is made of ours.
    """
    assert checks.check_runserver() == []

    monkeypatch.setattr(checks, "get_commands", lambda: {"runserver": app})
    (message,) = checks.check_runserver()
    assert message.id == "greenroom.W005"
    assert f"before '{app}'" in str(message.hint)

    class Own(Command):
        pass

    monkeypatch.setattr(checks, "get_commands", lambda: {"runserver": Own()})
    assert checks.check_runserver() == []


@pytest.mark.usefixtures("site", "database")  # it looks whether that can hold JSON
def test_manage_py_check_runs_them() -> None:
    """
    `manage.py check` finds them: the app registers every check.
    """
    call_command("check")
    with override_settings(GREENROOM=[]), pytest.raises(SystemCheckError, match=r"greenroom\.E001"):
        call_command("check")
