# The audit log: written before, completed after, kept for so long; and its page.

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from console_project import client_of
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from greenroom.bridges.django.console import _audit
from greenroom.bridges.django.models import AuditEntry


def entries(count: int, days: int = 0, **fields: Any) -> None:
    """Write so many entries, so many days old."""
    at = timezone.now() - timedelta(days=days)
    AuditEntry.objects.bulk_create(
        AuditEntry(at=at, user_key="1", user_name="bob", action="restart", **fields)
        for _ in range(count)
    )


def written(user: Any, **fields: Any) -> AuditEntry:
    """Write one entry as an action does."""
    return _audit.begin(user, "127.0.0.1", action="restart", path="/residents/a", **fields)


def test_nothing_is_missing_in_the_migrations(console: None) -> None:
    """
    The migrations make what the models say.
    """
    call_command("makemigrations", "greenroom", check=True, dry_run=True, verbosity=0)


@override_settings(DEFAULT_AUTO_FIELD="django.db.models.AutoField")
def test_nor_where_a_project_has_other_keys(console: None) -> None:
    """
    A project's own kind of primary keys is none of ours.
    """
    call_command("makemigrations", "greenroom", check=True, dry_run=True, verbosity=0)


def test_an_empty_log(console: None) -> None:
    """
    A log without entries says so, and one without those that are looked for says that.
    """
    auditor = client_of("ann", "view_tree", "view_audit")
    page = reverse("admin:greenroom_audit")
    assert "Nothing has been done by hand yet." in auditor.get(page).content.decode()
    found = auditor.get(page, {"who": "eve"}).content.decode()
    assert "No entry is as looked for." in found


def test_before_and_after(user: Any) -> None:
    """
    An entry stands there as begun, and is completed.
    """
    entry = written(user, reason="stuck")
    [row] = AuditEntry.objects.all()
    assert (row.outcome, row.user_name, row.reason, row.finished) == ("begun", "ada", "stuck", None)
    assert _audit.complete(entry, "done", "", {"touched": 1})
    row.refresh_from_db()
    assert (row.outcome, row.answer) == ("done", {"touched": 1})
    assert row.finished is not None


def test_before(user: Any) -> None:
    """
    BEFORE: where the tables are not there, it is said what to do, and the transaction stands.
    """
    table = AuditEntry._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    with pytest.raises(_audit.NotRecorded, match="manage.py migrate greenroom"):
        written(user)
    assert not _audit.is_migrated()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert written(user).pk


def test_a_log_that_can_not_be_told_the_end(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    If only the end can't be written, the caller hears of it, and the entry stays begun.
    """
    entry = written(user)

    def refuse(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr("django.db.models.query.QuerySet.update", refuse)
    assert not _audit.complete(entry, "done", "", {})
    assert AuditEntry.objects.get().outcome == "begun"


def test_kept(user: Any) -> None:
    """
    KEPT: who did it is named when the account is gone.
    """
    written(user)
    pk = str(user.pk)
    user.delete()
    row = AuditEntry.objects.get()
    assert (row.user_key, row.user_name) == (pk, "ada")


def test_bounded(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    BOUNDED: what is older than AUDIT_DAYS goes with the next entries, so many at a time.
    """
    monkeypatch.setattr(_audit, "AT_ONCE", 4)
    entries(6, days=91)
    entries(2, days=89)
    _audit.complete(written(user), "done", "", {})
    assert AuditEntry.objects.count() == 2 + 2 + 1
    _audit.complete(written(user), "done", "", {})
    assert AuditEntry.objects.count() == 2 + 2


@pytest.mark.parametrize(("days", "left"), [(10, 0), (None, 3), (100, 3)])
def test_retention_is_a_setting(rolled_back: None, days: int | None, left: int) -> None:
    """
    AUDIT_DAYS says how long an entry is kept; None is for ever.
    """
    entries(3, days=50)
    with override_settings(GREENROOM={"AUDIT_DAYS": days}):
        _audit.prune()
    assert AuditEntry.objects.count() == left


def test_the_setting_is_the_process_s() -> None:
    """
    AUDIT_DAYS is no option of one application, and a wrong one is refused.
    """
    from greenroom.bridges.django._settings import load_options, problems

    with pytest.raises(TypeError, match="AUDIT_DAYS"):
        load_options(audit_days=3)
    with override_settings(GREENROOM={"AUDIT_DAYS": 0}):
        assert "AUDIT_DAYS" in problems()[0].text


# -- its page ----------------------------------------------------------------------------------


def page(client: Any, **query: Any) -> str:
    """The text of the audit page."""
    answer = client.get(reverse("admin:greenroom_audit"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_has_its_own_permission(console: None) -> None:
    """
    Who may see the tree may not read the log for that.
    """
    url = reverse("admin:greenroom_audit")
    assert client_of("bob", "view_tree").get(url).status_code == 403
    assert client_of("eve", "view_audit", staff=False).get(url).status_code == 302
    assert client_of("ada", "view_audit").get(url).status_code == 200
    assert client_of("cleo", "view_audit").post(url).status_code == 405


def test_the_page_shows_what_was_done(console: None) -> None:
    """
    An entry is a line with who, what and what came of it; nothing in it becomes markup.
    """
    ada = client_of("ada", "view_audit")
    entries(1, path="/residents/<script>", reason="<b>because</b>", outcome="refused", error="no")
    entries(1, path="/residents/cut", outcome="begun")
    text = page(ada)
    assert "/residents/&lt;script&gt;" in text
    assert "<b>because" not in text
    assert "&lt;b&gt;because" in text
    assert "bob" in text
    assert "cut off, or still on its way" in text


@override_settings(TIME_ZONE="Pacific/Auckland")
def test_an_entry_for_a_person(console: None) -> None:
    """
    When is said in UTC as on all pages, a user by name, and the reason without unfolding anything.
    """
    ada = client_of("ada", "view_audit")
    key = str(ada.session["_auth_user_id"])
    at = datetime(2026, 5, 1, 3, 0, tzinfo=UTC)
    AuditEntry.objects.create(
        at=at, user_key="1", user_name="bob", action="disconnect-user", outcome="done",
        path=f"user {key}", reason="shared the password", arguments={"for_good": True},
    )  # fmt: skip
    row = page(ada).partition('<tr id="e')[2].partition("</tr>")[0]
    seen, _, folded = row.partition("<details")
    assert "2026-05-01 03:00:00 UTC" in seen
    assert f"user ada ({key})" in seen
    assert "shared the password" in seen
    assert "for_good yes" in folded


@pytest.mark.parametrize("zone", ["America/Chicago", "Asia/Tokyo"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"who": "ad"}, 1),
        ({"who": "2"}, 1),
        ({"action": "stop"}, 1),
        ({"action": "nonsense"}, 2),
        ({"outcome": "refused"}, 1),
        ({"path": "shop"}, 1),
        ({"path": "host:1"}, 1),
        ({"since": "2026-06-01"}, 1),
        ({"until": "2026-06-01"}, 1),
        ({"since": "2026-02-31"}, 2),
        ({"since": "x"}, 2),
        ({"since": "0001-01-01"}, 2),
        ({"until": "9999-12-31"}, 2),
        ({"before": "x"}, 2),
        ({"before": "9" * 30}, 2),
        ({"who": "\0"}, None),
    ],
)
def test_what_is_looked_for(
    console: None, query: dict[str, str], found: int | None, zone: str
) -> None:
    """
    The log is looked through by who, action, outcome, path and time; nonsense looks for nothing.
    """
    ada = client_of("ada", "view_audit")
    early = timezone.now().replace(year=2026, month=1)
    late = timezone.now().replace(year=2026, month=9)
    one = {"user_key": "2", "user_name": "ada", "action": "stop", "path": "/residents/shop"}
    AuditEntry.objects.create(at=early, outcome="refused", **one)
    other = {"user_key": "1", "user_name": "bob", "action": "drain", "process": "host:1:2"}
    AuditEntry.objects.create(at=late, outcome="done", **other)
    with override_settings(TIME_ZONE=zone, USE_TZ=True):
        text = page(ada, **query)
    if found is not None:
        assert text.count('<tr id="e') == found


def test_pages_of_the_log(console: None) -> None:
    """
    A long log comes a page at a time, the newest first, and says what is looked for on each.
    """
    import re

    ada = client_of("ada", "view_audit")
    entries(60, path="/residents/a")
    first = page(ada, path="resid")
    assert first.count('<tr id="e') == 50
    found = re.search(r'<a href="([^"]+)" rel="next"', first)
    assert found
    second = ada.get(found[1].replace("&amp;", "&")).content.decode()
    assert second.count('<tr id="e') == 10
    assert 'value="resid"' in second
    assert 'rel="next"' not in second


def test_the_page_before_the_migration(console: None) -> None:
    """
    Where the tables are not there, the page says what to do.
    """
    boss = client_of("boss", superuser=True)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {AuditEntry._meta.db_table}")
    assert "manage.py migrate greenroom" in page(boss)
