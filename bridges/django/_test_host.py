# The host that requests of a test are sent to, which ALLOWED_HOSTS has to hold.

from django.conf import settings

_HOST = "testserver"


def test_host() -> str | None:
    """Return the host of Django's own test client where Django takes it: in its test runs."""
    known = settings.configured and _HOST in settings.ALLOWED_HOSTS
    return _HOST if known else None
