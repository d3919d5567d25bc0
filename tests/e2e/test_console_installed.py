# The console's app in projects of other shapes, each in a process of its own: on PostgreSQL,
# without the admin, without the app, not migrated yet, with an admin that is its own.

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from e2e._postgres import Postgres

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parent / "project"

AUDIT = """
from datetime import timedelta
from types import SimpleNamespace
from django.test import override_settings
from django.utils import timezone
from greenroom.bridges.django.console import _audit
from greenroom.bridges.django.console._audit_views import AuditQuery
from greenroom.bridges.django.console._denied import tell_denied
from greenroom.bridges.django.models import AuditEntry

user = SimpleNamespace(pk=7, get_username=lambda: "ada")
old = _audit.begin(user, "127.0.0.1", action="stop", path="/residents/a", arguments={"seconds": 1})
AuditEntry.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=91))
new = _audit.begin(user, "::1", action="drain", process="host:1:2")
assert _audit.complete(new, "done", "", {"touched": 3, "replaced": True})
[row] = AuditQuery(who="AD", path="HOST:1").entries()
assert (row.pk, row.answer) == (new.pk, {"touched": 3, "replaced": True}), row
assert AuditEntry.objects.count() == 1
for _ in range(2):
    tell_denied(user, "::1", "stop", "stop_actor", {"path": "/a\\0\\ud800", "process": 7})
[denied] = AuditEntry.objects.filter(outcome="denied")
assert (denied.path, denied.process) == ("/a\\\\x00\\\\ud800", ""), denied.path
print("audited")
"""


def python(code: str, **env: str) -> str:
    """Run *code* in the project's folder; return what it says."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PROJECT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "mysite.settings", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def manage(*arguments: str, **env: str) -> str:
    """Run a command of the project; return what it says."""
    call = f"from django.core.management import call_command; call_command(*{arguments!r})"
    return python(f"import django; django.setup(); {call}", **env)


def test_on_postgresql(postgres: Postgres) -> None:
    """
    Its migrations, its log, what is looked for in it and its retention work on PostgreSQL.
    """
    name = postgres.create()
    try:
        databases = {"default": postgres.settings(name)}
        env = {"GREENROOM_TEST_DATABASES": json.dumps(databases)}
        manage("migrate", "--verbosity=0", **env)
        assert "No changes detected" in manage("makemigrations", "--check", "greenroom", **env)
        assert "audited" in python(f"import django; django.setup()\n{AUDIT}", **env)
        assert manage("migrate", "greenroom", "zero", "--verbosity=0", **env) == ""
    finally:
        postgres.drop(name)


ADMIN = "django.contrib.admin"
OURS = "greenroom.bridges.django"


@pytest.mark.parametrize("taken", [[ADMIN], [OURS], [ADMIN, "django.contrib.messages"]])
def test_without(tmp_path: Path, taken: list[str]) -> None:
    """
    Without the admin the app does nothing there; without the app nothing needs its models.
    """
    settings = f"""
for name in {taken!r}:
    INSTALLED_APPS.remove(name)
"""
    code = """
import sys
import django
django.setup()
from django.apps import apps
from greenroom.bridges.django import Greenroom, django_application, disconnect_user
Greenroom(http=django_application())
assert apps.is_installed("django.contrib.admin") is ("django.contrib.admin.sites" in sys.modules)
if apps.is_installed("greenroom.bridges.django"):
    assert "greenroom.bridges.django.console._site" not in sys.modules
else:
    assert "greenroom.bridges.django.models" not in sys.modules
print("well")
"""
    env = {"GREENROOM_TEST_SETTINGS": settings, "GREENROOM_TEST_DATABASE": str(tmp_path / "db")}
    if ADMIN in taken:
        env["GREENROOM_TEST_SETTINGS"] += "ROOT_URLCONF = 'notes.databases'\n"
    assert "well" in python(code, **env)


OWN = """
import sys
from types import ModuleType

shop = ModuleType("shop")
sys.modules["shop"] = shop
exec('''
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig

class ShopSite(admin.AdminSite):
    site_header = "Shop"

class ShopConfig(AdminConfig):
    default_site = "shop.ShopSite"
''', shop.__dict__)
INSTALLED_APPS[0] = "shop.ShopConfig"
"""


@pytest.mark.parametrize("order", ["before", "behind"])
def test_an_admin_of_its_own(tmp_path: Path, order: str) -> None:
    """
    A project's own AdminConfig and AdminSite have the console, wherever the app stands in the list.
    """
    settings = f"{OWN}\nINSTALLED_APPS.remove({OURS!r})\n"
    settings += f"INSTALLED_APPS.insert({0 if order == 'before' else 4}, {OURS!r})\n"
    code = """
import django
django.setup()
from django.core.management import call_command
from django.test import Client
from django.urls import resolve
from django.contrib.auth.models import User
assert "console" in resolve("/admin/greenroom/audit/").func.__module__
call_command("migrate", verbosity=0)
call_command("check", fail_level="WARNING")
boss = User.objects.create_superuser("boss")
client = Client(headers={"host": "localhost"})
client.force_login(boss)
text = client.get("/admin/").content.decode()
assert "Shop" in text and "/admin/greenroom/audit/" in text
assert client.get("/admin/greenroom/").status_code == 200
print("well")
"""
    env = {"GREENROOM_TEST_SETTINGS": settings, "GREENROOM_TEST_DATABASE": str(tmp_path / "db")}
    assert "well" in python(code, **env)


def test_before_its_migration(tmp_path: Path) -> None:
    """
    A project that has the app, and has not run its migration, serves its pages and its admin.
    """
    code = """
import django
django.setup()
from django.core.management import call_command
for app in ("admin", "auth", "contenttypes", "sessions"):
    call_command("migrate", app, verbosity=0)
from django.contrib.auth.models import User
from django.test import Client
client = Client(headers={"host": "localhost"})
client.force_login(User.objects.create_superuser("boss"))
for page in ("", "greenroom/", "greenroom/audit/", "greenroom/processes/"):
    answer = client.get("/admin/" + page)
    assert answer.status_code == 200, page
assert "migrate greenroom" in client.get("/admin/greenroom/audit/").content.decode()
answer = client.post("/admin/greenroom/act/drain/", {"process": "x:1:2"})
assert answer.status_code == 302
assert "migrate greenroom" in client.get("/admin/").content.decode()
print("well")
"""
    assert "well" in python(code, GREENROOM_TEST_DATABASE=str(tmp_path / "db"))
