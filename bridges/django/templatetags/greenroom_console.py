# What the templates of the console say with: {% load greenroom_console %}.

import time
from typing import Any

from django import template
from django.utils.html import format_html

from ..console._words import NOTHING, Mark, duration, moment, number, size, told

register = template.Library()
register.filter("duration", duration)
register.filter("size", size)
register.filter("number", number)
register.filter("told", told)


@register.filter
def marked(mark: Mark | None) -> str:
    """Return a mark: its sign, which no screen reader says, and its word."""
    if mark is None:
        return ""
    return format_html(
        '<span class="gr-mark gr-{}"><span class="gr-sign" aria-hidden="true">{}</span> {}</span>',
        mark.tone,
        mark.sign,
        mark.word,
    )


@register.filter
def when(at: object) -> str:
    """Return unix seconds as a moment, in UTC, and how long ago that is."""
    found = moment(at)
    if found is None:
        return NOTHING
    ago = time.time() - found.timestamp()
    return format_html(
        '<time datetime="{}">{} UTC</time> <span class="gr-quiet">({})</span>',
        found.isoformat(timespec="seconds"),
        f"{found:%Y-%m-%d %H:%M:%S}",
        f"{duration(ago)} ago" if ago >= 0 else f"in {duration(-ago)}",
    )


@register.filter
def query(params: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the pairs of a URL's query that are not empty, those of a list each by itself."""
    found: list[tuple[str, Any]] = []
    for name, value in params.items():
        values = value if isinstance(value, list) else [value]
        found += [(name, each) for each in values if each not in (None, "", False)]
    return found
