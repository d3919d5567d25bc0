# An action as pages: GET says what will happen and asks, POST does it and goes back.
#
# A GET asks the process what the action would reach, and changes nothing. Works without JavaScript.
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_actions_pages.py:
#   ASKED      nothing is done by a GET.
#   OWN RIGHT  each action needs its own permission, seen before anything is asked.
#   NO LURE    where it goes back to is a page of this site.
#   ONCE       a page that was sent twice, or has grown old, restarts nothing.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.apps import apps
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from ....supervisor._events import TRACED
from ...inspection import Answer
from ._action_form import ActionForm
from ._actions import ACTIONS, Action, subject_of
from ._audit import MIGRATE, NotRecorded, is_migrated
from ._denied import tell_denied
from ._page import link, places
from ._perform import Verdict, Wish, perform, preview
from ._view import APP, console_view, may


def _denied(request: HttpRequest, permission: str, captured: Mapping[str, object]) -> None:
    """Tell of somebody who has sent a confirm page and may not; who looks is not told of."""
    action = ACTIONS.get(str(captured.get("action")))
    if request.method != "POST" or action is None:
        return
    user = cast("Any", request).user
    aimed = {name: request.POST.get(name, "") for name in ("process", action.aim)}
    codename = permission.removeprefix(f"{APP}.")
    tell_denied(user, _address(request), action.name, codename, aimed)


@console_view("GET", "POST", denied=_denied)
def act(request: HttpRequest, site: AdminSite, action: str) -> HttpResponse:
    """Say what an action will do, or do it."""
    known = ACTIONS.get(action)
    if known is None:
        raise Http404(f"There is no action {action!r}.")
    if not may(request, f"{APP}.{known.permission}"):
        _denied(request, known.permission, {"action": action})
        return _forbidden(request, site, known)
    if request.method != "POST":
        return _ask(request, site, known, ActionForm(known, initial=_initial(request, known)))
    form = ActionForm(known, request.POST)
    if not form.is_valid():
        return _ask(request, site, known, form, status=422)
    wish = _wish(known, form.cleaned_data, form.arguments())
    if wish.problem():
        return _ask(request, site, known, form, status=400)
    return _do(request, site, wish, form.cleaned_data["next"])


def _address(request: HttpRequest) -> str:
    return request.META.get("REMOTE_ADDR") or ""


def _do(request: HttpRequest, site: AdminSite, wish: Wish, back: str) -> HttpResponse:
    try:
        verdict, recorded = perform(cast("Any", request).user, _address(request), wish)
    except NotRecorded as refusal:
        _say(request, messages.ERROR, str(refusal))
        return HttpResponseRedirect(_back(request, site, wish, back))
    level, text = sentence(wish, verdict)
    _say(request, level, text)
    if not recorded:
        _say(request, messages.WARNING, "The audit log could not be told what became of it.")
    return HttpResponseRedirect(_back(request, site, wish, back))


def sentence(wish: Wish, verdict: Verdict) -> tuple[int, str]:
    """Say what became of a wish, and how good that is. Pure."""
    what = f"{wish.action.title}, {wish.target}"
    if verdict.outcome == "done":
        touched = verdict.answer.get("touched")
        unread = verdict.answer.get("unread")
        text = f"{what}: done" + ("." if touched is None else f", {touched} touched.")
        if unread:
            return messages.WARNING, f"{text} The sessions of {unread} others could not be read."
        return messages.SUCCESS, text
    if verdict.outcome == "partly":
        return messages.WARNING, f"{what}: done in part. {verdict.text}"
    ends = {"refused": "refused", "silent": "not done, no answer"}.get(verdict.outcome, "failed")
    return messages.ERROR, f"{what}: {ends}. {verdict.text}"


def _initial(request: HttpRequest, action: Action) -> dict[str, object]:
    given = {name: request.GET.get(name, "") for name in ("process", "path", "user", "next")}
    asked = {
        field.name: request.GET[field.name] for field in action.fields if field.name in request.GET
    }
    return {**given, **asked}


def _wish(action: Action, given: Any, arguments: dict[str, object] | None = None) -> Wish:
    return Wish(
        action,
        process=given.get("process", ""),
        path=given.get("path", "") if action.aim == "path" else "",
        user=given.get("user", "") if action.aim == "user" else "",
        arguments=arguments or {},
        reason=given.get("reason", ""),
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """What one process says that an action would reach."""

    process: str
    pid: int
    reach: dict[str, Any]
    problem: str = ""

    @property
    def more(self) -> int:
        """How many places below are not named."""
        return self._below - len(self.reach.get("named", []))

    @property
    def is_branch(self) -> bool:
        """Whether there is something below."""
        return self._below > 0

    @property
    def _below(self) -> int:
        kinds = ("actors", "connections", "supervisors")
        return max(0, sum(int(self.reach.get(kind) or 0) for kind in kinds) - 1)


def heard(answer: Answer) -> Heard:
    """Return what a process says that an action would reach. Pure."""
    if answer.answer is None:
        return Heard(answer.id, answer.pid, {}, answer.silent)
    if answer.error:
        return Heard(answer.id, answer.pid, {}, str(answer.error.get("text", "")))
    return Heard(answer.id, answer.pid, dict(answer.answer.get("preview") or {}))


def _ask(
    request: HttpRequest, site: AdminSite, action: Action, form: ActionForm, *, status: int = 200
) -> HttpResponse:
    given = form.data if form.is_bound else form.initial
    wish = _wish(action, given)
    problem = wish.problem()
    told = [] if problem else [heard(each) for each in preview(wish)]
    reached = [each for each in told if not each.problem]
    if len(reached) == 1 and not form.is_bound:
        seen = [field.name for field in action.fields if field.kind == "seen"]
        form.initial.update({name: reached[0].reach.get(name) for name in seen})
    if not problem and not told:
        problem = "No such process answers: it has ended, or was replaced."
    if not is_migrated():
        problem = f"Nothing can be done: {MIGRATE}"
    subject = "user" if action.aim == "user" else _subject(wish, reached)
    context = {
        **site.each_context(request),
        "places": places(request, site),
        "title": f"{action.title}: {wish.target}{_name_of(wish.user)}",
        "action": action,
        "effect": action.effect(subject),
        "wish": wish,
        "told": told,
        "problem": problem,
        "may_act": bool(reached) and not problem,
        "form": form,
        "back": _back(request, site, wish, str(given.get("next", ""))),
    }
    status = 400 if problem and status == 200 and wish.problem() else status
    return TemplateResponse(request, "greenroom/act_confirm.html", context, status=status)


def _name_of(key: str) -> str:
    """Return the name of the user with that primary key, in brackets; "" if there is none."""
    if not key or not apps.is_installed("django.contrib.auth"):
        return ""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    try:
        return f" ({model._default_manager.get(pk=key).get_username()})"  # noqa: SLF001 - Django's API
    except (
        DatabaseError,
        ObjectDoesNotExist,
        ValidationError,
        ValueError,
        TypeError,
        OverflowError,
    ):
        return ""


def _subject(wish: Wish, reached: list[Heard]) -> str:
    kind = str(reached[0].reach.get("kind", "slot")) if reached else "slot"
    return "process" if wish.action.aim == "process" else subject_of(wish.path, kind)


def _back(request: HttpRequest, site: AdminSite, wish: Wish, wanted: str) -> str:
    hosts = {request.get_host()}
    if wanted and url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()):
        return wanted
    if wish.action.name == "trace":
        # What it tells is remembered apart from other events, and is on no other page.
        path = "" if wish.path == "/" else wish.path
        return link(site, "greenroom_events", kind=TRACED, path=path)
    if wish.action.aim == "process":
        return link(site, "greenroom_processes")
    if wish.action.aim == "user" or wish.action.name.startswith("disconnect"):
        return link(site, "greenroom_connections")
    if wish.process and wish.path not in ("", "/"):
        return link(site, "greenroom_actor", process=wish.process, path=wish.path)
    return link(site, "greenroom_tree")


def _forbidden(request: HttpRequest, site: AdminSite, action: Action) -> HttpResponse:
    context = {
        **site.each_context(request),
        "title": "Not permitted",
        "permission": f"{APP}.{action.permission}",
    }
    return TemplateResponse(request, "greenroom/console/forbidden.html", context, status=403)


def _say(request: HttpRequest, level: int, text: str) -> None:
    messages.add_message(request, level, text, fail_silently=True)
