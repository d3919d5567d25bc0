# Actions by the JSON API: a POST with a JSON body, done and recorded as one from the console's
# pages is. GET lists what there is, and what who asks may do.
#
# Invariants, each with a test of that name in tests/bridges/django/test_api_actions.py:
#   STRICT     a body that is no JSON mapping, or has a field that nobody knows, has nothing done.
#   RECORDED   what a token does stands in the audit log under its name.
#   ADDRESSED  an action for one process names it: no path is looked for in all of them.

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from ....supervisor._api_tokens import ApiToken
from ._actions import ACTIONS, Action
from ._api_gate import Asker, api_view
from ._api_query import read
from ._api_reply import STATUS, Refused, reply
from ._denied import tell_denied

if TYPE_CHECKING:  # both import models, which are there only where the app is installed
    from ._perform import Verdict, Wish

ACTIONS_DOC = "What can be done, and whether you may; POST to actions/NAME does it."
MOST_BYTES = 65_536
NAME = "greenroom.bridges.django"
POST = ("POST",)

_FIELDS: dict[str, type] = {
    "process": str,
    "path": str,
    "user": str,
    "arguments": dict,
    "reason": str,
}
_MOST_ARGUMENTS = 20
_MOST_BITS = 63
_MOST = {"process": 255, "path": 500, "user": 255, "reason": 500}
_CODES = {"refused": "refused", "failed": "failed", "silent": "timeout"}


@dataclass(frozen=True, slots=True)
class TokenUser:
    """Stands for a token where a user does something."""

    token: ApiToken
    is_active: bool = True

    @property
    def pk(self) -> str:
        """What the audit log keeps as its key."""
        return f"token:{self.token.name}"

    def get_username(self) -> str:
        """Return its name in the audit log."""
        return f"token {self.token.name}"

    def has_perm(self, permission: str) -> bool:
        """Say whether it has *permission*, ``greenroom.codename``."""
        app, _, codename = permission.partition(".")
        return app == "greenroom" and codename in self.token.permissions


@api_view()
def actions_view(request: HttpRequest, asker: Asker) -> HttpResponse:
    """List the actions, and whether who asks may do them."""
    read(request.GET.lists(), ())
    return reply({"actions": [_shown(action, asker) for action in ACTIONS.values()]})


@api_view(*POST, permission="")
def act_view(request: HttpRequest, asker: Asker, action: str) -> HttpResponse:
    """Do one thing."""
    return _act(request, asker, action, None)


@api_view(*POST, permission="")
def actor_act_view(request: HttpRequest, asker: Asker, path: str, action: str) -> HttpResponse:
    """Do one thing to the place in the URL."""
    return _act(request, asker, action, f"/{path}")


def _act(request: HttpRequest, asker: Asker, name: str, path: str | None) -> HttpResponse:
    action = ACTIONS.get(name)
    if action is None:
        asker.must("view_tree")
        known = ", ".join(ACTIONS)
        raise Refused("not-found", f"No such action; there are: {known}. Got: {name[:100]!r}")
    address = str(request.META.get("REMOTE_ADDR", ""))
    user: Any = asker.user if asker.token is None else TokenUser(asker.token)
    if not asker.may(action.permission):
        aimed = {**_said(request), **({} if path is None else {"path": path})}
        tell_denied(user, address, action.name, action.permission, _aimed(action, aimed))
    asker.must(action.permission)
    refuse_uninstalled()
    from ._audit import NotRecorded
    from ._perform import perform

    read(request.GET.lists(), ())
    wish = _wish(action, _body(request), path)
    try:
        verdict, recorded = perform(user, address, wish)
    except ValueError as refusal:  # something is missing, or too much for the wire
        raise Refused("bad-question", str(refusal)) from None
    except PermissionDenied as refusal:
        raise Refused("forbidden", str(refusal)) from None
    except NotRecorded as refusal:
        raise Refused("unavailable", str(refusal)) from None
    return _told(action, verdict, recorded=recorded)


def refuse_uninstalled() -> None:
    """Refuse what needs the tables of the app, where it is not installed. Raises Refused."""
    if not apps.is_installed(NAME):
        raise Refused("not-installed", f"This needs {NAME!r} in INSTALLED_APPS, and `migrate`.")


def _told(action: Action, verdict: "Verdict", *, recorded: bool) -> HttpResponse:
    document: dict[str, object] = {
        "action": action.name,
        "outcome": verdict.outcome,
        "recorded": recorded,
        "answer": dict(verdict.answer),
    }
    code = _CODES.get(verdict.outcome)
    if code is None:  # done, or in part
        document["text"] = verdict.text
        return reply(document)
    if verdict.answer.get("code") in ("bad-question", "not-found"):
        code = str(verdict.answer["code"])
    error = {"code": code, "text": verdict.text}
    return reply({"error": error, **document}, STATUS[code])


def _wish(action: Action, given: Mapping[str, Any], path: str | None) -> "Wish":
    from ._perform import Wish

    unknown = sorted(given.keys() - _FIELDS.keys())
    if unknown:
        known = ", ".join(_FIELDS)
        raise Refused("bad-question", f"No such field; known are: {known}. Got: {unknown[:5]}")
    for name, kind in _FIELDS.items():
        value = given.get(name)
        if value is not None and not isinstance(value, kind):
            wanted = "a mapping" if kind is dict else "a text"
            raise Refused("bad-question", f"{name} must be {wanted}. Got: {str(value)[:100]!r}")
        if isinstance(value, str) and len(value) > _MOST[name]:
            raise Refused("bad-question", f"{name} has at most {_MOST[name]} characters.")
        if isinstance(value, str) and not _is_kept(value):
            raise Refused("bad-question", f"{name} has a character that no database keeps.")
    _refuse_odd(given.get("arguments") or {})
    if path is not None and action.aim != "path":
        raise Refused(
            "bad-question", f"{action.name} is for a {action.aim}: POST to actions/{action.name}."
        )
    if path is not None and given.get("path"):
        raise Refused("bad-question", "The path stands in the URL or in the body, not both.")
    for aim in ("path", "user"):
        if given.get(aim) and action.aim != aim:
            raise Refused("bad-question", f"{action.name} is for a {action.aim}, and has no {aim}.")
    return Wish(
        action,
        process=given.get("process") or "",
        path=path if path is not None else given.get("path") or "",
        user=given.get("user") or "",
        arguments=given.get("arguments") or {},
        reason=given.get("reason") or "",
    )


def _said(request: HttpRequest) -> dict[str, Any]:
    """Return what the body says, as far as it can be read: of somebody who is refused anyway."""
    try:
        return _body(request)
    except Refused:
        return {}


def _aimed(action: Action, given: Mapping[str, object]) -> dict[str, object]:
    """Return of what somebody said the process, and what else the action is for."""
    return {name: given.get(name) for name in ("process", action.aim)}


def _refuse_odd(arguments: Mapping[str, Any]) -> None:
    """Refuse what is no argument of any action: it would stand in the audit log, and be shown."""
    if len(arguments) > _MOST_ARGUMENTS:
        raise Refused("bad-question", f"There are at most {_MOST_ARGUMENTS} arguments.")
    for name, value in arguments.items():
        if len(name) > _MOST["reason"] or not _is_kept(name) or not _is_plain(value):
            raise Refused(
                "bad-question",
                "An argument is a short text, a number that is finite, true or false."
                f" Got: {name[:50]!r}, a {type(value).__name__}",
            )


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _MOST["reason"] and _is_kept(value)
    if isinstance(value, int):
        return value.bit_length() <= _MOST_BITS
    return value is None or (isinstance(value, float) and math.isfinite(value))


def _is_kept(text: str) -> bool:
    """Say whether all databases keep *text* as it is: no NUL, no half of a character."""
    return "\0" not in text and text.encode(errors="replace").decode() == text


def _body(request: HttpRequest) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Refused(
            "unsupported",
            "The body must be JSON, with Content-Type: application/json."
            f" Got: {str(request.content_type)[:100]!r}",
        )
    try:
        body = request.body
    except (RequestDataTooBig, UnreadablePostError):
        raise Refused("too-large", f"The body has at most {MOST_BYTES} bytes.") from None
    if len(body) > MOST_BYTES:
        raise Refused("too-large", f"The body has at most {MOST_BYTES} bytes. Got: {len(body)}")
    try:
        found = cast("object", json.loads(body or b"{}"))
    except (ValueError, RecursionError) as error:
        raise Refused("bad-question", f"The body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused("bad-question", f"The body must be a mapping. Got: {str(found)[:100]!r}")
    return cast("dict[str, Any]", found)


def _shown(action: Action, asker: Asker) -> dict[str, object]:
    return {
        "name": action.name,
        "title": action.title,
        "for": action.aim,
        "everywhere": action.everywhere,
        "permission": action.permission,
        "allowed": asker.may(action.permission),
        "effects": {subject: effect._asdict() for subject, effect in action.effects.items()},
        "arguments": [field._asdict() for field in action.fields],
    }
