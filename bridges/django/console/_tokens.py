# Who comes with a token: found among those of GREENROOM["INSPECTION_TOKENS"], in constant time.

import hmac

from ....supervisor._api_tokens import ApiToken, digest_of
from .._settings import load_options

READ = "view_tree"
"""The codename of what reading needs."""

_MOST = 500


def bearer_of(header: str) -> str | None:
    """Return what the header ``Authorization`` bears; None if it is of another scheme."""
    scheme, _, sent = header.strip().partition(" ")
    return sent.strip()[:_MOST] if scheme.casefold() == "bearer" else None


def find_token(sent: str) -> ApiToken | None:
    """
    Return the token that *sent* is; None if it is none of ours.

    Each of ours is compared, and for as long whatever was sent.
    """
    given = digest_of(sent)
    found: ApiToken | None = None
    for token in load_options().inspection_tokens:
        if isinstance(token, ApiToken) and hmac.compare_digest(token.digest, given):
            found = token
    return found
