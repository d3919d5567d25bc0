# Questions from outside: each field has its type and its bounds.

from collections.abc import Callable

import pytest

from greenroom.bridges.inspection import BadQuestion
from greenroom.bridges.inspection._question import Fields


def test_defaults() -> None:
    """
    What is left out, or is null, has its default.
    """
    fields = Fields({"ask": "tree", "path": None})
    assert fields.text("path", "/") == "/"
    assert fields.number("limit", 50, least=1, most=500) == 50
    assert fields.seconds("restarted", most=10) is None
    assert fields.flag("state") is False
    assert fields.choice("by", "", {"", "user"}) == ""
    assert fields.mapping("arguments") == {}
    fields.done()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (5, lambda fields: fields.text("x")),
        ("y" * 501, lambda fields: fields.text("x")),
        ("5", lambda fields: fields.number("x", 1, least=1, most=9)),
        (True, lambda fields: fields.number("x", 1, least=1, most=9)),
        (0, lambda fields: fields.number("x", 1, least=1, most=9)),
        (10, lambda fields: fields.number("x", 1, least=1, most=9)),
        (float("nan"), lambda fields: fields.seconds("x", most=9)),
        (float("inf"), lambda fields: fields.seconds("x", most=9)),
        (0, lambda fields: fields.seconds("x", most=9)),
        (True, lambda fields: fields.seconds("x", most=9)),
        (1, lambda fields: fields.flag("x")),
        ("route", lambda fields: fields.choice("x", "", {"", "user"})),
        ([], lambda fields: fields.choice("x", "", {"", "user"})),
        ([], lambda fields: fields.mapping("x")),
    ],
)
def test_refused(value: object, read: Callable[[Fields], object]) -> None:
    """
    A value of another type, or out of its bounds, is refused by the field's name, with what came.
    """
    with pytest.raises(BadQuestion, match=r"^x must be .* Got: "):
        read(Fields({"ask": "tree", "x": value}))


def test_unknown() -> None:
    """
    A field that nobody reads is refused, with those that there are.
    """
    fields = Fields({"ask": "tree", "limits": 5})
    fields.number("limit", 50, least=1, most=500)
    with pytest.raises(BadQuestion, match=r"known are: limit\. Got: \['limits'\]"):
        fields.done()


def test_texts() -> None:
    """
    Where all values are texts, as in a URL's query, they are read as what they stand for.
    """
    given = {"limit": "5", "restarted": "2.5", "state": "true", "unhealthy": "0", "search": "7"}
    fields = Fields({"ask": "tree", "texts": True, **given})
    assert fields.number("limit", 50, least=1, most=500) == 5
    assert fields.seconds("restarted", most=10) == 2.5
    assert fields.flag("state") is True
    assert fields.flag("unhealthy", default=True) is False
    assert fields.text("search") == "7"
    fields.done()


@pytest.mark.parametrize("read", ["number", "seconds", "flag"])
def test_texts_that_mean_nothing(read: str) -> None:
    """
    A text that stands for nothing of the kind is refused as what it is.
    """
    fields = Fields({"ask": "tree", "texts": True, "x": "many"})
    reads: dict[str, Callable[[], object]] = {
        "number": lambda: fields.number("x", 1, least=1, most=9),
        "seconds": lambda: fields.seconds("x", most=9),
        "flag": lambda: fields.flag("x"),
    }
    with pytest.raises(BadQuestion, match=r"^x must be .* Got: 'many'"):
        reads[read]()
