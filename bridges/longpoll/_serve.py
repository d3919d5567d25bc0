# One request of a long-polling client: from its head to its answer. The protocol is written down in
# docs/reference/long-polling.md.
#
# Requests have no slots: the session has one, and shows what it is asked for. None of them waits
# longer than `poll_seconds` and `body_seconds` together, and none longer than its session.

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

import trio

from ...actors import Actor
from ...actors.consumers._long_poll import LongPollConsumer
from ...supervisor import Root
from ..asgi._counted import Places
from ..asgi._foreign import take_place
from ..asgi._gate import identity_of
from ..asgi._http import Request
from ..asgi._websocket import ANSWERED
from ._guards import cookie, header, is_own_page, set_cookie
from ._output import State
from ._protocol import (
    REASON,
    TOKEN,
    Answer,
    BadRequest,
    messages,
    parse_after,
    parse_messages,
    refusal,
    retry_after,
)
from ._session import Ahead, ConsumerBehind, Poll, Session, TooManyPosts
from ._sessions import PROCESS, Sessions
from ._token import Token, parse_token, seal
from ._window import BadAcknowledgement

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

_SHUTDOWN = 1012
_ALLOW = (b"allow", b"GET, POST, DELETE")


class _Left(Exception):
    """The client has left: there is nobody to answer."""


def serve_long_poll(
    root: Root,
    route: str,
    actor: type[Actor],
    kwargs: dict[str, Any],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> Awaitable[None]:
    """
    Answer one request with the sessions of *actor*: await what is returned.

    A checkpoint. A cancellation ends the request alone; its session lives on.
    """
    # Behind a middleware this request has a slot, whose end would be taken for the session's.
    take_place(scope)
    return _Exchange(root, route, actor, kwargs, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        root: Root,
        route: str,
        actor: type[Actor],
        kwargs: dict[str, Any],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._root, self._route, self._kwargs, self._scope = root, route, kwargs, scope
        self._actor = cast("type[LongPollConsumer]", actor)
        self._request = Request(receive, send)
        self._sessions = Sessions.of(root)

    async def run(self) -> None:
        """Answer. A checkpoint."""
        request = self._request
        try:
            answer = await self._answer()
        except _Left:
            return
        except BadRequest as error:
            facts: dict[str, Any] = {"field": error.field} if error.field else {}
            answer = refusal(400, "bad_request", error.detail, **facts)
        self._scope[ANSWERED] = answer.status
        try:
            for event in answer.events():
                await request.send(event)
            with trio.move_on_after(self._root.options.close_seconds):
                await request.read_body()
        except OSError:  # as ASGI words that the client has left
            request.gone = True

    async def _answer(self) -> Answer:
        method = self._scope["method"]
        if method not in ("GET", "POST", "DELETE"):
            refused = refusal(405, "method", "Use GET, POST or DELETE.", [_ALLOW])
            return refused._replace(content=None) if method == "HEAD" else refused
        text = header(self._scope, TOKEN)
        if text is None:
            if method == "POST":
                return await self._open()
            detail = f"The header {TOKEN.decode()} is missing; POST without it opens a session."
            return refusal(400, "no_token", detail)
        token = parse_token(text)
        if token is not None and token.process != PROCESS:
            detail = "Another process has this session, or had it: see sticky routing."
            return refusal(421, "elsewhere", detail)
        session = self._find(token) if token is not None else None
        if session is None:
            return refusal(410, "unknown", "There is no such session. Open a new one.")
        visited = self._root.kinds.visited
        carried = None if visited is None else visited(session.slot)
        if method == "GET":
            return await self._poll(session)
        return self._end(session) if method == "DELETE" else await self._post(session, carried)

    def _find(self, token: Token) -> Session | None:
        mine = cookie(self._scope, self._actor.session_cookie)
        return self._sessions.find(token, self._actor, self._scope["path"], mine)

    # -- opening -------------------------------------------------------------------------

    async def _open(self) -> Answer:
        root, actor, scope = self._root, self._actor, self._scope
        # Below a Greenroom application its own gate has looked, by the setting ORIGINS.
        if actor.check_origin and identity_of(scope) is None and not is_own_page(scope):
            self._refused("a page of another origin", origin=header(scope, b"origin") or "")
            return refusal(403, "origin", "Pages of this origin may not open a session here.")
        if (reason := root.connections.refusal()) is not None:
            self._refused(reason)
            return refusal(503, "busy", f"{reason}.", [retry_after(5)])
        if (full := self._full()) is not None:  # else a body would be read in vain
            return full
        problem = await self._read_body()
        if isinstance(problem, Answer):
            return problem
        begun = await self._begin()
        if isinstance(begun, Answer):
            return begun
        session, token = begun
        await self._wait_decided(session)
        if (denial := session.output.denial) is not None:
            return Answer(denial.status, None, denial.headers, denial.body)
        if session.output.code == _SHUTDOWN:
            return refusal(503, "busy", "The server is shutting down.", [retry_after(5)])
        if session.output.state is State.REFUSED:
            return refusal(
                403, "refused", "The server refused this session.",
                code=session.output.code, reason=session.output.reason,
            )  # fmt: skip
        if session.output.state is State.FAILED:
            return refusal(500, "failed", "The server failed to open this session.")
        fresh = set_cookie(session.output.headers, actor.session_cookie)
        if session.bound and fresh is not None:  # a login in connect(): what the client sends next
            session.seal = seal(token, fresh)
        content = {
            "token": str(token),
            "poll_seconds": actor.poll_seconds,
            "expiry_seconds": actor.expiry_seconds,
        }
        return Answer(201, content, session.output.headers)

    def _full(self) -> Answer | None:
        """Say that there are too many sessions, if there are."""
        client = self._scope.get("client")
        address = str(client[0]) if client else ""
        refused = self._sessions.refusal(self._actor, address)
        if refused is None:
            return None
        status, reason = refused
        self._refused(reason, client=address)
        return refusal(status, "too_many_sessions", "Too many are open.", [retry_after(5)])

    async def _begin(self) -> tuple[Session, Token] | Answer:
        """Begin the session while it has its places, else say why it has none."""
        root, actor, scope = self._root, self._actor, self._scope
        places = Places(root, actor, root.connections.limits_of(actor), scope)
        try:
            full = await places.take()
            if full is None and (many := self._full()) is not None:  # others came meanwhile
                places.release()
                return many
            if full is None:
                mine = cookie(scope, actor.session_cookie)
                return self._sessions.open(
                    self._route, actor, self._kwargs, scope, mine, places.release
                )
        except BaseException:
            places.release()
            raise
        places.release()
        self._refused(full.text, status=full.status)
        error = "busy" if full.status == 503 else "too_many_sessions"
        return refusal(full.status, error, f"{full.text}.", [retry_after(5)])

    def _refused(self, reason: str, **facts: Any) -> None:
        # The log counts by reason: what a client can choose must not be part of it.
        path, url = f"/connections/{self._route}", self._scope["path"]
        self._root.events.emit("connection.refused", path, reason=reason, url=url, **facts)

    async def _wait_decided(self, session: Session) -> None:
        async def watch() -> None:
            await self._until_left()
            session.decided.set()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                await session.decided.wait()
                nursery.cancel_scope.cancel()
        finally:
            if self._request.gone or not session.output.decided:  # nobody will have its token
                session.leave(1006, "left while the session was opened")
        if self._request.gone:
            raise _Left

    # -- polling ---------------------------------------------------------------------------

    async def _poll(self, session: Session) -> Answer:
        output, poll = session.output, Poll()
        try:
            output.acknowledge(parse_after(self._scope["query_string"]))
        except BadAcknowledgement as error:
            raise BadRequest(f"{error}.", "after") from None

        async def watch() -> None:
            await self._until_left()
            poll.leave()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await session.wait_for_news(poll, self._actor.poll_seconds)
            nursery.cancel_scope.cancel()
        if poll.gone:
            raise _Left
        if poll.superseded:
            return Answer(204, None, [(REASON, b"superseded")])
        # Whoever goes away soon says so: the next poll may find another process here.
        hint = [retry_after(1)] if output.code == _SHUTDOWN else []
        if output.has_news:
            return Answer(200, messages(output.unacknowledged()), hint)
        return _gone(session) if output.over else Answer(204)

    async def _until_left(self) -> None:
        try:
            while not self._request.gone:
                await self._request.receive()
        except Exception as error:  # noqa: BLE001 - the server's, and the client is gone with it
            path, said = f"/connections/{self._route}", f"receive failed: {error!r}"
            self._root.events.emit("connection.failed", path, error=said)
            self._request.gone = True

    # -- sending, ending ---------------------------------------------------------------------

    async def _post(self, session: Session, carried: object) -> Answer:
        body = await self._read_body()
        if isinstance(body, Answer):
            return body
        sent, inbox = parse_messages(body), session.inbox
        try:
            await session.take(sent, carried)
        except Ahead:
            detail = f"Expected message {inbox.received + 1}: send again from there on."
            return refusal(409, "ahead", detail, received=inbox.received)
        except TooManyPosts:
            detail = "Too many requests bring messages at a time."
            return refusal(429, "too_many_posts", detail, [retry_after(1)], received=inbox.received)
        except ConsumerBehind:
            detail = "The server has not caught up with what came before."
            return refusal(429, "behind", detail, [retry_after(1)], received=inbox.received)
        if session.output.over and any(each.number > inbox.received for each in sent):
            return _gone(session)
        return Answer(200, {"received": inbox.received})

    def _end(self, session: Session) -> Answer:
        if session.output.over:
            return _gone(session)
        session.leave(1000, "")
        return Answer(204)

    async def _read_body(self) -> bytes | Answer:
        """Return the whole body, or the answer where it is too large or too slow."""
        most, body = self._actor.body_bytes, b""
        large = refusal(413, "too_large", f"A body has at most {most} bytes.")
        said = header(self._scope, b"content-length")
        if said is not None and said.isdigit() and int(said[:20]) > most:
            return large
        with trio.move_on_after(self._actor.body_seconds):
            more = True
            while more:
                event = await self._request.receive()
                if event["type"] == "http.disconnect":
                    raise _Left
                body += event.get("body", b"")
                if len(body) > most:
                    return large
                more = event.get("more_body", False)
            return body
        seconds = self._actor.body_seconds
        return refusal(408, "too_slow", f"The body did not arrive within {seconds:g} s.")


def _gone(session: Session) -> Answer:
    output = session.output
    hint = [retry_after(1)] if output.code == _SHUTDOWN else []
    return refusal(
        410, "ended", "The session has ended.", hint, code=output.code, reason=output.reason
    )  # fmt: skip
