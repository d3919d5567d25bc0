# The console in Django's admin: in every AdminSite, without a line in urls.py.
#
# AdminSite.get_urls is wrapped once, when the app is found, which is before any other app's models
# or ready() can make URLs. The pages themselves are imported when the first request asks for them,
# for they need models. On the admin's index the app has an entry of its own, made by ModelAdmins
# that have no pages: who lacks view_tree, or view_audit, does not see it.
#
# A site that shall have no console says so: `greenroom_console = False` in its class.
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_site.py:
#   EVERY SITE   default and custom, made early or late, several at once.
#   ONCE         wrapped once, however often the app is made ready.
#   UNSEEN       who may not see the tree sees no entry.

from collections.abc import Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from django.apps import apps
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.sites import all_sites
from django.http import HttpRequest
from django.urls import include, path, re_path

from ._mounted import mounted

_MARK = "_greenroom_console"
_known: "WeakSet[AdminSite]" = WeakSet()


def hook() -> None:
    """Have every admin site lead to the console; again is no different."""
    kind = cast("Any", AdminSite)
    original = kind.get_urls
    if getattr(original, _MARK, False):
        return

    @wraps(original)
    def get_urls(site: AdminSite) -> list[Any]:
        mounted(site)
        if not wanted(site):
            return original(site)
        register(site)
        # First, or the admin's own page of the app would be in their place.
        return [*patterns(site), *original(site)]

    setattr(get_urls, _MARK, True)
    kind.get_urls = get_urls


def wanted(site: AdminSite) -> bool:
    """Say whether *site* is to have the console."""
    if apps.apps_ready and not apps.is_installed("greenroom.bridges.django"):
        return False  # as in a test that takes it away
    return bool(getattr(site, "greenroom_console", True))


def register_everywhere() -> None:
    """Give the index of all sites so far an entry; later ones get theirs with their URLs."""
    for site in list(all_sites):
        if wanted(site):
            register(site)


def register(site: AdminSite) -> None:
    """Give the index of *site* an entry, once; nothing while models are on their way."""
    if site in _known or not apps.models_ready:
        return
    from ..models import AuditEntry, Console

    _known.add(site)
    for model, admin in ((Console, ConsoleAdmin), (AuditEntry, AuditAdmin)):
        if not site.is_registered(model):
            site.register(model, admin)


def patterns(site: AdminSite) -> list[Any]:
    """Return what leads to the console on *site*, for the front of its URLs."""
    later = Later(site)
    return [
        path("greenroom/", include(cast("Any", later))),
        # What the index asks for by the app's label; the line above has answered it before.
        re_path(r"^(?P<app_label>greenroom)/$", site.admin_view(_index_of(site)), name="app_list"),
    ]


if TYPE_CHECKING:
    _Base = ModelAdmin[Any]
else:
    _Base = ModelAdmin


class Later(Sequence[Any]):
    """The URLs of the console on one site, made when they are looked at first."""

    def __init__(self, site: AdminSite) -> None:
        self._site = site
        self._made: list[Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._patterns())

    def __len__(self) -> int:
        return len(self._patterns())

    def __getitem__(self, index: Any) -> Any:
        return self._patterns()[index]

    def _patterns(self) -> list[Any]:
        if self._made is None:
            from ._all_urls import console_patterns

            self._made = console_patterns(self._site)
        return self._made


class _Unpaged(_Base):
    """An entry of the index without pages of the admin's own: its name leads to ours."""

    permission = ""

    def get_urls(self) -> list[Any]:
        """Return none."""
        return []

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Say whether the entry is shown."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether the user has the permission of the page."""
        user = cast("Any", request).user
        return bool(user.is_active and user.has_perm(self.permission))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds anything by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes anything by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes anything by hand."""
        return False


class ConsoleAdmin(_Unpaged):
    """The entry of the live tree."""

    permission = "greenroom.view_tree"


class AuditAdmin(_Unpaged):
    """The entry of the audit log."""

    permission = "greenroom.view_audit"


def _index_of(site: AdminSite) -> Any:
    def index(request: HttpRequest, app_label: str) -> Any:
        return site.app_index(request, app_label)

    return index
