# The small page of an InspectionApp: plain HTML without a script, of what the processes have said.
# Pure; all that comes from outside is escaped, once, in `_text`.

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, cast
from urllib.parse import urlencode

from ._gathered import Answer, Gathered

STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;"
    "border-bottom:1px solid #8886;vertical-align:top}nav{margin-bottom:1rem}"
    "nav *{display:inline;margin-right:.8rem}.bad{font-weight:bold}"
)
_HASH = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
"""The Content-Security-Policy of all pages."""

_COLUMNS = ("Path", "State", "Epoch", "Uptime", "Restarts", "Mailbox", "Below", "Last crash")


def login_page(*, wrong: bool) -> str:
    """Return the page that asks for the token."""
    told = '<p role="alert" class="bad">That is not the token.</p>' if wrong else ""
    return _page(
        "Greenroom",
        f'{told}<form method="post"><p><label for="token">Token</label> <input id="token"'
        ' name="token" type="password" required autocomplete="current-password" autofocus>'
        ' <button name="login" value="1">Look</button></p></form>',
    )


def tree_page(gathered: Gathered, question: Mapping[str, str], *, leave: bool) -> str:
    """
    Return the page of what *gathered* says to the question `tree`.

    Args:
        gathered: What was said.
        question: What was asked, as it stood in the URL.
        leave: Whether it was asked with a cookie, that can be given back.
    """
    unhealthy = {**question, "unhealthy": "true"}
    top = '<form method="post"><button name="leave" value="1">Log out</button></form>'
    head = (
        f"<nav>{_link({}, 'All processes')}{_link(unhealthy, 'Unhealthy only')}"
        f"{top if leave else ''}</nav>"
    )
    trouble = f'<p role="alert" class="bad">{_text(gathered.trouble)}</p>'
    if not gathered.answers:
        head += "<p>No process answers.</p>"
    parts = [_process(each, question) for each in gathered.answers]
    where = question.get("path") or "/"
    return _page(where, head + (trouble if gathered.trouble else "") + "".join(parts))


def _process(said: Answer, question: Mapping[str, str]) -> str:
    title = f"<h2>Process {_text(said.process.pid)} <small>{_text(said.id)}</small></h2>"
    if said.answer is None:
        return f'{title}<p class="bad">Silent: {_text(said.silent)}</p>'
    if said.error is not None:
        return f'{title}<p class="bad">{_text(said.error.get("text", ""))}</p>'
    answer = said.answer
    rows = [answer.get("node"), *cast("list[Any]", answer.get("rows") or [])]
    listed = "".join(_row(cast("Mapping[str, Any]", row), said.id) for row in rows if row)
    heads = "".join(f'<th scope="col">{each}</th>' for each in _COLUMNS)
    more = ""
    if answer.get("next"):
        more = f"<p>{_link({**question, 'process': said.id, 'after': answer['next']}, 'More')}</p>"
    return f"{title}<table><tr>{heads}</tr>{listed}</table>{more}"


def _row(row: Mapping[str, Any], process: str) -> str:
    path = str(row.get("path", ""))
    state = _text(row.get("state", ""))
    if row.get("healthy") is False:
        state = f'<span class="bad">{state}, look at it</span>'
    mailbox: Mapping[str, Any] = row.get("mailbox") or {}
    crash: Mapping[str, Any] = row.get("crash") or {}
    below: Mapping[str, Any] = row.get("below") or {}
    left = row.get("restarts_left")
    cells = [
        _link({"path": path, "process": process}, path),
        state,
        _text(row.get("epoch") or ""),
        _seconds(row.get("uptime")),
        _text(row.get("restarts", "")) + ("" if left is None else f", {_text(left)} left"),
        f"{_text(mailbox.get('queued', ''))} of {_text(mailbox.get('capacity', ''))}"
        if mailbox
        else "",
        _text(below.get("total") or ""),
        _text(": ".join(str(each) for each in (crash.get("exception"), crash.get("text")) if each)),
    ]
    return f"<tr>{_cells(cells)}</tr>"


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{each}</td>" for each in cells)


def _seconds(seconds: object) -> str:
    return f"{seconds:.0f} s" if isinstance(seconds, int | float) else ""


def _link(query: Mapping[str, Any], text: str) -> str:
    return f'<a href="{escape("?" + urlencode(query))}">{_text(text)}</a>'


def _text(value: object) -> str:
    return escape(str(value))


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)} - Greenroom</title><style>{STYLE}</style></head>"
        f"<body><h1>{_text(title)}</h1>{body}</body></html>"
    )
