# Tokens in the setting GREENROOM: the system check, and what they may be allowed.

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from greenroom.bridges.django import checks
from greenroom.bridges.django._codenames import CODENAMES
from greenroom.bridges.django._settings import load_options
from greenroom.bridges.django.models import Console

SECRET = "a-token-of-the-readers-1234"


def test_the_permissions_are_those_of_the_model() -> None:
    """
    What a token may be allowed is what the console's permissions are.
    """
    assert list(CODENAMES) == [codename for codename, _ in Console._meta.permissions]


def test_a_short_token_is_an_error_of_the_check() -> None:
    """
    A short token is reported by `manage.py check`, by its name and without what it is.
    """
    with override_settings(GREENROOM={"INSPECTION_TOKENS": {"prometheus": {"token": "hush"}}}):
        [problem] = checks.check_setting()

    assert problem.id == "greenroom.E003"
    assert "the token of 'prometheus' must have at least 20 characters" in problem.msg
    assert "hush" not in f"{problem}"


def test_a_permission_that_does_not_exist() -> None:
    """
    A permission that nobody has heard of is refused, with those that there are.
    """
    entry = {"token": SECRET, "permissions": ["view_tree", "view_all"]}
    with override_settings(GREENROOM={"INSPECTION_TOKENS": {"bot": entry}}):
        [problem] = checks.check_setting()
        with pytest.raises(ImproperlyConfigured, match="'bot' has a permission"):
            load_options()

    assert "view_traceback" in (problem.hint or "")
    assert "Got: 'view_all'" in (problem.hint or "")


def test_tokens_are_no_argument() -> None:
    """
    Tokens are the project's, not one application's.
    """
    with pytest.raises(TypeError, match="inspection_tokens holds for the whole process") as caught:
        load_options(inspection_tokens={"bot": {"token": SECRET}})

    assert SECRET not in str(caught.value)
