# What the specs of supervisors refuse, and what they say then.

from typing import Any

import pytest

from greenroom.actors import Actor
from greenroom.supervisor import DynamicSpec, PartitionSpec, SupervisorSpec


class Member(Actor):
    pass


FLAGS: dict[str, tuple[dict[str, Any], str]] = {
    "strategy": ({"strategy": "one_for_some"}, "strategy must be one of 'one_for_one', .* Got:"),
    "intensity": ({"max_restarts": -1}, "max_restarts must be at least 0. Got: -1"),
    "endless": ({"max_restarts": float("inf")}, "max_restarts must be a whole number. Got: inf"),
    "no period": ({"max_seconds": 0}, "max_seconds must be finite and more than 0"),
    "endless period": ({"max_seconds": float("inf")}, "max_seconds must be finite"),
    "auto_shutdown": ({"auto_shutdown": "some"}, "auto_shutdown must be one of 'never'"),
    "budget": ({"budget": "everybody"}, "budget must be one of 'child', 'supervisor'. Got:"),
    "contradiction": (
        {"budget": "child", "strategy": "one_for_all"},
        "budget 'child' goes with strategy 'one_for_one'.* Got: strategy='one_for_all'",
    ),
    "children": ({"children": "ticker"}, "children must be a list .* Got: 'ticker'"),
    "child": (
        {"children": [3]},
        "a child must be an Actor subclass, a ChildSpec or a SupervisorSpec. Got: 3",
    ),
    "unknown": ({"intensity": 3}, "unexpected keyword argument 'intensity'"),
}


@pytest.mark.parametrize("case", FLAGS)
def test_wrong_flags(case: str) -> None:
    """
    The message names the option, what is expected, and what came.
    """
    options, message = FLAGS[case]
    with pytest.raises((TypeError, ValueError), match=message):
        SupervisorSpec(name="s", **options)


REFUSED: dict[str, tuple[type, dict[str, Any], str]] = {
    "children": (DynamicSpec, {"children": [Member]}, "starts without children.* Got: 1"),
    "strategy": (DynamicSpec, {"strategy": "one_for_all"}, "Expected strategy 'one_for_one'. Got"),
    "auto_shutdown": (DynamicSpec, {"auto_shutdown": "any_significant"}, "auto_shutdown 'never'"),
    "no children": (DynamicSpec, {"max_children": 0}, "max_children must be at least 1. Got: 0"),
    "partitions": (PartitionSpec, {"child": Member, "partitions": 0}, "at least 1. Got: 0"),
    "no child": (PartitionSpec, {"partitions": 2}, "a child must be .* Got: None"),
    "partition strategy": (
        PartitionSpec,
        {"child": Member, "budget": "supervisor", "strategy": "rest_for_one"},
        "strategy 'one_for_one'. Got: 'rest_for_one'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_kinds(case: str) -> None:
    """
    What makes no sense for children that come and go, or stand for keys, is refused.
    """
    kind, options, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        kind(name="d", **options)
