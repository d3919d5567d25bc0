# The names of users beside their keys, whatever keys the project's users have; and keys that are
# none, as somebody may have typed them into a request.

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import models

from greenroom.bridges.django.console._user_names import _is_key, named, names_of


@pytest.mark.usefixtures("rolled_back")
def test_names() -> None:
    """
    Keys of users have their names with them; whatever else there is, is shown as it is.
    """
    ada = User.objects.create_user("ada")
    names = names_of([ada.pk, "nobody", "1" * 30, "-" + "9" * 25, "1_0" * 20, "\0", "\ud800", ""])
    assert names == {str(ada.pk): "ada"}
    assert named(ada.pk, names) == f"ada ({ada.pk})"
    assert named("1" * 30, names) == "1" * 30


@pytest.mark.parametrize(
    ("field", "key", "is_key"),
    [
        (models.UUIDField(), "6f1b7e0a-5a53-4d43-9d8e-2b6a3f1c0d11", True),
        (models.UUIDField(), "7", False),
        (models.CharField(), "ada.lovelace@of.the.analytical.engine", True),
        (models.CharField(), "ada\0", False),
        (models.BigAutoField(), str(2**63 - 1), True),
        (models.BigAutoField(), str(2**64), False),
    ],
)
def test_keys_of_each_kind(field: Any, key: str, is_key: bool) -> None:
    """
    A key may be long if the users' keys are; a number may be no larger than a database has them.
    """
    model = SimpleNamespace(_meta=SimpleNamespace(pk=field))
    assert _is_key(model, key) is is_key
