# The feed of a site of the project's own: whom the site does not let in may not listen either.

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from console_project import console_settings
from django.http import HttpRequest
from django.test import override_settings
from django.urls import path
from django_sessions import cookie, log_in, make_user

from greenroom.bridges.django import Greenroom
from greenroom.bridges.testing import StreamRefused, serve

SITES = ("open", "narrow", "factor")


@pytest.fixture
def sites(rolled_back: None, own_sites: None) -> Iterator[None]:
    """
    A project with three admin sites, one of which asks for what only a middleware knows.
    """
    with console_settings():
        from django.contrib.admin import AdminSite

        class Narrow(AdminSite):
            def has_permission(self, request: HttpRequest) -> bool:
                user: Any = request.user
                return super().has_permission(request) and user.username == "ada"

        class Factor(AdminSite):
            def has_permission(self, request: HttpRequest) -> bool:
                user: Any = request.user
                return super().has_permission(request) and user.is_verified()

        kinds = {"open": AdminSite, "narrow": Narrow, "factor": Factor}
        module: Any = ModuleType("feed_sites_urls")
        module.urlpatterns = [path(f"{name}/", kinds[name](name).urls) for name in SITES]
        with override_settings(ROOT_URLCONF=module):
            yield


@pytest.fixture
def sessions(sites: None) -> dict[str, list[tuple[str, str]]]:
    """
    The headers of two superusers, by name.
    """
    users = {each: make_user(each, is_staff=True, is_superuser=True) for each in ("ada", "bob")}
    return {name: cookie(log_in(user)) for name, user in users.items()}


@pytest.mark.parametrize(
    ("name", "site", "allowed"),
    [
        ("ada", "open", True),
        ("ada", "narrow", True),
        ("bob", "open", True),
        ("bob", "narrow", False),
        ("ada", "factor", False),
    ],
)
async def test_whom_the_site_lets_in(
    sessions: dict[str, list[tuple[str, str]]], name: str, site: str, allowed: bool
) -> None:
    """
    Who may not enter the site gets 403, and so does everybody if it asks for what a middleware adds
    to the user, which no stream has passed; nothing crashes, and the page polls.
    """
    async with serve(Greenroom(close_seconds=0)) as server:
        feed = server.event_stream(f"/{site}/greenroom/feed/", headers=sessions[name])
        if allowed:
            async with feed:
                pass
        else:
            with pytest.raises(StreamRefused, match="403"):
                async with feed:
                    pass
