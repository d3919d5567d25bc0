# The table of the console's actions: see bridges/django/console/_actions.py.

import pytest

from greenroom.bridges.django.console._action_form import ActionForm
from greenroom.bridges.django.console._actions import ACTIONS, Action, actions_for, subject_of
from greenroom.bridges.django.models import Console
from greenroom.bridges.inspection._act import ACTS
from greenroom.bridges.inspection._question import Fields


def test_same() -> None:
    """
    SAME: what the console offers is what a tree can do, with the same aims, as far around.
    """
    assert {name: (action.aim, action.everywhere) for name, action in ACTIONS.items()} == {
        name: (act.aim, act.everywhere) for name, act in ACTS.items()
    }


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
def test_same_arguments(action: Action) -> None:
    """
    SAME: what a form that nobody has touched gives is what the act takes, and its default.
    """
    form = ActionForm(action, {field.name: field.default for field in action.fields})
    assert form.is_valid(), form.errors
    read = ACTS[action.name].read
    given = Fields(form.arguments())
    taken = read(given)
    given.done()
    assert taken == read(Fields({}))
    # And the largest that the form takes is the largest that the act takes.
    for field in action.fields:
        if field.kind in ("seconds", "whole"):
            read(Fields({field.name: field.most}))
            with pytest.raises(ValueError, match=field.name):
                read(Fields({field.name: field.most + 1}))


def test_permitted() -> None:
    """
    PERMITTED: each action needs a permission that the model has, and none that only reads.
    """
    there = {codename for codename, _ in Console._meta.permissions}
    needed = {action.permission for action in ACTIONS.values()}
    assert needed <= there
    assert there - needed == {"view_tree", "view_traceback", "view_state", "view_audit"}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
def test_each_says_what_it_does(action: Action) -> None:
    """
    Each action has words for what will happen, whatever it is done to.
    """
    for subject in ("actor", "connection", "branch", "route", "user", "process"):
        assert action.effect(subject).happens.endswith(".")


@pytest.mark.parametrize(
    ("path", "kind", "subject"),
    [
        ("/", "root", "process"),
        ("", "root", "process"),
        ("/connections", "supervisor", "route"),
        ("/connections/room", "supervisor", "route"),
        ("/connections/room/1", "slot", "connection"),
        ("/residents", "supervisor", "branch"),
        ("/residents/shop", "supervisor", "branch"),
        ("/residents/shop/a", "slot", "actor"),
    ],
)
def test_what_is_there(path: str, kind: str, subject: str) -> None:
    """
    A path and a kind say what an action would be done to.
    """
    assert subject_of(path, kind) == subject


@pytest.mark.parametrize(
    ("path", "kind", "state", "offered"),
    [
        ("/residents/a", "slot", "running",
         ["restart", "stop", "suspend", "reset-budget", "trace", "untrace"]),
        ("/residents/a", "slot", "parked",
         ["restart", "stop", "suspend", "wake", "reset-budget", "trace", "untrace"]),
        ("/residents/a", "slot", "suspended",
         ["restart", "stop", "suspend", "resume", "reset-budget", "trace", "untrace"]),
        ("/residents/a", "slot", "not started", ["start"]),
        ("/residents/a", "slot", "ended", ["start"]),
        ("/connections/room/1", "slot", "running",
         ["restart", "disconnect", "suspend", "reset-budget", "trace", "untrace"]),
        ("/connections/room/1", "slot", "ended", []),
        ("/connections/room", "supervisor", "running",
         ["disconnect-path", "suspend", "resume", "wake", "trace", "untrace"]),
        ("/residents", "supervisor", "running",
         ["suspend", "resume", "wake", "reset-budget", "trace", "untrace"]),
        ("/", "root", "running", ["drain", "trace", "untrace"]),
    ],
)  # fmt: skip
def test_offered(path: str, kind: str, state: str, offered: list[str]) -> None:
    """
    A page offers what can be done to a place in the state that it is in.
    """
    assert [action.name for action in actions_for(path, kind, state)] == offered


def test_offered_to_whom() -> None:
    """
    Who lacks a permission is not offered what needs it.
    """
    offered = actions_for("/residents/a", "slot", "running", lambda name: name == "stop_actor")
    assert [action.name for action in offered] == ["stop"]
    assert actions_for("/residents/a", "slot", "running", lambda name: False) == []


@pytest.mark.parametrize(
    ("action", "given", "field"),
    [
        ("suspend", {"seconds": "0"}, "seconds"),
        ("suspend", {"seconds": "soon"}, "seconds"),
        ("suspend", {"seconds": "nan"}, "seconds"),
        ("trace", {"seconds": "601"}, "seconds"),
        ("disconnect", {"code": "1005"}, "code"),
        ("disconnect", {"code": "1000", "text": "é" * 100}, "text"),
        ("restart", {"reason": "x" * 501}, "reason"),
    ],
)
def test_a_form_refuses(action: str, given: dict[str, str], field: str) -> None:
    """
    What makes no sense is refused beside the field that it stands in.
    """
    form = ActionForm(ACTIONS[action], given)
    assert list(form.errors) == [field]


def test_what_is_left_out_has_its_default() -> None:
    """
    An empty field of a form stands for its default.
    """
    form = ActionForm(ACTIONS["suspend"], {"seconds": ""})
    assert form.is_valid()
    assert form.arguments() == {"seconds": 60.0}
