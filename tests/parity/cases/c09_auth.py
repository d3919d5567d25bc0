# R12 to R15: users in the scope, login and logout.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case
from parity.cases.c08_sessions import _cookies, _counting, _stored

BACKEND = "django.contrib.auth.backends.ModelBackend"


async def _make_user(api, name="ada"):
    def make():
        from django.contrib.auth.models import User
        from django.db import connection

        user = User.objects.create_user(name, password="secret")
        connection.close()
        return user

    return await api.in_thread(make)


async def _session_of(api, user, **changed):
    """A stored session of a user who has logged in over HTTP; return its key."""
    from django.contrib.sessions.backends.db import SessionStore

    def make():
        from django.db import connection

        store = SessionStore()
        store["_auth_user_id"] = str(user.pk)
        store["_auth_user_backend"] = BACKEND
        store["_auth_user_hash"] = user.get_session_auth_hash()
        store.update(changed)
        store.save()
        connection.close()
        return store.session_key

    return await api.in_thread(make)


async def _in_stack(api, work, key=None, **scope):
    """Run *work* (scope) as the application behind AuthMiddlewareStack."""

    async def app(inner, receive, send):
        return await work(inner)

    headers = _cookies(f"sessionid={key}".encode()) if key else []
    stack = api.auth.AuthMiddlewareStack(app)
    return await api.outcome(stack, {"type": "websocket", "headers": headers, **scope}, None, None)


@case("R12", "a logged-in user is in the scope", database=True)
async def auth_user(api):
    key = await _session_of(api, await _make_user(api))

    async def work(scope):
        return [scope["user"].username, scope["user"].is_authenticated]

    return await _in_stack(api, work, key)


@case("R12", "who is not logged in is an AnonymousUser", database=True)
async def auth_anonymous(api):
    async def work(scope):
        return [scope["user"].username, scope["user"].is_authenticated]

    return [await _in_stack(api, work), await _in_stack(api, work, "nosuchkey")]


@case("R12", "how many queries a connection costs before its application runs", database=True)
async def auth_queries(api):
    key = await _session_of(api, await _make_user(api))
    queries = []

    async def work(scope):
        return len(queries)

    with _counting(queries):
        known = await _in_stack(api, work, key)
        queries.clear()
        return [known, await _in_stack(api, work)]


@case("R12", "AuthMiddleware without a session is a ValueError")
async def auth_without_session(api):
    async def app(scope, receive, send):
        pass

    return await api.outcome(api.auth.AuthMiddleware(app), {"type": "websocket"}, None, None)


@case("R12", "reading the user before it is resolved is a ValueError")
async def auth_not_resolved(api):
    return api.raised(lambda: api.auth.UserLazyObject().username)


@case("R12", "the outer scope stays without a user", database=True)
async def auth_copy(api):
    async def app(scope, receive, send):
        return sorted(scope)

    outer = {"headers": []}
    inner = await api.auth.AuthMiddlewareStack(app)(outer, None, None)
    return [inner, sorted(outer)]


async def _get_user(api, scope):
    user = await api.auth.get_user(scope)
    return [type(user).__name__, user.username]


def _store(key=None):
    from django.contrib.sessions.backends.db import SessionStore

    return SessionStore(key)


@case("R13", "get_user() without a session in the scope is a ValueError")
async def get_user_without_session(api):
    return await api.outcome(api.auth.get_user, {})


@case("R13", "get_user() finds the user of the session", database=True)
async def get_user(api):
    key = await _session_of(api, await _make_user(api))
    return await _get_user(api, {"session": _store(key)})


@case("R13", "a session hash that does not fit flushes the session", database=True)
async def get_user_wrong_hash(api):
    key = await _session_of(api, await _make_user(api), _auth_user_hash="wrong", name="x")
    return [await _get_user(api, {"session": _store(key)}), await _stored(api)]


@case("R13", "a session without a hash is not believed", database=True)
async def get_user_no_hash(api):
    key = await _session_of(api, await _make_user(api), _auth_user_hash="")
    return await _get_user(api, {"session": _store(key)})


@case("R13", "a backend that is not among AUTHENTICATION_BACKENDS is not believed", database=True)
async def get_user_other_backend(api):
    key = await _session_of(api, await _make_user(api), _auth_user_backend="other.Backend")
    return [await _get_user(api, {"session": _store(key)}), len(await _stored(api))]


@case("R13", "a user who was deleted is anonymous", database=True)
async def get_user_deleted(api):
    user = await _make_user(api)
    key = await _session_of(api, user)

    def delete():
        from django.db import connection

        user.delete()
        connection.close()

    await api.in_thread(delete)
    return await _get_user(api, {"session": _store(key)})


@case(
    "R13",
    "after SECRET_KEY was rotated, with the old one in SECRET_KEY_FALLBACKS",
    database=True,
    different=Different(
        "A session signed with a key of SECRET_KEY_FALLBACKS stays valid, as in Django's views.",
        stock=[["AnonymousUser", ""], 0],
        ours=[["User", "ada"], 1],
    ),
)
async def get_user_rotated_key(api):
    user = await _make_user(api)
    key = await _session_of(api, user, name="x")
    with api.settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["parity"]):
        found = await _get_user(api, {"session": _store(key)})
    return [found, len(await _stored(api))]


async def _logged_in(api, session, user, **named):
    from django.contrib.auth import user_logged_in

    told = []

    def receiver(sender, request, user, **more):
        told.append([sender.__name__, request, user.username])

    user_logged_in.connect(receiver)
    scope = {"session": session}
    try:
        outcome = await api.outcome(api.auth.login, scope, user, **named)
    finally:
        user_logged_in.disconnect(receiver)
    in_scope = scope["user"].username if "user" in scope else None
    return [outcome, in_scope, told]


async def _keys(api, session):
    return await api.db.database_sync_to_async(
        lambda: {name: session[name] for name in sorted(session.keys()) if "hash" not in name}
    )()


@case("R14", "login() puts the user into scope and session, and sends the signal", database=True)
async def login(api):
    user, session = await _make_user(api), _store()
    outcome = await _logged_in(api, session, user)
    keys = await _keys(api, session)
    keys["_auth_user_id"] = keys["_auth_user_id"] == str(user.pk)
    return [outcome, keys]


@case("R14", "login() cycles the key and keeps what an anonymous session had", database=True)
async def login_cycles(api):
    session = _store()
    session["cart"] = 3

    def save():
        session.save()
        return session.session_key

    before = await api.db.database_sync_to_async(save)()
    await _logged_in(api, session, await _make_user(api))
    after = await api.db.database_sync_to_async(lambda: [session.session_key, session["cart"]])()
    return [before == after[0], after[1]]


@case("R14", "login() of another user than the session's flushes it", database=True)
async def login_other(api):
    first, second = await _make_user(api), await _make_user(api, "eve")
    session = _store(await _session_of(api, first, cart=3))
    outcome = await _logged_in(api, session, second)
    return [outcome, "cart" in await _keys(api, session)]


@case("R14", "login() of the same user again keeps the session", database=True)
async def login_again(api):
    user = await _make_user(api)
    key = await _session_of(api, user, cart=3)
    session = _store(key)
    outcome = await _logged_in(api, session, user)
    return [outcome, "cart" in await _keys(api, session), session.session_key == key]


@case("R14", "login() does not save the session by itself", database=True)
async def login_not_saved(api):
    session = _store()
    await _logged_in(api, session, await _make_user(api))
    before = [sorted(found) for found in await _stored(api)]
    await api.db.database_sync_to_async(session.save)()
    return [before, [sorted(found) for found in await _stored(api)]]


@case("R14", "several backends and none named is a ValueError, one named is taken", database=True)
async def login_backends(api):
    user = await _make_user(api)
    user.__dict__.pop("backend", None)
    with api.settings(AUTHENTICATION_BACKENDS=[BACKEND, "parity.served.OtherBackend"]):
        return [
            await _logged_in(api, _store(), user),
            await _logged_in(api, _store(), user, backend=BACKEND),
        ]


@case("R14", "login() without a session, and without a user, is a ValueError", database=True)
async def login_errors(api):
    return [
        await api.outcome(api.auth.login, {}, None),
        await api.outcome(api.auth.login, {"session": _store()}, None),
    ]


@case("R14", "login() with None takes the user of the scope", database=True)
async def login_scope_user(api):
    scope = {"session": _store(), "user": await _make_user(api)}
    outcome = await api.outcome(api.auth.login, scope, None)
    return [outcome, scope["user"].username]


async def _logged_out(api, scope):
    from django.contrib.auth import user_logged_out

    told = []

    def receiver(sender, request, user, **more):
        told.append([sender.__name__, request, user and user.username])

    user_logged_out.connect(receiver)
    try:
        outcome = await api.outcome(api.auth.logout, scope)
    finally:
        user_logged_out.disconnect(receiver)
    return [outcome, told, type(scope["user"]).__name__ if "user" in scope else None]


@case(
    "R15",
    "logout() sends the signal, flushes the session, and leaves an AnonymousUser",
    database=True,
)
async def logout(api):
    user = await _make_user(api)
    session = _store(await _session_of(api, user, cart=3))
    outcome = await _logged_out(api, {"session": session, "user": user})
    return [outcome, await _keys(api, session), len(await _stored(api))]


@case("R15", "logout() of an anonymous user sends no signal", database=True)
async def logout_anonymous(api):
    from django.contrib.auth.models import AnonymousUser

    return await _logged_out(api, {"session": _store(), "user": AnonymousUser()})


@case("R15", "logout() without a user in the scope puts none there", database=True)
async def logout_no_user(api):
    return await _logged_out(api, {"session": _store()})


@case("R15", "logout() without a session is a ValueError")
async def logout_without_session(api):
    return await api.outcome(api.auth.logout, {})


@case(
    "R15",
    "login, save and logout from inside a consumer behind the stack",
    database=True,
    both=True,
)
async def login_in_consumer(api, colour):
    from asgiref.sync import async_to_sync

    user = await _make_user(api)

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            def call(function, *given):
                return function(*given) if colour.is_async else async_to_sync(function)(*given)

            if text_data == "in":
                yield call(api.auth.login, self.scope, user)
                yield call(api.db.database_sync_to_async(self.scope["session"].save))
            else:
                yield call(api.auth.logout, self.scope)
            yield self.send(self.scope["user"].username or "nobody")

    driver = api.drive(api.auth.AuthMiddlewareStack(Consumer.as_asgi()))
    await driver.connect()
    driver.text("in")
    await driver.until(2)
    sessions = [sorted(found) for found in await _stored(api)]
    driver.text("out")
    await driver.until(3)
    return [driver.sent[1:], await driver.disconnect(), sessions, len(await _stored(api))]
