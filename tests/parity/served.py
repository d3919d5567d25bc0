# What the suite's settings name by its dotted path: an application, URLs, a backend for users.

urlpatterns: list[object] = []


class OtherBackend:
    """A second backend, so that login() has to be told which."""

    def get_user(self, user_id: object) -> None:
        """Know nobody."""


async def application(scope, receive, send):  # type: ignore[no-untyped-def]
    """Is what get_default_application() finds."""
