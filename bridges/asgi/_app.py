# The application that a server is given: it answers lifespan with a root of its own,
# and hands every connection to a slot below it.
#
# Only who receives lifespan makes a root. It travels in scope["state"], so that an
# application inside another one (a consumer behind somebody's router) joins the tree
# that is there. Nothing that is not a Cancelled of the server's own gets out of
# __call__: in hypercorn's trio worker one leaked BaseException ends every connection.

import logging
import pkgutil
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import cache, partial
from typing import Any, cast

import trio

from ...actors import StartFailed, ThreadHooks, ThreadPool
from ...actors._lowlevel import inside_trio
from ...actors.consumers import Consumer
from ...supervisor import Engine, Options, Root
from ...supervisor._connections import UserKey
from ...supervisor._current import set_current_root
from ...supervisor._supervisor_spec import spec_of
from ..engines import LocalEngine
from ..hypercorn._limits import limits_from
from ..hypercorn._startup import abandon, in_hypercorn_worker, leave, owns_process
from ..hypercorn._state import STATE
from ..inspection._hook import directories_of, inspected
from ._drivers import DRIVER, WORKERS
from ._falling_through import falling_through
from ._foreign import serve_foreign
from ._gate import BY_TOKEN, Gate, identity_of
from ._http import plain, serve_http
from ._kinds import FOLLOWED, followed, kinds_of
from ._outside import cancelled_from_outside, first_of
from ._routing import Match, NoRoute, Router, hand_on, printable_route, route_name
from ._signals import leave as leave_by_signal
from ._signals import stop_on_signal
from ._websocket import refuse, turn_away

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
Lifespan = Callable[[Root], AbstractAsyncContextManager[object]]

NOT_TRIO = (
    "Greenroom runs on trio, but this server runs another event loop."
    " Start it with: hypercorn -k trio mysite.asgi:application"
)
NO_LIFESPAN = (
    "no Greenroom tree runs: the server did not start the application's lifespan, or an"
    " outer application did not pass it on"
)

logger = logging.getLogger("greenroom")


class Application:
    """
    An ASGI application: HTTP to *http* or what *http_router* finds, WebSockets to *router*'s.

    Args:
        http: Answers HTTP requests; without it they get 404. If it has an attribute
            ``lifespan``, ``lifespan(root)`` is an async context manager that is open
            while the tree runs.
        router: Finds the consumer of a WebSocket; without it all are refused.
        http_router: Finds the consumer, or the application, of an HTTP request; what it does
            not find is *http*'s.
        children: Residents: actor classes, :class:`ChildSpec` and :class:`SupervisorSpec`.
        options: Limits, deadlines and budgets.
        engine: Makes what carries group messages to other processes.
        user_key: Says whose connection a scope is, for ``connections_per_user``: an async
            function; None for nobody's.
        thread_hooks: Run around the work of the consumers' threads.
        facilities: Async context managers like ``http.lifespan``, entered before it.
        gate: Looks at each WebSocket, and each request for a consumer, before they are served.
        project: Any text that all its processes have, and no other project's: to be inspected.

    Raises:
        TypeError, ValueError: A child or an option is not right; the message says how.
        ImportError: The option ``tracing`` is set, and its extra is not installed.
    """

    greenroom_native = True
    """It writes to a server's transport itself, where it is given one (_transport.py)."""

    def __init__(
        self,
        *,
        http: App | None = None,
        router: Router | None = None,
        http_router: Router | None = None,
        children: Sequence[object] = (),
        options: Options | None = None,
        engine: Callable[[], Engine] = LocalEngine,
        user_key: UserKey | None = None,
        thread_hooks: ThreadHooks | None = None,
        facilities: Sequence[Lifespan] = (),
        gate: Gate | None = None,
        project: str | None = None,
    ) -> None:
        self.options = options or Options()
        self.children = [spec_of(child, self.options) for child in children]
        self._kinds = kinds_of(self.options)
        self.connection_limits = limits_from(self.options)
        """For the server's connection handler; None to do without it."""
        self._http = http
        self._router = router
        self._http_router = http_router
        self._engine = engine
        self._user_key = user_key
        self._hooks = thread_hooks
        self._facilities = facilities
        self._gate = gate
        self._inspected_in = directories_of(self.options, project)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope: the lifespan, a request, or a WebSocket. A checkpoint."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        try:
            await self.serve_scope(scope, receive, send)
        except BaseException as error:  # noqa: ASYNC103 - see the header
            if cancelled_from_outside(error):
                raise
            logger.critical(
                "%s %s: an error leaked from its connection; the others go on",
                scope["type"], scope.get("path"), exc_info=error,
            )  # fmt: skip

    # -- connections ----------------------------------------------------------------------

    # Who serves is picked, not awaited: each coroutine that waits for the next one takes
    # memory for as long as the connection lives, and time at each of its messages.

    def serve_scope(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """
        Serve a request or a WebSocket: await what is returned.

        For our own connections, which log what leaks; everybody else calls the application.
        """
        root = root_of(scope)
        if root is None:
            return self._no_root(scope, receive, send)
        set_current_root(root)
        if root.kinds.connection is not None and FOLLOWED not in scope:
            return followed(root.kinds.connection, self.serve_scope, scope, receive, send)
        if scope["type"] == "http":
            if self._http_router is not None:
                return self._pick_http(root, self._http_router, scope, receive, send)
            return serve_http(root, self._http or _not_found, scope, receive, send)
        if scope["type"] == "websocket":
            return self._pick_websocket(root, scope, receive, send)
        return self._unknown(scope)

    def _pick_websocket(
        self, root: Root, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        match = self._router.match(scope) if self._router else None
        if match is None:
            return self._no_route(root, scope, receive, send)
        inner = match.application
        if match.others is not None:
            inner = falling_through(match, partial(self._no_route, root))
        else:
            hand_on(match, scope)
        actor, kwargs = consumer_of(inner)
        check = not match.checks_origin if actor is None else actor.check_origin
        if (stranger := self._let_in(root, check, scope)) is not None:
            return self._no_entry(root, scope, receive, send, stranger)
        if actor is not None:
            name = route_name(match, actor)
            return server_of(actor, "websocket")(root, name, actor, kwargs, scope, receive, send)
        route = printable_route(match.name or "websocket")
        if (refusal := root.connections.refusal()) is not None:
            return self._full(root, route, scope, receive, send, refusal)
        return serve_foreign(root, route, inner, scope, receive, send)

    def _pick_http(
        self, root: Root, router: Router, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        match = router.match(scope)
        if match is None:
            return serve_http(root, self._http or _not_found, scope, receive, send)
        inner = match.application
        hand_on(match, scope)
        actor, kwargs = consumer_of(inner)
        if actor is not None:
            if (stranger := self._let_in(root, actor.check_origin, scope)) is not None:
                return self._no_entry(root, scope, receive, send, stranger)
            name = route_name(match, actor)
            return server_of(actor, "http")(root, name, actor, kwargs, scope, receive, send)
        return serve_http(root, inner, scope, receive, send, printable_route(match.name or "http"))

    def _let_in(self, root: Root, check: bool, scope: Scope) -> str | None:
        """Say why the page that opens this connection may not; else see to whose it is."""
        gate = self._gate
        if gate is None:  # a consumer's own application: behind middleware, or as all of `http`
            gate = root.bridged.get(Gate)
            if gate is None or identity_of(scope) is not None:
                return None  # whoever stands outside has looked
            check = check and BY_TOKEN not in scope
        if check and (why := gate.refusal(scope)) is not None:
            return why
        gate.identify(root, scope)
        return None

    async def _no_entry(
        self, root: Root, scope: Scope, receive: Receive, send: Send, why: str
    ) -> None:
        root.events.emit("connection.refused", "/connections", reason=why, url=scope["path"])
        if scope["type"] == "http":
            await plain(send, 403, "Forbidden: this page may not connect here.\n")
            return
        await receive()  # websocket.connect
        await refuse(scope, send, 403, "Forbidden: this page may not connect here.\n")

    async def _unknown(self, scope: Scope) -> None:
        logger.warning("a scope of type %r is not served", scope["type"])

    async def _no_route(self, root: Root, scope: Scope, receive: Receive, send: Send) -> None:
        if "path_remaining" in scope:  # the router outside has other routes
            raise NoRoute(f"no route for {scope['path_remaining']!r}")
        await receive()  # websocket.connect
        path = scope["path"]
        root.events.emit("connection.unknown", "/connections", reason="no route", url=path)
        await refuse(scope, send, 404, "No WebSocket here.\n")

    async def _full(
        self, root: Root, route: str, scope: Scope, receive: Receive, send: Send, refusal: str
    ) -> None:
        await receive()  # websocket.connect
        await turn_away(root, route, scope, send, refusal)

    async def _no_root(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = NO_LIFESPAN if inside_trio() else NOT_TRIO
        logger.critical("%s %s refused: %s", scope["type"], scope.get("path"), problem)
        if scope["type"] == "http":
            await plain(send, 503, f"{problem}\n", [(b"retry-after", b"5")])
        else:
            await receive()
            await refuse(scope, send, 503, f"{problem}\n", [(b"retry-after", b"5")])

    # -- lifespan ---------------------------------------------------------------------------

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        if not inside_trio():
            await startup_failed(send, NOT_TRIO)
            return
        try:
            await self._run(scope, receive, send)
        except* StartFailed as group:
            await startup_failed(send, str(first_of(group)))
        except* Exception as group:
            # Without a tree nothing can be served: say so while the server still listens.
            error = first_of(group)
            if STATE in scope.get("state", {}):
                logger.critical("the tree has failed", exc_info=error)
                raise
            if not isinstance(error, (TypeError, ValueError)):  # a wrong setting has no use for it
                logger.critical("the tree did not start", exc_info=error)
            await startup_failed(send, f"the tree did not start: {error}")

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions = cast("dict[str, Any]", scope.get("extensions") or {})
        root = Root(
            self._engine(),
            children=self.children,
            options=self.options,
            hooks=self._hooks,
            leave=leave_by_signal,
            abandon=abandon if owns_process() else None,
            workers=extensions.get(WORKERS, ThreadPool),
            kinds=self._kinds,
        )
        root.connections.user_key = self._user_key
        if self._gate is not None:
            root.bridged[Gate] = self._gate
        set_current_root(root)
        async with AsyncExitStack() as stack:
            answers = partial(inspected, directories=self._inspected_in, alone=DRIVER in extensions)
            for facility in (answers, *self._facilities):
                await stack.enter_async_context(facility(root))
            lifespan = cast("Lifespan | None", getattr(self._http, "lifespan", None))
            if lifespan is not None:
                await stack.enter_async_context(lifespan(root))
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(root.run)
            await nursery.start(stop_on_signal, root)
            scope.setdefault("state", {})[STATE] = root
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
            root.stop()
            await root.stopped.wait()
            nursery.cancel_scope.cancel()
        await send({"type": "lifespan.shutdown.complete"})


class ConsumerApplication:
    """
    One consumer class as an ASGI application: what ``Chat.as_asgi()`` returns.

    Alone under a server it has a tree of its own; behind another Greenroom application
    it joins that one's tree.

    Args:
        consumer_class: Serves every connection of its protocols, whatever its path.
        initkwargs: Given to ``__init__`` of each incarnation.

    Raises:
        TypeError: The class lacks the handler without which it could serve none.
    """

    greenroom_native = True

    def __init__(
        self, consumer_class: type[Consumer], initkwargs: dict[str, Any] | None = None
    ) -> None:
        consumer_class.refuse_unservable()
        self.consumer_class = consumer_class
        self.actor: type[Consumer] = consumer_class
        """What stands in a slot for it."""
        self.initkwargs = initkwargs or {}
        serves = consumer_class.protocols
        self._application = Application(
            router=self if "websocket" in serves else None,
            http_router=self if "http" in serves else None,
        )
        self.connection_limits = self._application.connection_limits

    def match(self, scope: Scope) -> Match:
        """Lead every path here."""
        return Match(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope. A checkpoint."""
        await self._application(scope, receive, send)

    def serve_scope(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request or a WebSocket, as that of :class:`Application` does."""
        return self._application.serve_scope(scope, receive, send)

    def __repr__(self) -> str:
        return f"<{self.consumer_class.__qualname__}.as_asgi()>"


def root_of(scope: Scope) -> Root | None:
    """Return the root that serves *scope*, or None."""
    state = scope.get("state")
    return cast("Root | None", state.get(STATE)) if state else None


def consumer_of(application: object) -> tuple[type[Consumer] | None, dict[str, Any]]:
    """Return the consumer class that *application* stands for, and its arguments."""
    if isinstance(application, ConsumerApplication):
        return application.actor, application.initkwargs
    if isinstance(application, type) and issubclass(application, Consumer):
        return application, {}
    return None, {}


@cache
def server_of(actor: type[Consumer], protocol: str) -> Callable[..., Awaitable[None]]:
    """
    Return what serves one connection of *protocol* with *actor*: see `Consumer.servers`.

    Raises:
        TypeError: It serves another protocol; a router that knows would have refused it.
    """
    if protocol not in actor.protocols:
        serves = " and ".join(sorted(actor.protocols)) or "nothing"
        raise TypeError(f"a route for {protocol} leads to {actor.__name__}, which serves {serves}.")
    return cast("Callable[..., Awaitable[None]]", pkgutil.resolve_name(actor.servers[protocol]))


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await plain(send, 404, "Not Found\n")


async def startup_failed(send: Send, message: str) -> None:
    """Answer the server that nothing can be served, because *message*; in hypercorn, leave."""
    if not in_hypercorn_worker():  # there leave() says it, as the one line
        logger.critical("%s", message)
    try:
        await send({"type": "lifespan.startup.failed", "message": message})
    except Exception:
        # hypercorn raises here; its own end would be a raw traceback.
        if in_hypercorn_worker():
            leave(message)
        raise
