# The inspection as an ASGI application, for projects without Django's admin: JSON, a small page.
#
#   GET  .../api/v1/tree?path=/residents    what the processes answer
#   POST .../api/v1/act                     something is done; the question stands in the body
#   GET  .../                               the page; POST: the token from its form
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_asgi.py:
#   TOKEN      without the token every path and method gets the same 401.
#   NO EFFECT  a GET changes nothing, and a cookie alone does not act, however the path is written.
#   NO GHOST   what was not answered in time is not done later.

import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from os import PathLike
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

from ...actors._lowlevel import inside_trio
from ...supervisor import Root, current_root
from ...supervisor._events import printable
from ._act import ACTS
from ._gather_async import gather_async
from ._gathered import Answer, Gathered
from ._identity import this_process
from ._inspector import QUESTIONS, Inspector, error
from ._local import local_trees
from ._page import POLICY, login_page, tree_page
from ._token import COOKIE, COOKIE_SECONDS, Token
from ._wire import MOST_QUESTION, BadMessage, mended

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

API = "/api/v1/"
MOST_SECONDS = 10.0
"""How long the processes may be waited for, at the wish of whoever asks."""

logger = logging.getLogger("greenroom.inspection")

_OTHER_VERSION = re.compile(r"/api/v\d+(/[\w-]*)?$")
_JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_STATUS = {"bad-question": 400, "not-found": 404, "refused": 409, "timeout": 504}
_NO_TOKEN = error("no-token", "send the header Authorization: Bearer <token>")


class InspectionApp:
    """
    What can be seen of the trees, and done to them, by whoever has the token: JSON and a page.

    Mount it where nobody comes by chance, behind TLS:
    ``re_path(r"^ops/", InspectionApp(token=...))`` in ``http=[...]``, in any other router, or
    alone: ``hypercorn -k trio ops:application``.

    Args:
        token: What whoever asks must have; 16 characters or more that nobody can guess.
        root: The tree to look at. None: the one that serves the request.
        directory: Where the processes' sockets are, ``inspection_dir``: all of them are asked,
            and *root* is not needed.

    Raises:
        TypeError, ValueError: The token is none, or can be guessed; or there is a *root* as well
            as a *directory*.
    """

    def __init__(
        self,
        *,
        token: str,
        root: Root | None = None,
        directory: str | PathLike[str] | None = None,
    ) -> None:
        if root is not None and directory is not None:
            raise ValueError("write root=... or directory=..., not both.")
        self._token = Token(token)
        self._root = root
        self._directory = None if directory is None else Path(directory)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A checkpoint."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(
                f"InspectionApp answers requests. Got: a scope of type {scope['type']!r}"
            )
        request = _Request(scope, receive, send)
        if not inside_trio():
            text = "Greenroom runs on trio. Start this server with: hypercorn -k trio"
            await request.json(503, error("failed", text))
        elif API in request.path or _OTHER_VERSION.search(request.path):
            await self._api(request)
        else:
            await self._page(request)

    # -- JSON ---------------------------------------------------------------------------------

    async def _api(self, request: "_Request") -> None:
        by_header = self._token.in_header(request.header("authorization"))
        by_cookie = self._token.in_cookies(request.header("cookie"), time.time())
        # By the very name that is asked for below: another reading of the path would let a GET act.
        name = request.path.rpartition(API)[2].strip("/")
        acts = name == "act"
        if not by_header and (acts or not by_cookie):
            if request.header("authorization"):
                request.tell_wrong_token()
            await request.json(401, _NO_TOKEN, ("www-authenticate", "Bearer"))
            return
        allowed = ("POST",) if acts else ("GET", "HEAD")
        if name not in QUESTIONS:
            known = ", ".join(sorted(QUESTIONS))
            await request.json(404, error("not-found", f"there are: {known}"))
        elif request.method not in allowed:
            text = f"this answers {' and '.join(allowed)}"
            await request.json(405, error("not-allowed", text), ("allow", ", ".join(allowed)))
        else:
            await self._answer(request, name, acts=acts)

    async def _answer(self, request: "_Request", name: str, *, acts: bool) -> None:
        try:
            asked: dict[str, object] = {**request.query, "texts": True}
            if acts:
                asked = await request.posted()
            process, seconds = _taken(asked)
            if acts:
                if self._directory is not None and process is None:
                    _refuse_everywhere(asked)
                asked |= {"by": "the token", "until_ms": int((time.time() + seconds) * 1000)}
            gathered = await self._ask({**asked, "ask": name}, process, seconds)
        except (ValueError, BadMessage) as refusal:
            await request.json(400, error("bad-question", str(refusal)))
            return
        if gathered is None:
            await request.json(503, error("failed", "no tree runs in this process"))
            return
        await request.json(_status(gathered), gathered.as_dict())

    async def _ask(
        self, question: Mapping[str, object], process: str | None, seconds: float
    ) -> Gathered | None:
        if self._directory is not None:
            local = local_trees()
            return await gather_async(
                question, self._directory, seconds=seconds, only=process, local=local
            )
        began = time.monotonic()
        try:
            root = self._root or current_root()
        except LookupError:
            return None
        tree = next((tree for tree in local_trees() if tree.is_of(root)), None)
        here = this_process() if tree is None else tree.process
        if process not in (None, here.id):
            return Gathered([], 0, 0.0)
        answer = await (Inspector(root) if tree is None else tree).answer(question)
        return Gathered([Answer(here, mended(answer))], 1, time.monotonic() - began)

    # -- the page -------------------------------------------------------------------------------

    async def _page(self, request: "_Request") -> None:
        if request.method == "POST":
            await self._form(request)
            return
        by_cookie = self._token.in_cookies(request.header("cookie"), time.time())
        if not by_cookie and not self._token.in_header(request.header("authorization")):
            await request.html(401, login_page(wrong=False))
            return
        if request.method not in ("GET", "HEAD"):
            await request.json(405, error("not-allowed", "this answers GET and POST"))
            return
        try:
            asked: dict[str, object] = {**request.query, "texts": True, "ask": "tree"}
            process, seconds = _taken(asked)
            gathered = await self._ask(asked, process, seconds)
        except (ValueError, BadMessage) as refusal:
            gathered = Gathered([], 0, 0.0, str(refusal))
        if gathered is None:
            gathered = Gathered([], 0, 0.0, "no tree runs in this process")
        await request.html(200, tree_page(gathered, request.query, leave=by_cookie))

    async def _form(self, request: "_Request") -> None:
        # Without a Path the cookie goes where the page is, and below, and nowhere else.
        try:
            form = dict(parse_qsl((await request.body()).decode()))
        except ValueError:
            form = {}
        flags = f"HttpOnly; SameSite=Strict{'; Secure' if request.is_secure else ''}"
        if "leave" in form:
            await request.redirect(f"{COOKIE}=; Max-Age=0; {flags}")
        elif self._token.is_it(form.get("token", "")):
            value = self._token.cookie(time.time())
            await request.redirect(f"{COOKIE}={value}; Max-Age={COOKIE_SECONDS}; {flags}")
        else:
            request.tell_wrong_token()
            await request.html(401, login_page(wrong=True))


class _Request:
    """One request, and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method = str(scope["method"])
        self.path = str(scope["path"])
        self.is_secure = scope.get("scheme") == "https"
        query = cast("bytes", scope.get("query_string", b"")).decode("latin-1")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self._headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
        self._client = printable(str((scope.get("client") or ["an unknown address"])[0]))
        self._receive, self._send = receive, send

    def tell_wrong_token(self) -> None:
        """Log that somebody has come with a token that is none."""
        logger.warning("somebody with a wrong token asks for the inspection, from %s", self._client)

    def header(self, name: str) -> str:
        """Return the header *name*; "" without it."""
        wanted = name.encode()
        return "; ".join(value.decode("latin-1") for each, value in self._headers if each == wanted)

    async def body(self) -> bytes:
        """
        Return the body. A checkpoint.

        Raises:
            ValueError: It is too long.
        """
        found = b""
        while True:
            event = await self._receive()
            if event["type"] != "http.request":
                return found
            found += cast("bytes", event.get("body", b""))
            if len(found) > MOST_QUESTION:
                raise ValueError(f"the body may have {MOST_QUESTION} bytes")
            if not event.get("more_body"):
                return found

    async def posted(self) -> dict[str, object]:
        """
        Return the body as the mapping that its JSON is. A checkpoint.

        Raises:
            ValueError: It is none.
        """
        try:
            data = json.loads(await self.body() or b"{}")
        except RecursionError:
            raise ValueError("the body is nested too deeply") from None
        if not isinstance(data, dict):
            raise ValueError("the body must be a JSON object")  # noqa: TRY004 - as bad JSON is
        return cast("dict[str, object]", data)

    async def json(self, status: int, document: object, *headers: tuple[str, str]) -> None:
        """Answer with *document*. A checkpoint."""
        await self._reply(status, _JSON, json.dumps(document), *headers)

    async def html(self, status: int, page: str) -> None:
        """Answer with *page*. A checkpoint."""
        await self._reply(status, _HTML, page)

    async def redirect(self, cookie: str) -> None:
        """Have the browser ask again with *cookie*. A checkpoint."""
        # To itself, wherever that is: a path would have to be known as the browser knows it.
        await self._reply(303, _HTML, "", ("location", "?"), ("set-cookie", cookie))

    async def _reply(self, status: int, kind: str, text: str, *headers: tuple[str, str]) -> None:
        body = text.encode("utf-8", "backslashreplace")
        listed = [
            ("content-type", kind),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            *headers,
        ]
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in listed]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})
        await self._send(
            {"type": "http.response.body", "body": b"" if self.method == "HEAD" else body}
        )


def _taken(asked: dict[str, object]) -> tuple[str | None, float]:
    """Take from *asked* what is not for the processes: which one is asked, and for how long."""
    process, seconds = asked.pop("process", None) or None, asked.pop("seconds", None)
    if process is not None and not isinstance(process, str):
        raise ValueError(f"process must be the id of one. Got: {process!r}")
    if seconds is None:
        return process, 1.0
    try:
        wanted = float(cast("str", seconds))
    except (TypeError, ValueError):
        wanted = 0.0
    if not 0 < wanted <= MOST_SECONDS:
        raise ValueError(f"seconds must be above 0 and at most {MOST_SECONDS:g}. Got: {seconds!r}")
    return process, wanted


def _refuse_everywhere(asked: Mapping[str, object]) -> None:
    """Refuse what would be done in all processes at once, though it is for one of them."""
    act = ACTS.get(str(asked.get("action")))
    if act is not None and not act.everywhere and asked.get("preview") is not True:
        raise ValueError(f"which process? Write process, its id. Got: {asked.get('action')} alone")


def _status(gathered: Gathered) -> int:
    """Return 200 if somebody has an answer; else what the first error, or the silence, means."""
    errors = [each.error for each in gathered.answered]
    if not gathered.answers:
        return 404
    if None in errors:
        return 200
    return _STATUS.get(str((errors[0] or {}).get("code")), 500) if errors else 504


async def _lifespan(receive: Receive, send: Send) -> None:
    for name in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{name}.complete"})
