# The cookie of a session, as Django's SessionMiddleware sets it, for the answer to a handshake.

import time
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import http_date


def set_cookie_headers(session: Any) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell a browser the key of *session*; to forget it if it has none."""
    response = HttpResponse()
    place: dict[str, Any] = {
        "path": settings.SESSION_COOKIE_PATH,
        "domain": settings.SESSION_COOKIE_DOMAIN,
        "samesite": settings.SESSION_COOKIE_SAMESITE,
    }
    if not session.session_key:
        response.delete_cookie(settings.SESSION_COOKIE_NAME, **place)
    else:
        age = None if session.get_expire_at_browser_close() else session.get_expiry_age()
        response.set_cookie(
            settings.SESSION_COOKIE_NAME,
            session.session_key,
            max_age=age,
            expires=None if age is None else http_date(time.time() + age),
            secure=settings.SESSION_COOKIE_SECURE or False,
            httponly=settings.SESSION_COOKIE_HTTPONLY or False,
            **place,
        )
    cookies: Any = response.cookies
    return [(b"set-cookie", each.OutputString().encode("latin-1")) for each in cookies.values()]
