# R1 to R8: routers, the default application, BaseMiddleware.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from django.urls import include, path, re_path
from parity._cases import Different, case


def _teller(name="app"):
    async def app(scope, receive, send):
        keys = {key: scope[key] for key in ("url_route", "path_remaining", "path") if key in scope}
        await send({"type": "told", "name": name, **keys})

    return app


async def _asked(api, app, **scope):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        raise AssertionError("nobody asks for anything")

    outcome = await api.outcome(app, scope, receive, send)
    return sent[0] if sent else outcome


@case("R1", "ProtocolTypeRouter chooses by the scope's type")
async def protocol_router(api):
    app = api.routing.ProtocolTypeRouter({"a": _teller("a"), "b": _teller("b")})
    return [await _asked(api, app, type=kind) for kind in "ab"]


@case("R1", "an unknown type is a ValueError, lifespan, too")
async def protocol_router_unknown(api):
    app = api.routing.ProtocolTypeRouter({"websocket": _teller()})
    return [await _asked(api, app, type=kind) for kind in ("http", "lifespan", "webtransport")]


@case("R1", "a scope without a type is a KeyError")
async def protocol_router_no_type(api):
    return await _asked(api, api.routing.ProtocolTypeRouter({}))


@case("R1", "the mapping is kept as application_mapping")
async def protocol_router_mapping(api):
    mapping = {"websocket": _teller()}
    return api.routing.ProtocolTypeRouter(mapping).application_mapping is mapping


def _url(api, *routes):
    return api.routing.URLRouter(list(routes))


@case("R2", "URLRouter takes path() and re_path(), the first that matches")
async def url_router(api):
    app = _url(
        api,
        path("a/", _teller("a")),
        re_path(r"^b/$", _teller("b")),
        path("a/", _teller("never")),
        re_path(r"^c", _teller("prefix")),
    )
    return [await _asked(api, app, type="http", path=p) for p in ("/a/", "/b/", "/c/more/")]


@case("R2", "all leading slashes are stripped")
async def url_router_slashes(api):
    app = _url(api, path("a/", _teller()))
    return [await _asked(api, app, path=p) for p in ("/a/", "a/", "///a/")]


@case("R2", "no path in the scope is a ValueError")
async def url_router_no_path(api):
    return await _asked(api, _url(api), type="http")


@case("R2", "path_remaining is used rather than path")
async def url_router_remaining(api):
    app = _url(api, path("inner/", _teller()))
    return await _asked(api, app, path="/outer/inner/", path_remaining="inner/")


@case("R2", "root_path is stripped by the outermost router")
async def url_router_root_path(api):
    app = _url(api, path("sub/", _url(api, path("a/", _teller()))))
    return [
        await _asked(api, app, path="/mount/sub/a/", root_path="/mount"),
        await _asked(api, app, path="/sub/a/", root_path=""),
    ]


@case("R2", "a path that lacks the root_path is a ValueError")
async def url_router_root_path_missing(api):
    app = _url(api, path("a/", _teller()))
    return await _asked(api, app, path="/a/", root_path="/mount")


@case("R2", "path() is an endpoint: a longer path does not match")
async def url_router_endpoint(api):
    app = _url(api, path("a/", _teller("short")), path("a/b/", _teller("long")))
    return await _asked(api, app, path="/a/b/")


@case("R3", "kwargs are converted by path()")
async def route_kwargs(api):
    app = _url(api, path("room/<int:number>/<slug:name>/", _teller()))
    return await _asked(api, app, path="/room/7/blue/")


@case("R3", "unnamed groups are args, named ones kwargs")
async def route_args(api):
    app = _url(
        api,
        re_path(r"^a/(\d+)/(\w+)/$", _teller()),
        re_path(r"^b/(?P<number>\d+)/(\w+)/$", _teller()),
    )
    return [await _asked(api, app, path=p) for p in ("/a/1/x/", "/b/1/x/")]


@case("R3", "the route's default arguments win over the matched")
async def route_defaults(api):
    app = _url(api, path("<name>/", _teller(), {"name": "default", "more": 1}))
    return await _asked(api, app, path="/given/")


@case("R3", "nested: args are appended and kwargs merged, outer before inner")
async def route_nested(api):
    inner = _url(api, re_path(r"(\d+)/(?:\w+)/$", _teller()), path("<slug:x>/", _teller()))
    app = _url(
        api,
        re_path(r"^u/(\w+)/", inner),
        path("k/<int:x>/<int:y>/", inner, {"z": 3}),
    )
    return [await _asked(api, app, path=p) for p in ("/u/me/12/x/", "/k/1/2/inner/")]


@case("R3", "an optional group that took no part is left out")
async def route_optional(api):
    app = _url(api, re_path(r"^a/(?:(?P<page>\d+)/)?$", _teller()))
    return [await _asked(api, app, path=p) for p in ("/a/", "/a/2/")]


@case("R3", "a consumer finds url_route in its scope, under as_asgi() in path()", both=True)
async def route_to_consumer(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield self.accept()
            yield self.send(str(self.scope["url_route"]["kwargs"]["number"] + 1))

    app = _url(api, path("room/<int:number>/", Consumer.as_asgi()))
    driver = api.drive(app, {"path": "/room/41/"})
    driver.give({"type": "websocket.connect"})
    await driver.until(2)
    return [driver.sent, await driver.disconnect()]


_AT_AB = {
    "type": "told",
    "name": "app",
    "url_route": {"args": (), "kwargs": {}},
    "path_remaining": "",
    "path": "/a/b/",
}
"""What the application behind /a/b/ says."""


@case("R4", "a router inside of path() is matched as a prefix")
async def nested_prefix(api):
    app = _url(api, path("a/", _url(api, path("b/", _teller()))))
    return await _asked(api, app, path="/a/b/")


@case("R4", "middleware that copies _path_routing nests as well")
async def nested_behind_middleware(api):
    inner = _url(api, path("b/", _teller()))
    wrapped = api.middleware.BaseMiddleware(inner)
    wrapped._path_routing = True
    return await _asked(api, _url(api, path("a/", wrapped)), path="/a/b/")


@case(
    "R4",
    "middleware that does not copy _path_routing around an inner router",
    different=Different(
        "An inner router is found behind any middleware; nobody has to copy `_path_routing`.",
        stock={"raised": "ValueError", "text": "No route found for path 'a/b/'."},
        ours=_AT_AB,
    ),
)
async def nested_behind_plain_middleware(api):
    wrapped = api.middleware.BaseMiddleware(_url(api, path("b/", _teller())))
    return await _asked(api, _url(api, path("a/", wrapped)), path="/a/b/")


@case(
    "R4",
    "the middlewares of Channels around an inner router",
    different=Different(
        "An inner router is found behind any middleware, Channels' own as well.",
        stock={"raised": "ValueError", "text": "No route found for path 'a/b/'."},
        ours=_AT_AB,
    ),
)
async def nested_behind_stack(api):
    inner = _url(api, path("b/", _teller()))
    stack = api.sessions.SessionMiddlewareStack(inner)
    return await _asked(api, _url(api, path("a/", stack)), type="http", path="/a/b/", headers=[])


@case("R4", "the routes given to a router are kept as routes")
async def routes_attribute(api):
    routes = [path("a/", _teller())]
    router = api.routing.URLRouter(routes)
    return [router.routes is routes, router._path_routing]


@case("R5", "an inner miss lets the outer router try its next route")
async def inner_miss(api):
    app = _url(
        api,
        path("a/", _url(api, path("b/", _teller("inner")))),
        path("a/c/", _teller("next")),
    )
    return await _asked(api, app, path="/a/c/")


@case("R5", "an outermost miss is a ValueError")
async def outer_miss(api):
    app = _url(api, path("a/", _url(api, path("b/", _teller()))))
    return [await _asked(api, app, type="http", path=p) for p in ("/x/", "/a/x/")]


@case("R5", "a Resolver404 of an application is taken for a miss")
async def resolver404_of_an_app(api):
    from django.urls import Resolver404

    async def app(scope, receive, send):
        raise Resolver404("mine")

    router = _url(api, path("a/", app), re_path("^a", _teller("next")))
    return await _asked(api, router, path="/a/")


@case("R5", "an error of an application leaves the router")
async def error_of_an_app(api):
    async def app(scope, receive, send):
        raise LookupError("lost")

    return await _asked(api, _url(api, path("a/", app)), path="/a/")


@case("R5", "include() is refused when the router is made")
async def include_refused(api):
    from django.core.exceptions import ImproperlyConfigured

    outcome = api.raised(_url, api, path("a/", include([path("b/", lambda request: None)])))
    return [
        isinstance(outcome, ImproperlyConfigured),
        str(outcome).endswith(
            "include() is not supported in URLRouter. Use nested URLRouter instances instead."
        ),
    ]


@case("R5", "a router without routes misses all")
async def no_routes(api):
    return await _asked(api, _url(api), type="http", path="/a/")


@case("R6", "ChannelNameRouter chooses by the scope's channel")
async def channel_router(api):
    app = api.routing.ChannelNameRouter({"jobs": _teller("jobs"), "mail": _teller("mail")})
    return [await _asked(api, app, type="channel", channel=name) for name in ("jobs", "mail")]


@case("R6", "no channel, or an unknown one, is a ValueError")
async def channel_router_misses(api):
    app = api.routing.ChannelNameRouter({"jobs": _teller()})
    return [await _asked(api, app, type="channel"), await _asked(api, app, channel="other")]


@case("R7", "get_default_application() resolves ASGI_APPLICATION")
async def default_application(api):
    with api.settings(ASGI_APPLICATION="parity._cases.case"):
        return api.routing.get_default_application() is case


@case("R7", "its errors: not set, no dots, no such module, no such name")
async def default_application_errors(api):
    seen = []
    for value in (None, "nodots", "no.such.module", "parity._cases.nothing"):
        with api.settings(ASGI_APPLICATION=value):
            seen.append(api.raised(api.routing.get_default_application))
    return seen


@case("R8", "BaseMiddleware passes a copy of the scope inward")
async def base_middleware(api):
    async def app(scope, receive, send):
        scope["added"] = 1
        await send({"keys": sorted(scope)})

    outer = {"type": "x"}
    sent = []

    async def send(message):
        sent.append(message)

    await api.middleware.BaseMiddleware(app)(outer, None, send)
    return [sent, outer]


@case("R8", "a subclass of BaseMiddleware adds to the scope and calls super")
async def middleware_subclass(api):
    class Mine(api.middleware.BaseMiddleware):
        async def __call__(self, scope, receive, send):
            scope["url_route"] = "mine"
            return await super().__call__(scope, receive, send)

    return await _asked(api, Mine(_teller()), path="/")


@case("R8", "the inner application is kept as inner, and its return value is returned")
async def middleware_inner(api):
    async def app(scope, receive, send):
        return 7

    middleware = api.middleware.BaseMiddleware(app)
    return [middleware.inner is app, await middleware({}, None, None)]
