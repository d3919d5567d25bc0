# R9 to R11: cookies and sessions in the scope, and when a session is saved.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import datetime

from parity._cases import Different, case

COOKIE = "sessionid"


async def _scope_seen(api, middleware, **scope):
    seen = []

    async def app(inner, receive, send):
        seen.append(inner)

    outcome = await api.outcome(middleware(app), scope, None, None)
    return seen[0] if seen else outcome


def _cookies(*values):
    return [(b"host", b"x"), *((b"cookie", value) for value in values)]


@case("R9", "cookies are parsed as Django does")
async def cookies_parsed(api):
    scope = await _scope_seen(
        api, api.sessions.CookieMiddleware, headers=_cookies(b'a=1; b="two"; c; =x; d=\xe4')
    )
    return scope["cookies"]


@case("R9", "no cookie header is an empty dict; of two headers the first counts")
async def cookies_none_or_two(api):
    middleware = api.sessions.CookieMiddleware
    scopes = [
        await _scope_seen(api, middleware, headers=headers)
        for headers in ([], _cookies(b"a=1", b"b=2"))
    ]
    return [scope["cookies"] for scope in scopes]


@case("R9", "a scope without headers is a ValueError")
async def cookies_without_headers(api):
    return await _scope_seen(api, api.sessions.CookieMiddleware, type="channel")


@case("R9", "the outer scope stays without cookies")
async def cookies_copy(api):
    outer = {"headers": []}
    await _scope_seen(api, api.sessions.CookieMiddleware, **outer)
    return sorted(outer)


def _set(api, *given, **named):
    message = {"type": "http.response.start", "status": 200}
    outcome = api.raised(api.sessions.CookieMiddleware.set_cookie, message, *given, **named)
    return message.get("headers", outcome)


@case("R9", "set_cookie() with every attribute")
async def set_cookie(api):
    return [
        _set(api, "a"),
        _set(api, "a", "1"),
        _set(api, "a", 7, path=None, samesite=None),
        _set(
            api, "a", "1", path="/x", domain="e.com", secure=True, httponly=True, samesite="Strict"
        ),
        _set(api, "a", "1", expires="Thu, 01-Jan-2099 00:00:00 GMT"),
    ]


@case("R9", "set_cookie(max_age=...) adds expires")
async def set_cookie_max_age(api):
    (name, value), *rest = _set(api, "a", "1", max_age=60)
    return [name, "; Max-Age=60" in value.decode(), "expires=" in value.decode(), rest]


def _ages(api, *moments):
    ages = []
    for moment in moments:
        headers = _set(api, "a", "1", expires=moment)
        if isinstance(headers, Exception):
            return headers
        text = headers[0][1].decode()
        ages.append(int(text.split("Max-Age=")[1].split(";")[0]) // 100)
    return ages


@case("R9", "set_cookie(expires=naive datetime in UTC) computes max-age")
async def set_cookie_expires(api):
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    hour = datetime.timedelta(hours=1, seconds=30)
    return _ages(api, now + hour, now - hour)


@case(
    "R9",
    "set_cookie(expires=aware datetime) computes max-age",
    different=Different(
        "Channels fails with every Django since 5.0.",
        stock={
            "raised": "AttributeError",
            "text": "module 'django.utils.timezone' has no attribute 'utc'",
        },
        ours=[36],
    ),
)
async def set_cookie_expires_aware(api):
    hour = datetime.timedelta(hours=1, seconds=30)
    return _ages(api, datetime.datetime.now(datetime.UTC) + hour)


@case("R9", "samesite must be one of three")
async def set_cookie_samesite(api):
    return [_set(api, "a", "1", samesite="maybe"), _set(api, "a", "1", samesite="None")]


@case("R9", "set_cookie() keeps headers that are there")
async def set_cookie_keeps(api):
    message = {"headers": [(b"x", b"y")]}
    api.sessions.CookieMiddleware.set_cookie(message, "a", "1")
    return message


@case("R9", "delete_cookie() sets an empty one that has expired")
async def delete_cookie(api):
    message = {}
    api.sessions.CookieMiddleware.delete_cookie(message, "a", path="/p", domain="e.com")
    text = message["headers"][0][1].decode()
    return sorted(part for part in text.split("; ") if not part.startswith("expires"))


async def _make_session(api, **values):
    from django.contrib.sessions.backends.db import SessionStore

    def make():
        from django.db import connection

        store = SessionStore()
        store.update(values)
        store.save()
        connection.close()
        return store.session_key

    return await api.in_thread(make)


async def _stored(api):
    from django.contrib.sessions.models import Session

    def read():
        from django.db import connection

        found = [session.get_decoded() for session in Session.objects.all()]
        connection.close()
        return found

    return await api.in_thread(read)


def _counting(seen):
    """Count queries of all threads into *seen* for a block."""
    from unittest import mock

    from django.db.backends.utils import CursorWrapper

    original = CursorWrapper.execute

    def execute(self, sql, params=None):
        seen.append(sql.split(" ", 1)[0])
        return original(self, sql, params)

    return mock.patch.object(CursorWrapper, "execute", execute)


async def _served(api, work, *, key=None, **scope):
    """Run *work* (scope, send) under the session stack; return what was sent and the outcome."""
    sent = []

    async def send(message):
        sent.append(message)

    async def app(inner, receive, send):
        return await work(inner, send)

    headers = _cookies(f"{COOKIE}={key}".encode()) if key else []
    whole = {"type": "http", "headers": headers, **scope}
    outcome = await api.outcome(api.sessions.SessionMiddlewareStack(app), whole, None, send)
    return sent, outcome


@case("R10", "the session is not loaded before it is touched", database=True)
async def session_lazy(api):
    key = await _make_session(api, name="ada")
    queries = []

    async def work(scope, send):
        before = len(queries)
        name = await api.db.database_sync_to_async(lambda: scope["session"]["name"])()
        return [before, name, "SELECT" in queries]

    with _counting(queries):
        _, outcome = await _served(api, work, key=key)
    return outcome


@case("R10", "an unknown key is an empty session", database=True)
async def session_unknown_key(api):
    async def work(scope, send):
        return await api.db.database_sync_to_async(lambda: dict(scope["session"].items()))()

    return (await _served(api, work, key="nosuchkey"))[1]


@case("R10", "without cookies in the scope it is a ValueError")
async def session_without_cookies(api):
    return await _scope_seen(api, api.sessions.SessionMiddleware, headers=[])


@case("R10", "of two session middlewares the outer one saves, once", database=True)
async def session_nested(api):
    sent = []

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        await _change(api, scope, name="ada")
        await send(dict(START, headers=[]))

    stack = api.sessions.SessionMiddlewareStack
    await stack(stack(app))({"type": "http", "headers": []}, None, send)
    return [_flat(sent), await _stored(api)]


START = {"type": "http.response.start", "status": 200, "headers": []}


async def _change(api, scope, **values):
    await api.db.database_sync_to_async(lambda: scope["session"].update(values))()


def _flat(sent):
    """The cookie that was set, without what is random or now."""
    found = []
    for message in sent:
        for name, value in message.get("headers", []):
            parts = value.decode().split("; ")
            rest = sorted(part for part in parts[1:] if not part.startswith("expires"))
            found.append([name, parts[0].split("=")[0], len(parts[0].split("=")[1]), rest])
    return found


@case(
    "R11", "a changed session is saved with the response's start, and its cookie set", database=True
)
async def session_saved(api):
    async def work(scope, send):
        await _change(api, scope, name="ada")
        await send(dict(START, headers=[]))

    sent, outcome = await _served(api, work)
    return [_flat(sent), outcome, await _stored(api)]


@case("R11", "an unchanged session is neither saved nor is a cookie set", database=True)
async def session_unchanged(api):
    key = await _make_session(api, name="ada")
    queries = []

    async def work(scope, send):
        await api.db.database_sync_to_async(lambda: scope["session"]["name"])()
        queries.clear()
        await send(dict(START, headers=[]))

    with _counting(queries):
        sent, outcome = await _served(api, work, key=key)
        written = [word for word in queries if word in ("INSERT", "UPDATE", "DELETE")]
    return [sent, outcome, written]


@case("R11", "with status 500 nothing is saved", database=True)
async def session_not_saved_on_500(api):
    async def work(scope, send):
        await _change(api, scope, name="ada")
        await send({**START, "status": 500})

    sent, outcome = await _served(api, work)
    return [sent, outcome, await _stored(api)]


@case("R11", "SESSION_SAVE_EVERY_REQUEST saves and sets the cookie anyhow", database=True)
async def session_every_request(api):
    key = await _make_session(api, name="ada")

    async def work(scope, send):
        await api.db.database_sync_to_async(lambda: scope["session"]["name"])()
        await send(dict(START, headers=[]))

    with api.settings(SESSION_SAVE_EVERY_REQUEST=True):
        sent, outcome = await _served(api, work, key=key)
    return [_flat(sent), outcome, await _stored(api)]


@case("R11", "a session that became empty has its cookie deleted", database=True)
async def session_emptied(api):
    key = await _make_session(api, name="ada")

    async def work(scope, send):
        await api.db.database_sync_to_async(lambda: scope["session"].flush())()
        await send(dict(START, headers=[]))

    sent, outcome = await _served(api, work, key=key)
    return [_flat(sent), outcome, len(await _stored(api))]


@case("R11", "the cookie has all of Django's settings", database=True)
async def session_cookie_settings(api):
    async def work(scope, send):
        await _change(api, scope, name="ada")
        await send(dict(START, headers=[]))

    with api.settings(
        SESSION_COOKIE_NAME="s",
        SESSION_COOKIE_DOMAIN="e.com",
        SESSION_COOKIE_PATH="/p",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_AGE=77,
    ):
        sent, _ = await _served(api, work)
    return _flat(sent)


@case("R11", "a session that ends with the browser has a cookie without age", database=True)
async def session_browser(api):
    async def work(scope, send):
        await api.db.database_sync_to_async(lambda: scope["session"].set_expiry(0))()
        await _change(api, scope, name="ada")
        await send(dict(START, headers=[]))

    return _flat((await _served(api, work))[0])


@case("R11", "a session deleted meanwhile is a SuspiciousOperation", database=True)
async def session_deleted_meanwhile(api):
    key = await _make_session(api, name="ada")

    async def work(scope, send):
        from django.contrib.sessions.models import Session

        await _change(api, scope, name="eve")
        await api.db.database_sync_to_async(lambda: Session.objects.all().delete())()
        await send(dict(START, headers=[]))

    return (await _served(api, work, key=key))[1]


@case("R11", "messages of a WebSocket never save it", database=True)
async def session_websocket(api):
    async def work(scope, send):
        await _change(api, scope, name="ada")
        for kind in ("websocket.accept", "websocket.send", "websocket.close"):
            await send({"type": kind})

    sent, outcome = await _served(api, work, type="websocket")
    return [sent, outcome, await _stored(api)]


@case("R11", "a WebSocket consumer that saves its session has saved it", database=True, both=True)
async def session_saved_by_hand(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            session = self.scope["session"]

            def save():
                session["name"] = text_data
                session.save()

            yield api.db.database_sync_to_async(save)() if colour.is_async else save()
            yield self.send("saved")

    app = api.sessions.SessionMiddlewareStack(Consumer.as_asgi())
    driver = api.drive(app)
    await driver.connect()
    driver.text("ada")
    await driver.until(2)
    return [await driver.disconnect(), await _stored(api)]
