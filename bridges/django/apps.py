from django.apps import AppConfig
from django.core import checks


class GreenroomConfig(AppConfig):
    """
    The Django app: system checks, the command ``serve``, the view of the tree.

    ``INSTALLED_APPS = ["greenroom.bridges.django"]``. The application itself works
    without it.
    """

    name = "greenroom.bridges.django"
    label = "greenroom"
    verbose_name = "Greenroom"

    def ready(self) -> None:
        """Register the system checks."""
        from .checks import check_asgi_application, check_databases, check_routes, check_setting

        for check in (check_setting, check_asgi_application, check_routes, check_databases):
            checks.register(check)
