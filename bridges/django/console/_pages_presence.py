# Who is present, in all processes: the topics, and the presences of one of them.

from dataclasses import replace
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._hearing import Voice
from ._lists import asked, listed, paged, rows_table, text_of, users_linked
from ._page import link
from ._tables import Cell, Control, Table
from ._view import console_view
from ._words import anchor, listing, mapping, number

_TOPIC = ("topic", "keys", "here", "watchers")
_PRESENCE = ("key", "path", "actor", "user", "since")


@console_view("GET")
def presence(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the topics, or with who is present in the one that ``topic`` names."""
    search = text_of(request, "q")
    topic = request.GET.get("topic", "")[:500]  # as it is: spaces may be of its name
    question = asked("presence", request, search=search, topic=topic)

    def tables(voice: Voice) -> list[Table]:
        if topic:
            found = _presences(voice, site, search)
        else:
            empty = "No topic is as looked for." if search else "Nobody is present, or watches."
            rows = [
                {**each, "topic": topic_cell(site, each.get("topic"), voice.process)}
                for each in map(mapping, listing(voice.answer.get("rows")))
            ]
            found = rows_table(voice, site, "Topics", _TOPIC, empty, rows)
        return [paged(found, request, site, "greenroom_presence", voice)]

    title = f"Present in {topic}" if topic else "Presence"
    more: dict[str, Any] = {}
    if topic:
        more["back"] = {"text": "All topics", "url": link(site, "greenroom_presence")}
    controls = [
        Control("q", "Key or path" if topic else "Name of the topic", search),
        *([Control("topic", "Only of this topic", topic)] if topic else []),
    ]
    return listed(request, site, title, question, tables, controls, **more)


def topic_cell(site: AdminSite, topic: object, *where: str) -> Cell:
    """Return the name of a topic, with the way to who of all processes is present in it."""
    name = str(topic or "")
    return Cell(name, link(site, "greenroom_presence", topic=name), anchor(*where, "topic", name))


def _presences(voice: Voice, site: AdminSite, search: str) -> Table:
    said = voice.answer
    rows = users_linked(said.get("rows"), site, voice.process)
    empty = "Nobody is as looked for." if search else "Nobody of this process is present in it."
    found = rows_table(voice, site, "Presences", _PRESENCE, empty, rows)
    keys, here, watchers = (number(said.get(name)) for name in ("keys", "here", "watchers"))
    caption = f"Presences here: {here}. Keys in all processes: {keys}. Watchers here: {watchers}."
    return replace(found, caption=caption, titled=True)
