# How the console comes into every AdminSite: see bridges/django/console/_site.py.

import re
from collections.abc import Iterator
from typing import Any

import pytest
from console_project import client_of
from django.test import Client, override_settings
from django.urls import include, path, reverse

urlpatterns: list[Any] = []


@pytest.fixture
def sites(
    console: None, own_sites: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """
    Two sites beside the default one, of which one has a class of its own, and one has no console.
    """
    from django.contrib import admin

    class Quiet(admin.AdminSite):
        greenroom_console = False

    class Own(admin.AdminSite):
        site_header = "Our own"

        def get_urls(self) -> list[Any]:
            return [path("extra/", self.admin_view(self.index), name="extra"), *super().get_urls()]

    made = {"own": Own("own"), "quiet": Quiet("quiet")}
    routes = [
        path("admin/", admin.site.urls),
        path("own/", made["own"].urls),
        path("quiet/", made["quiet"].urls),
    ]
    monkeypatch.setitem(globals(), "urlpatterns", routes)
    with override_settings(ROOT_URLCONF=__name__):
        yield made


def entry(text: str) -> list[str]:
    """The links of Greenroom's entry on an admin's index."""
    found = re.search(r'<div class="app-greenroom module.*?</div>', text, re.DOTALL)
    return re.findall(r'href="([^"]+)"', found[0]) if found else []


@pytest.mark.parametrize("at", ["/admin/", "/own/"])
def test_every_site(sites: dict[str, Any], at: str) -> None:
    """
    EVERY SITE: the index has an entry that leads to the tree, which is there.
    """
    ada = client_of("ada", "view_tree")
    links = entry(ada.get(at).content.decode())
    assert links[0] == f"{at}greenroom/"
    assert set(links) == {f"{at}greenroom/"}
    assert ada.get(f"{at}greenroom/").status_code == 200
    assert ada.get(f"{at}greenroom").status_code in (301, 302)


def test_several_at_once(sites: dict[str, Any]) -> None:
    """
    EVERY SITE: a page of one site links to its own pages, and not to those of another.
    """
    boss = client_of("boss", superuser=True)
    for at in ("/admin/", "/own/"):
        text = boss.get(f"{at}greenroom/audit/").content.decode()
        assert set(re.findall(r'href="(/\w+/greenroom/[^"?]*)', text)) >= {
            f"{at}greenroom/", f"{at}greenroom/audit/", f"{at}greenroom/processes/",
        }  # fmt: skip
        other = "/own/" if at == "/admin/" else "/admin/"
        assert f'"{other}' not in text


def test_a_site_without(sites: dict[str, Any]) -> None:
    """
    A site that wants no console has no entry, and no pages.
    """
    boss = client_of("boss", superuser=True)
    assert entry(boss.get("/quiet/").content.decode()) == []
    assert boss.get("/quiet/greenroom/").status_code == 404


def test_once(console: None) -> None:
    """
    ONCE: hooking again, and making URLs again, makes nothing double.
    """
    from django.contrib import admin

    from greenroom.bridges.django.console import _site

    before = admin.AdminSite.get_urls
    _site.hook()
    _site.register_everywhere()
    assert admin.AdminSite.get_urls is before
    names = [each.name for each in admin.site.get_urls() if getattr(each, "name", None)]
    assert names.count("app_list") == 2  # ours, and the admin's own
    routes = [str(each.pattern) for each in admin.site.get_urls()]
    assert routes.count("greenroom/") == 1


def test_made_before_models(
    console: None, own_sites: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    EVERY SITE: URLs that were made before models could be imported lead there all the same.
    """
    from django.apps import apps
    from django.contrib import admin

    site = admin.AdminSite("early")
    with monkeypatch.context() as early:
        early.setattr(apps, "models_ready", False)
        urls = site.urls
    from greenroom.bridges.django.console._site import register_everywhere

    register_everywhere()
    monkeypatch.setitem(globals(), "urlpatterns", [path("early/", urls)])
    with override_settings(ROOT_URLCONF=__name__):
        ada = client_of("ada", "view_tree", "view_audit")
        links = entry(ada.get("/early/").content.decode())
        assert set(links) == {"/early/greenroom/", "/early/greenroom/audit/"}
        assert ada.get("/early/greenroom/audit/").status_code == 200


def test_behind_a_prefix(console: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An admin anywhere in the URLs has its console below it.
    """
    from django.contrib import admin

    routes = [path("back/", include([path("office/", admin.site.urls)]))]
    monkeypatch.setitem(globals(), "urlpatterns", routes)
    with override_settings(ROOT_URLCONF=__name__):
        assert reverse("admin:greenroom_tree") == "/back/office/greenroom/"
        assert reverse("admin:greenroom_act", args=["stop"]) == "/back/office/greenroom/act/stop/"


@pytest.mark.parametrize(
    ("permissions", "paths"),
    [
        ((), []),
        (("view_tree",), ["/admin/greenroom/"]),
        (("view_tree", "view_audit"), ["/admin/greenroom/", "/admin/greenroom/audit/"]),
        (("restart_actor",), []),
    ],
)
def test_unseen(console: None, permissions: tuple[str, ...], paths: list[str]) -> None:
    """
    UNSEEN: the entry on the index, and in the sidebar, is for who may read what it leads to.
    """
    ada = client_of("ada", *permissions)
    links = entry(ada.get("/admin/").content.decode())
    assert sorted(set(links)) == paths


def test_no_rows_by_hand(console: None) -> None:
    """
    Nobody adds, changes or deletes rows of ours in the admin, a superuser neither.
    """
    from greenroom.bridges.django.models import AuditEntry

    boss = client_of("boss", superuser=True)
    from django.utils import timezone

    row = AuditEntry.objects.create(at=timezone.now(), user_key="1", user_name="x", action="stop")
    for rest in ("auditentry/", f"auditentry/{row.pk}/change/", f"auditentry/{row.pk}/delete/",
                 "auditentry/add/", "console/add/", "console/"):  # fmt: skip
        for method in (boss.get, boss.post):
            assert method(f"/admin/greenroom/{rest}").status_code == 404, rest
    assert AuditEntry.objects.count() == 1


def test_strangers(console: None) -> None:
    """
    A stranger is sent to the login page of the very site.
    """
    answer: Any = Client().get("/admin/greenroom/")
    assert answer.status_code == 302
    assert answer.url == "/admin/login/?next=/admin/greenroom/"


def test_the_checks_are_content(console: None) -> None:
    """
    The admin's own checks find nothing wrong with what is registered.
    """
    from django.contrib import admin

    admin.site.get_urls()
    assert admin.site.check(None) == []
