# The query string of the JSON API, read strictly.

from typing import Any

import pytest

from greenroom.bridges.django.console._api_query import Parameter, read
from greenroom.bridges.django.console._api_reply import Refused
from greenroom.bridges.django.console._api_table import ENDPOINTS, needed

KNOWN = (
    Parameter("path", "text", "A place."),
    Parameter("limit", "whole", "How many."),
    Parameter("seconds", "seconds", "How long."),
    Parameter("unhealthy", "flag", "Whether."),
    Parameter("restarted", "flag or seconds", "When."),
    Parameter("by", "choice", "By what.", ("user", "route")),
)


def given(**values: Any) -> list[tuple[str, list[str]]]:
    return [(name, value if isinstance(value, list) else [value]) for name, value in values.items()]


def test_each_has_its_type() -> None:
    """
    A parameter becomes what its type says; what is left out is left out.
    """
    assert read(
        given(path="/a b/ä", limit="50", seconds="0.5", unhealthy="True", by="route"), KNOWN
    ) == {"path": "/a b/ä", "limit": 50, "seconds": 0.5, "unhealthy": True, "by": "route"}
    assert read([], KNOWN) == {}
    for text, value in (("true", True), ("False", False), ("600", 600.0), ("1", 1.0)):
        assert read(given(restarted=text), KNOWN) == {"restarted": value}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (given(limits="5"), "No such parameter; known are: path, limit, .* Got: 'limits'"),
        (given(limit=["5", "6"]), r"limit must be given once. Got: \['5', '6'\]"),
        (given(limit=""), "limit must be a whole number. Got: ''"),
        (given(limit="-1"), "limit must be a whole number"),
        (given(limit="5.0"), "limit must be a whole number"),
        (given(limit="١٢"), "limit must be a whole number"),
        (given(limit="9" * 5000), r"limit must be a whole number.*\.\.\.$"),
        (given(limit="5\n"), "limit must be a whole number"),
        (given(seconds="nan"), "seconds must be seconds, such as"),
        (given(seconds="1e9"), "seconds must be seconds, such as"),
        (given(unhealthy=""), "unhealthy must be true or false. Got: ''"),
        (given(unhealthy="yes"), "unhealthy must be true or false. Got: 'yes'"),
        (given(restarted="lately"), "restarted must be true, false, or seconds such as 600"),
        (given(by="pid"), "by must be one of user, route. Got: 'pid'"),
    ],
)
def test_what_is_wrong_is_refused(wrong: Any, text: str) -> None:
    """
    An unknown parameter, one that comes twice, and a wrong value are refused by name.
    """
    with pytest.raises(Refused, match=text) as caught:
        read(wrong, KNOWN)

    assert caught.value.code == "bad-question"


def test_what_needs_a_permission() -> None:
    """
    Only what is asked for needs its permission: state=false does not.
    """
    actors = ENDPOINTS["actors"]

    assert needed(actors, {"traceback": True, "state": False}) == [("traceback", "view_traceback")]
    assert needed(actors, {}) == []
