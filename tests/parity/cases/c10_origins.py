# R16 to R19: origins.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case


async def _verdicts(api, allowed, *origins):
    """Which of *origins* (bytes; None: no header; a tuple: several) reach the application."""

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})

    verdicts = []
    for origin in origins:
        values = origin if isinstance(origin, tuple) else () if origin is None else (origin,)
        validator = api.security.websocket.OriginValidator(app, allowed)
        verdicts.append(await _verdict(api, validator, values))
    return verdicts


async def _verdict(api, app, values):
    scope = {"type": "websocket", "path": "/", "headers": [(b"origin", v) for v in values]}
    driver = api.drive(app, scope)
    driver.give({"type": "websocket.connect"})
    await driver.until(1)
    if not driver.sent:
        return driver.task.outcome
    if driver.sent[0]["type"] == "websocket.close":
        await driver.disconnect(1006)
    return driver.sent[0]["type"].partition(".")[2]


@case("R16", "an allowed origin reaches the application, another is closed before accept")
async def origin_verdict(api):
    return await _verdicts(api, ["good.com"], b"http://good.com", b"http://evil.com")


@case("R16", "a scope that is no WebSocket is a ValueError")
async def origin_http(api):
    validator = api.security.websocket.OriginValidator(None, ["*"])
    return await api.outcome(validator, {"type": "http", "headers": []}, None, None)


@case("R16", "a missing origin is allowed only with *")
async def origin_missing(api):
    return [await _verdicts(api, allowed, None) for allowed in (["good.com"], ["*"], [])]


@case("R16", "the last origin header counts")
async def origin_twice(api):
    good, evil = b"http://good.com", b"http://evil.com"
    return await _verdicts(api, ["good.com"], (good, evil), (evil, good))


@case("R16", "malformed origins and null are refused")
async def origin_malformed(api):
    return await _verdicts(
        api, ["good.com", ".null"], b"null", b"", b"good.com", b"http:///", b"file://", b"\xff\xfe"
    )


@case(
    "R16",
    "an origin with a port that is no number ends the application with ValueError",
    different=Different(
        "Such an origin is refused like any that is malformed; it is no error of the server's.",
        stock=[{"raised": "ValueError", "text": "Port could not be cast to integer value as 'x'"}],
        ours=["close"],
    ),
)
async def origin_bad_port(api):
    return await _verdicts(api, ["http://good.com:80"], b"http://good.com:x")


@case("R16", "application and allowed_origins are kept as attributes")
async def origin_attributes(api):
    validator = api.security.websocket.OriginValidator("app", ["a"])
    return [validator.application, validator.allowed_origins]


@case("R17", "* allows anything")
async def pattern_star(api):
    return await _verdicts(api, ["*"], b"http://a.b", b"null", b"", None)


@case("R17", "a leading dot is the domain and its subdomains; *. matches nothing")
async def pattern_dot(api):
    origins = (
        b"http://good.com",
        b"https://a.good.com",
        b"http://a.b.good.com",
        b"http://xgood.com",
    )
    return [
        await _verdicts(api, [pattern], *origins)
        for pattern in (".good.com", "*.good.com", "good.com")
    ]


@case("R17", "without a scheme, scheme and port do not count")
async def pattern_no_scheme(api):
    return await _verdicts(
        api, ["good.com"], b"http://good.com", b"https://good.com:444", b"ws://good.com:1"
    )


@case("R17", "with a scheme, scheme, host and port must fit; 80 and 443 are understood")
async def pattern_scheme(api):
    origins = (
        *(b"http://good.com", b"http://good.com:80", b"http://good.com:81", b"https://good.com"),
        *(b"https://good.com:443", b"ws://good.com", b"wss://good.com", b"http://a.good.com"),
    )
    patterns = [
        *("http://good.com", "http://good.com:80", "https://good.com", "http://.good.com"),
        *("ws://good.com", "good.com:80", "//good.com"),
    ]
    return {pattern: await _verdicts(api, [pattern], *origins) for pattern in patterns}


@case("R17", "patterns and origins in capitals")
async def pattern_case(api):
    origins = (b"http://good.com", b"HTTP://GOOD.com")
    return [
        await _verdicts(api, [pattern], *origins) for pattern in ("GOOD.com", "HTTP://Good.Com")
    ]


@case("R17", "any of several patterns will do, none allows nothing")
async def pattern_several(api):
    origins = (b"http://a.com", b"http://b.com", b"http://c.com")
    return [
        await _verdicts(api, ["a.com", "https://c.com", "b.com"], *origins),
        await _verdicts(api, [], *origins),
    ]


@case("R17", "addresses: IPv4, IPv6, localhost")
async def pattern_addresses(api):
    origins = (b"http://127.0.0.1:8000", b"http://[::1]:8000", b"http://localhost")
    return [
        await _verdicts(api, [pattern], *origins)
        for pattern in ("127.0.0.1", "[::1]", "localhost", "http://[::1]:8000")
    ]


async def _by_hosts(api, *origins, **settings):
    with api.settings(**settings):
        validator = api.security.websocket.AllowedHostsOriginValidator(_accepts)
    return [await _verdict(api, validator, (origin,)) for origin in origins]


async def _accepts(scope, receive, send):
    await send({"type": "websocket.accept"})


@case("R18", "AllowedHostsOriginValidator takes ALLOWED_HOSTS")
async def allowed_hosts(api):
    return await _by_hosts(api, b"http://example.com", b"http://a.example.org", b"http://evil.com")


@case("R18", "ALLOWED_HOSTS is read when the validator is made")
async def allowed_hosts_when(api):
    return await _by_hosts(api, b"http://example.com", b"http://new.com", ALLOWED_HOSTS=["new.com"])


@case(
    "R18", "with DEBUG and no ALLOWED_HOSTS: localhost, 127.0.0.1, ::1, no subdomain of localhost"
)
async def allowed_hosts_debug(api):
    origins = (
        *(b"http://localhost:8000", b"http://127.0.0.1", b"http://[::1]:1"),
        *(b"http://app.localhost", b"http://example.com"),
    )
    return [
        await _by_hosts(api, *origins, DEBUG=debug, ALLOWED_HOSTS=[]) for debug in (True, False)
    ]


@case("R19", "WebsocketDenier closes before accept and ends with the client")
async def denier(api):
    driver = api.drive(api.security.websocket.WebsocketDenier.as_asgi())
    await driver.connect()
    return [driver.sent, await driver.disconnect(1006)]


@case("R19", "a subclass of WebsocketDenier may answer otherwise")
async def denier_subclass(api):
    class Denier(api.security.websocket.WebsocketDenier):
        async def connect(self):
            await self.accept()
            await self.close(4003)

    driver = api.drive(Denier())
    await driver.connect()
    await driver.until(2)
    return [driver.sent, await driver.disconnect(4003)]


@case("R19", "an instance of WebsocketDenier is an application, too")
async def denier_instance(api):
    driver = api.drive(api.security.websocket.WebsocketDenier())
    await driver.connect()
    return [driver.sent, await driver.disconnect(1006)]
