# What is around each page of the console, where the admin's own templates would say it wrongly:
# which entry of the sidebar is the page, and how its breadcrumbs are written. Pure.

from collections.abc import Iterable, Mapping
from typing import Any

import django

LISTS_CRUMBS = django.VERSION >= (6, 1)
"""Whether the admin's breadcrumbs are a list; before, signs stand between links."""
_LABEL = "greenroom"


def marked_once(apps: Iterable[Mapping[str, Any]], path: str) -> list[Mapping[str, Any]]:
    """
    Return the sidebar's entries, so that of ours only the page that is at *path* is marked.

    The admin marks each entry whose URL the path begins with, and all our pages are below the
    tree's. An empty query leads to the same page and begins no path.

    Args:
        apps: As `AdminSite.get_app_list` returns them; they are not changed.
        path: Of the request.
    """
    return [_marked_once(app, path) if app.get("app_label") == _LABEL else app for app in apps]


def _marked_once(app: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    models = [
        {**model, "admin_url": f"{model['admin_url']}?"}
        if model.get("admin_url") and model["admin_url"] != path
        else model
        for model in app.get("models", ())
    ]
    return {**app, "models": models}
