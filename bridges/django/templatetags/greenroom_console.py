# What the templates of the console say with: {% load greenroom_console %}.

import time
from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.apps import apps
from django.utils.html import format_html

from ..console import _frame
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


@register.simple_tag
def crumbs_are_listed() -> bool:
    """Return whether this Django's admin writes its breadcrumbs as a list."""
    return _frame.LISTS_CRUMBS


@register.simple_tag
def app_name() -> str:
    """Return what the project calls the app; its own AppConfig may have renamed it."""
    return str(apps.get_app_config("greenroom").verbose_name)


@register.filter
def marked_once(entries: Iterable[Mapping[str, Any]] | None, path: str) -> list[Mapping[str, Any]]:
    """Return the entries of the sidebar, so that of ours only the page itself is marked."""
    return _frame.marked_once(entries or (), path)
