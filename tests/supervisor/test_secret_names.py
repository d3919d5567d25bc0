# What is not shown of a state though its class shows it: what has the name of a secret.

import json

import pytest

from greenroom.supervisor._inquiries import HIDDEN, shown


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "passwd",
        "api_key",
        "api-key",
        "apiKey",
        "token",
        "access_token",
        "Authorization",
        "cookie",
        "sessionid",
        "session_key",
        "client_secret",
        "csrftoken",
        "credential",
    ],
)
@pytest.mark.parametrize("value", ["xyzzy", b"xyzzy", 4711, ["xyzzy"], {"a": "xyzzy"}, object()])
def test_a_secret_is_not_shown(name: str, value: object) -> None:
    """
    What has the name of a secret is hidden, at each level, whatever it is.
    """
    for state in ({name: value}, {"a": {name: value}}, {"a": [{"b": {name: value}}]}):
        told = json.dumps(shown(state))
        assert "xyzzy" not in told
        assert "4711" not in told
        assert HIDDEN in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", None),
        ("password", True),
        ("token", ""),
        ("secret", "***"),
        ("tokens", 5),
        ("credentials", 2),
        ("tokens_left", 2.5),
        ("monkey", "shown"),
        ("author", "shown"),
        ("passengers", 3),
        ("keys", ["shown"]),
        ("compass", "shown"),
    ],
)
def test_what_is_none_is_shown(name: str, value: object) -> None:
    """
    Whether there is a secret, how many there are, and what only sounds like one, is shown.
    """
    assert shown({name: value}) == {name: value}


def test_what_a_secret_is_is_not_looked_at() -> None:
    """
    A secret that can't be compared or shown is hidden as any other.
    """

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("not comparable")

        __hash__ = None  # type: ignore[assignment]

        def __str__(self) -> str:
            raise ValueError("not to be shown")

    assert shown({"password": Odd()}) == {"password": HIDDEN}
