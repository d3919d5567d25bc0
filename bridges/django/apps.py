from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks


class GreenroomConfig(AppConfig):
    """
    The Django app: checks, ``serve`` and ``runserver``, the console in the admin.

    ``INSTALLED_APPS = ["greenroom.bridges.django"]``. The application itself works
    without it.
    """

    name = "greenroom.bridges.django"
    label = "greenroom"
    verbose_name = "Greenroom"
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        if "django.contrib.admin" in settings.INSTALLED_APPS:  # others can't be asked yet
            _hook_admin()

    def import_models(self) -> None:
        """Import the models; before that, have each admin site lead to the console."""
        if apps.is_installed("django.contrib.admin"):  # by a project's own AppConfig, too
            _hook_admin()
        super().import_models()

    def ready(self) -> None:
        """Register the system checks; teach asgiref trio."""
        from . import checks as ours
        from ._inspection_checks import check_inspection_dir, check_tracing
        from ._on_trio import teach_asgiref
        from ._settings import problems

        for check in (
            ours.check_setting,
            ours.check_asgi_application,
            ours.check_routes,
            ours.check_databases,
            ours.check_atomic_requests,
            ours.check_hypercorn,
            ours.check_asgiref,
            ours.check_runserver,
            check_inspection_dir,
            check_tracing,
        ):
            checks.register(check)
        if not problems():  # else the checks say so
            teach_asgiref()
        if apps.is_installed("django.contrib.admin"):
            from .console._site import register_everywhere

            register_everywhere()


def _hook_admin() -> None:
    # As early as can be: before another app makes the URLs of a site.
    from .console._site import hook

    hook()
