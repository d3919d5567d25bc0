# The worker threads of all processes: who holds one, since when, and where it is.

from dataclasses import replace
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._charts import BUSY, WAITING
from ._hearing import Voice
from ._lists import listed, rows_table
from ._tables import Table
from ._view import VIEW_TRACEBACK, console_view, may
from ._words import anchor, count, duration, listing, mapping, number

_JOB = ("what", "path", "seconds", "thread", "waits", "abandoned", "stack")


@console_view("GET")
def threads(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the pools of threads and the jobs in them, the oldest first."""
    question: dict[str, object] = {"ask": "threads"}
    if may(request, VIEW_TRACEBACK):  # a stack says where code is, as a traceback does
        question["stack"] = True

    def tables(voice: Voice) -> list[Table]:
        return [_pool(voice, site, mapping(each)) for each in listing(voice.answer.get("pools"))]

    figures = (BUSY, WAITING)
    return listed(request, site, "Worker threads", question, tables, [], figures=figures)


def _pool(voice: Voice, site: AdminSite, pool: Any) -> Table:
    jobs = [
        {name: value for name, value in mapping(job).items() if value is not None}
        for job in listing(pool.get("jobs"))
    ]
    caption = caption_of(pool)
    table = rows_table(voice, site, caption, _JOB, f"{caption}.", jobs)
    return replace(table, id=anchor(voice.process, "pool", str(pool.get("pool"))), titled=True)


def caption_of(pool: Any) -> str:
    """Return a pool as a heading says it."""
    places = count(pool.get("size") or 0, "place", "places")
    said = [f"{pool.get('pool') or 'Threads'}: {number(pool.get('busy') or 0)} busy of {places}"]
    said += [f"{number(pool[name])} {name}" for name in ("waiting", "abandoned") if pool.get(name)]
    if pool.get("waiting") and pool.get("waiting_seconds"):
        said.append(f"the first for {duration(pool['waiting_seconds'])}")
    return ", ".join(said)
