# What JSON consumers make of Django's own objects.

import json

from django.db import models
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

from greenroom.actors import JsonWebsocketConsumer


class Colour(models.TextChoices):
    RED = "r", "Red"


class Size(models.IntegerChoices):
    BIG = 3, "Big"


def test_objects_of_django_have_a_form() -> None:
    """
    Lazy strings, safe strings and choices are encoded as Django's own encoder does.
    """
    content = {
        "lazy": lazystr("late"),
        "safe": mark_safe("<b>"),
        "colour": Colour.RED,
        "size": Size.BIG,
        "label": Colour.RED.label,
    }
    assert json.loads(JsonWebsocketConsumer.encode_json(content)) == {
        "lazy": "late", "safe": "<b>", "colour": "r", "size": 3, "label": "Red",
    }  # fmt: skip


def test_a_lazy_string_is_in_the_language_of_the_moment() -> None:
    """
    It is translated when it is encoded, not when it was made.
    """
    text = gettext_lazy("Monday")
    with override("de"):
        assert JsonWebsocketConsumer.encode_json(text) == '"Montag"'
    with override("fr"):
        assert JsonWebsocketConsumer.encode_json(text) == '"lundi"'
