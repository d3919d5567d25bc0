# The tokens of the option inspection_tokens: what is taken, what is kept, what is said of it.

import dataclasses
import hashlib
from typing import Any

import pytest

from greenroom.supervisor import Options
from greenroom.supervisor._api_tokens import ApiToken, digest_of

SECRET = "a-token-of-at-least-20-characters"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


def made(tokens: Any) -> Any:
    return Options(inspection_tokens=tokens).inspection_tokens


def test_only_the_digest_is_kept() -> None:
    """
    What is kept of a token is its digest: no text of the options has the token in it.
    """
    options = Options(inspection_tokens={"prometheus": {"token": SECRET}})

    assert options.inspection_tokens == (ApiToken("prometheus", DIGEST, ("view_tree",)),)
    assert SECRET not in repr(options)
    assert digest_of(SECRET) == DIGEST


def test_a_digest_may_be_given() -> None:
    """
    The settings may hold sha256: and the digest instead of the token.
    """
    entry = {"token": f"sha256:{DIGEST}", "permissions": ["view_tree", "view_audit"]}

    assert made({"bot": entry}) == (ApiToken("bot", DIGEST, ("view_tree", "view_audit")),)


def test_options_can_be_copied_and_hashed() -> None:
    """
    A changed copy of options keeps the tokens, and options can be hashed.
    """
    options = Options(inspection_tokens={"prometheus": {"token": SECRET}})
    copy = dataclasses.replace(options, debug=True)

    assert copy.inspection_tokens == options.inspection_tokens
    assert hash(copy) != hash(options)


@pytest.mark.parametrize(
    ("tokens", "kind", "text"),
    [
        ([SECRET], TypeError, "inspection_tokens must be a mapping of names.* Got: list"),
        ((SECRET,), TypeError, "inspection_tokens must be a mapping of names.* Got: tuple"),
        ({"a": SECRET}, TypeError, "'a' must have a mapping, .* Got: str"),
        ({7: {"token": SECRET}}, TypeError, "a name must be a text of at most 50 .* Got: 7"),
        ({"a\n": {"token": SECRET}}, TypeError, "a name must be a text"),
        ({"a": {}}, TypeError, "the token of 'a' must be a text. Got: NoneType"),
        ({"a": {"token": "short"}}, ValueError, "at least 20 characters.* Got: 5 characters"),
        ({"a": {"token": SECRET + " x"}}, ValueError, "no blank"),
        ({"a": {"token": "ä" * 30}}, ValueError, "of ASCII"),
        ({"a": {"token": "sha256:12"}}, ValueError, "64 hexadecimal digits in lower case"),
        ({"a": {"token": SECRET, "permission": []}}, ValueError, r"Got: \['permission'\]"),
        ({"a": {"token": SECRET, "permissions": "all"}}, TypeError, "must be a list.* Got: 'all'"),
        ({"a": {"token": SECRET, "permissions": ["*"]}}, ValueError, "must be a codename"),
        (
            {"a": {"token": SECRET}, "b": {"token": SECRET}},
            ValueError,
            "'a' and 'b' have one token between them",
        ),
    ],
)
def test_what_is_wrong_is_refused(tokens: Any, kind: type[Exception], text: str) -> None:
    """
    A wrong entry is refused by its name, and what is said never has the token in it.
    """
    with pytest.raises(kind, match=text) as caught:
        made(tokens)

    assert SECRET not in str(caught.value)
