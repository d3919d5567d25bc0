# The views of the JSON API that read. What each may be asked stands in _api_table.py; what they
# answer is what the processes say.

from typing import Any

from django.http import HttpRequest, HttpResponse

from ...inspection._wire import BadMessage
from . import _ask
from ._api_answer import answer_of
from ._api_gate import ApiView, Asker, api_view
from ._api_query import read
from ._api_reply import Refused, reply
from ._api_table import ENDPOINTS, MOST_SECONDS, TRACEBACK, Endpoint, needed


def reading(endpoint: Endpoint) -> ApiView:
    """Return the view of *endpoint*."""

    @api_view()
    def view(request: HttpRequest, asker: Asker, path: str | None = None) -> HttpResponse:
        question: dict[str, Any] = dict(read(request.GET.lists(), endpoint.known))
        if path is not None:
            if "path" in question:
                raise Refused("bad-question", "The path stands in the URL or in path=, not both.")
            question["path"] = f"/{path}"
        return answered(asker, endpoint, question)

    return view


def answered(asker: Asker, endpoint: Endpoint, question: dict[str, Any]) -> HttpResponse:
    """Ask the processes *question*, with what the query string says of them; return the answer."""
    for name, permission in needed(endpoint, question):
        asker.must(permission, f"{name}=true")
    only, seconds = str(question.pop("process", "")), _seconds(question)
    if "after" in question and not only:
        raise Refused(
            "bad-question",
            "Each process has pages of its own: say whose `next` this is, with process=ID.",
        )
    if endpoint.ask == "actor" and not question.get("path"):
        raise Refused("bad-question", "Which actor? Write actors/PATH, or actors?path=PATH.")
    try:
        gathered = _ask.ask({"ask": endpoint.ask, **question}, seconds=seconds, only=only or None)
    except BadMessage as refusal:
        raise Refused("bad-question", f"The question can't be sent: {refusal}") from None
    document, status = answer_of(gathered, only, secrets=asker.may(TRACEBACK))
    return reply(document, status)


def _seconds(question: dict[str, Any]) -> float:
    seconds: float = question.pop("seconds", 1.0)
    if not 0 < seconds <= MOST_SECONDS:
        raise Refused(
            "bad-question",
            f"seconds must be above 0 and at most {MOST_SECONDS:g}. Got: {seconds:g}",
        )
    return seconds


READING = {name: reading(endpoint) for name, endpoint in ENDPOINTS.items()}
"""A view for each endpoint, by the last part of its URL."""
