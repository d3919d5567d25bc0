# Who may ask an InspectionApp: who has its token, or a cookie that was given for it. Pure.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_token.py:
#   CONSTANT   how long a comparison takes says nothing about the token.
#   NOT IT     the cookie is not the token, and is over after a while.

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

COOKIE = "greenroom_inspection"
COOKIE_SECONDS = 12 * 3600
LEAST = 16
"""Characters of a token."""


class Token:
    """
    The token of one application.

    Args:
        token: What whoever asks must have.

    Raises:
        TypeError, ValueError: It is no text, or one that can be guessed.
    """

    def __init__(self, token: str) -> None:
        if not isinstance(token, str):
            raise TypeError(f"token must be a text. Got: {type(token).__name__}")
        if len(token) < LEAST or len(set(token)) < 5 or token != token.strip():
            raise ValueError(
                f"token must be {LEAST} characters or more that nobody can guess, without blanks"
                " around them: take what `python -c 'import secrets;"
                f" print(secrets.token_urlsafe())'` prints. Got: {len(token)} characters,"
                f" {len(set(token))} different"
            )
        self._digest = hashlib.sha256(token.encode()).digest()

    def __repr__(self) -> str:
        return "<Token>"

    def is_it(self, offered: str) -> bool:
        """Say whether *offered* is the token."""
        given = hashlib.sha256(offered.encode("utf-8", "surrogateescape")).digest()
        return hmac.compare_digest(given, self._digest)

    def in_header(self, header: str) -> bool:
        """Say whether *header*, that of Authorization, has the token."""
        scheme, _, offered = header.partition(" ")
        return self.is_it(offered.strip()) and scheme.lower() == "bearer"

    def cookie(self, now: float) -> str:
        """Return the value of a cookie that is good from *now*, in seconds since 1970, on."""
        until = str(int(now) + COOKIE_SECONDS)
        return f"{until}.{self._signature(until)}"

    def in_cookies(self, header: str, now: float) -> bool:
        """Say whether *header*, that of Cookie, has one that is good *now*."""
        try:
            found = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return False
        until, _, signature = ("" if found is None else found.value).partition(".")
        good = hmac.compare_digest(signature.encode(), self._signature(until).encode())
        return good and until.isdecimal() and int(until) > now

    def _signature(self, until: str) -> str:
        return hmac.new(self._digest, until.encode(), hashlib.sha256).hexdigest()
