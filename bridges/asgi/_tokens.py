# Who comes with a token: an application around another one, which lets in whom `authenticate`
# knows.
#
# Headers are looked at before anything is answered: 401, where the server can say so. Only where
# the token is to come as the first message the socket is opened first, since a browser can't
# send anything before; then the answer is a close with 4401. Each way has a deadline.
#
# The token itself goes nowhere else: not into a log, an error, the tree, nor the inner scope.

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, cast

import trio

from ...actors._lowlevel import inside_trio
from ...actors._ports import IDENTITY
from ...actors._unsaved import in_worker
from ...supervisor import Root
from ...supervisor._events import printable
from ..hypercorn._state import STATE
from ._first_message import FirstMessage
from ._gate import BY_TOKEN
from ._http import plain
from ._output import denial
from ._token_ways import Found, in_header, in_subprotocol
from ._transport import transport_of

Scope = MutableMapping[str, Any]
Authenticate = Callable[[str, Mapping[str, Any]], object]

CODE = 4401
_NOBODY = "no token, or none that is known"
_SLOW = "it took too long to look at the token"
_CHALLENGE = b"www-authenticate"

logger = logging.getLogger("greenroom")


class TokenAuthentication:
    """
    An ASGI application that lets through to *inner* who brings a token that is known.

    The user is in ``scope["user"]``, and so ``self.user`` of a consumer. The token is looked for
    in the ways that are switched on, in the order of the arguments; the first one found counts.

    Args:
        inner: A consumer class, or any ASGI application.
        authenticate: Called with the token and the scope, ``def`` (in a worker thread) or
            ``async def``. Returns the user; None lets nobody in.
        header: Look into ``Authorization: Bearer <token>``.
        subprotocol: Look for a subprotocol like ``token.<token>``, beside the others that the
            client offers. It is never echoed: *inner* accepts one of the others.
        first_message: Open the socket and take its first text message for the token.
        scheme: The word before the token in the header.
        prefix: What the subprotocol begins with.
        seconds: How long the first message may take to come, and *authenticate* to answer.
        required: Whether a client without any token is refused; else *inner* gets it as it is.

    Raises:
        TypeError, ValueError: No way is switched on, or *authenticate* can't be called.
    """

    greenroom_native = True

    def __init__(
        self,
        inner: Any,
        authenticate: Authenticate,
        *,
        header: bool = True,
        subprotocol: bool = False,
        first_message: bool = False,
        scheme: str = "Bearer",
        prefix: str = "token.",
        seconds: float = 10.0,
        required: bool = True,
    ) -> None:
        if not callable(authenticate):
            raise TypeError(
                f"authenticate must be a function of (token, scope). Got: {authenticate!r}"
            )
        if not (header or subprotocol or first_message):
            raise ValueError(
                "TokenAuthentication needs a way for the token: header=True, subprotocol=True or"
                " first_message=True. Got: none of them"
            )
        if isinstance(seconds, bool) or not 0 < seconds < float("inf"):
            raise ValueError(f"seconds must be a number above 0. Got: {seconds!r}")
        as_asgi: Any = getattr(inner, "as_asgi", None)
        self.inner: Any = as_asgi() if isinstance(inner, type) and as_asgi is not None else inner
        self._authenticate = authenticate
        self._ways: list[Callable[[Scope], Found | None]] = []
        if header:
            self._ways.append(lambda scope: in_header(scope, scheme))
        if subprotocol:
            self._ways.append(lambda scope: in_subprotocol(scope, prefix))
        self._first_message = first_message
        self._scheme = scheme
        self._seconds = seconds
        self._required = required
        self._checks_origin = required
        """A stranger's page has no token: Greenroom's own check is not asked."""

    def __repr__(self) -> str:
        return f"<TokenAuthentication of {self.inner!r}>"

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one scope, if its token is known; a lifespan is the inner one's. A checkpoint."""
        if scope["type"] not in ("http", "websocket"):
            await self.inner(scope, receive, send)
            return
        found = next((found for way in self._ways if (found := way(scope)) is not None), None)
        if found is None and self._first_message and scope["type"] == "websocket":
            await self._by_first_message(scope, receive, send)
        elif found is not None:
            await self._by_head(found, scope, receive, send)
        elif self._required:
            await self._refuse(scope, receive, send, 401, _NOBODY)
        else:
            await self._serve_inner(scope, receive, send)

    async def _by_head(self, found: Found, scope: Scope, receive: Any, send: Any) -> None:
        try:
            user = await self._user_of(found.token, found.scope)
        except trio.TooSlowError:
            await self._refuse(scope, receive, send, 503, _SLOW)
            return
        if user is None:
            await self._refuse(scope, receive, send, 401, _NOBODY)
            return
        _become(found.scope, user)
        await self._serve_inner(found.scope, receive, send)

    async def _by_first_message(self, scope: Scope, receive: Any, send: Any) -> None:
        _as_asgi(receive, send)
        socket = FirstMessage(receive, send)
        token = await socket.open_and_read(scope, self._seconds)
        if token is None:
            return
        try:
            user = await self._user_of(token, scope) if token else None
        except trio.TooSlowError:
            await socket.close(1013, _SLOW)
            return
        if user is None:
            logger.info("WebSocket %s: %s", printable(scope["path"]), _NOBODY)
            await socket.close(CODE, _NOBODY)
            return
        _become(scope, user)
        await self.inner(scope, socket.receive, socket.send)

    async def _user_of(self, token: str, scope: Mapping[str, Any]) -> object:
        """Ask who it is; None if nobody is known. Raises TooSlowError past the deadline."""
        with trio.fail_after(self._seconds):
            if inspect.iscoroutinefunction(self._authenticate):
                return await cast("Awaitable[object]", self._authenticate(token, scope))
            root = cast("Root", scope["state"][STATE])
            worker = _Worker(root)
            answer = await in_worker(worker, lambda: self._authenticate(token, scope), "asks")
            return await answer if inspect.isawaitable(answer) else answer

    def _serve_inner(self, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
        if not getattr(self.inner, "greenroom_native", False):
            _as_asgi(receive, send)
        return self.inner(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Any, send: Any, status: int, why: str) -> None:
        kind, path = scope["type"], printable(scope["path"])
        logger.info("%s %s refused with %d: %s", kind, path, status, why)
        headers = [(_CHALLENGE, self._scheme.encode())] if status == 401 else []
        if scope["type"] == "http":
            await plain(send, status, f"{why}\n", headers)
            return
        _as_asgi(receive, send)
        await receive()  # websocket.connect
        events = denial(scope, status, f"{why}\n", headers)
        if events[0]["type"] == "websocket.close":  # the server knows only 403: say more
            await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
            code = CODE if status == 401 else 1013
            events = [{"type": "websocket.close", "code": code, "reason": why}]
        for event in events:
            await send(event)


class _Worker:
    """The threads of *root*, for `in_worker`."""

    path = "token"

    def __init__(self, root: Root) -> None:
        self.pool = root.pool
        self.shutdown_seconds = root.options.shutdown_seconds


def _become(scope: Scope, user: object) -> None:
    """Make *user* the one of the connection: in the scope, and for those who look for its user."""
    identity: Any = scope.get(IDENTITY)
    if identity is None:
        scope["user"] = user
        scope[BY_TOKEN] = True
    else:
        identity.become_by_token(scope, user)


def _as_asgi(receive: Any, send: Any) -> None:
    """Have a server whose sockets can be written to directly speak ASGI after all."""
    if inside_trio() and transport_of(receive, send) is not None:
        receive.__self__.serve()
