# Which names stand for secrets, so that what has one is not shown though a class shows it. Pure.
#
# A net below those who forget: what a class shows is for the class to choose, and a secret by
# another name is not known for one.

import re

_NAMES = re.compile(
    r"api_?key|access_?key|private_?key|secret|token|passw|passphrase|pwd|credential|cookie"
    r"|signature|authorization|session_?(key|id)|csrf|otp_?code",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"(tokens|cookies|signatures|credentials)(_\w+)?\Z", re.IGNORECASE)
"""What there is a number of, as of the tokens of a rate limit."""


def is_secret(name: str, value: object) -> bool:
    """
    Say whether *value*, which has that *name*, is not to be shown.

    Whether there is one at all, ``None``, ``True``, ``False`` or an empty text, is; so is one that
    the class has hidden itself, as ``***``.
    """
    if (
        value is None
        or isinstance(value, bool)
        or (isinstance(value, str) and not value.strip("*"))
    ):
        return False
    if _NAMES.search(name.replace("-", "_")) is None:
        return False
    return not (isinstance(value, int | float) and _COUNTED.search(name.replace("-", "_")))
