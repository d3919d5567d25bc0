# Which cookie a long-polling session belongs to: that of Django's sessions, by the settings.

from django.conf import settings

from ...actors import LongPollConsumer


def teach_poll_cookie() -> None:
    """Have long-polling sessions belong to the session cookie; a class that names one keeps it."""
    LongPollConsumer.session_cookie = settings.SESSION_COOKIE_NAME
