from django.apps import AppConfig
from django.core import checks


class GreenroomConfig(AppConfig):
    """
    The Django app: system checks, the commands ``serve`` and ``runserver``, the view of the tree.

    ``INSTALLED_APPS = ["greenroom.bridges.django"]``. The application itself works
    without it.
    """

    name = "greenroom.bridges.django"
    label = "greenroom"
    verbose_name = "Greenroom"

    def ready(self) -> None:
        """Register the system checks; teach asgiref trio."""
        from . import checks as ours
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
        ):
            checks.register(check)
        if not problems():  # else the checks say so
            teach_asgiref()
