# The token of a session: `<process>.<session>.<secret>`, all random. Pure but for `secrets`.
#
# The first part names the process that has the session, so that another one can say "not here"
# instead of "gone"; the second is what the session is looked up by, which needs no secrecy; the
# third is the proof. The server keeps no secret, only a seal: a hash of it and of what the
# session is bound to (the client's cookie), compared in constant time. So neither a dump of the
# process nor a listing of the tree has a token in it, and a stolen one is of no use without the
# cookie.

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

_FORM = re.compile(r"([0-9a-f]{12})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})")


class Token(NamedTuple):
    """A token in its parts."""

    process: str
    session: str
    secret: str

    def __str__(self) -> str:
        return f"{self.process}.{self.session}.{self.secret}"

    def __repr__(self) -> str:
        return f"<Token of {self.session}>"


def new_process() -> str:
    """Return a name for a process that has sessions."""
    return secrets.token_hex(6)


def new_token(process: str) -> Token:
    """Return a token that nobody can guess."""
    return Token(process, secrets.token_urlsafe(12), secrets.token_urlsafe(32))


def parse_token(text: str) -> Token | None:
    """Return the parts of what a client sent; None if it can't be a token."""
    found = _FORM.fullmatch(text)
    return Token(*found.groups()) if found else None


def seal(token: Token, binding: str) -> bytes:
    """Return what the server keeps of *token*, for a client that has *binding*."""
    return hashlib.sha256(f"{token}\0{binding}".encode()).digest()


def opens(kept: bytes, token: Token, binding: str) -> bool:
    """Whether *token*, with *binding*, is the one that *kept* was made of."""
    return hmac.compare_digest(kept, seal(token, binding))
