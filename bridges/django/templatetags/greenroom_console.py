# What the templates of the console say with: {% load greenroom_console %}.

import time

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
