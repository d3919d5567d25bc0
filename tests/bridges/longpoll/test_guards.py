# What keeps strangers away from a session: token, cookie, origin, caps; and bad requests.

import json
from typing import Any

import pytest
import trio
from helpers import happened, requested
from poll_chat import Chat, posted
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import LongPollConsumer
from greenroom.bridges.longpoll._guards import cookie, is_own_page, set_cookie
from greenroom.bridges.longpoll._token import new_token, opens, parse_token, seal
from greenroom.bridges.testing import HandshakeRefused, LongPollDriver, ServerDriver


def scope(*headers: tuple[str, str]) -> dict[str, Any]:
    """Return as much of a scope as the guards look at."""
    return {
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


def test_a_token_has_one_form() -> None:
    """
    What was made can be read; anything longer, shorter or other is no token.
    """
    token = new_token("0" * 12)
    assert parse_token(str(token)) == token
    assert new_token("0" * 12) != token
    assert token.secret not in repr(token)
    for wrong in ("", str(token) + "x", str(token)[:-1], str(token).replace(".", "/"), "é" * 74):
        assert parse_token(wrong) is None


def test_a_seal_opens_for_its_token_and_binding_alone() -> None:
    """
    Neither another secret nor another cookie opens it, and it holds neither.
    """
    token, other = new_token("0" * 12), new_token("0" * 12)
    kept = seal(token, "cookie")
    assert opens(kept, token, "cookie")
    assert not opens(kept, token, "")
    assert not opens(kept, token, "cookie2")
    assert not opens(kept, other._replace(session=token.session), "cookie")
    assert len(kept) == 32


def test_a_cookie_is_found_among_others() -> None:
    """
    By its whole name, in any of the headers; without one there is none.
    """
    found = scope(("cookie", "a=1; xsessionid=no"), ("cookie", "sessionid=abc=; b=2"))
    assert cookie(found, "sessionid") == "abc="
    assert cookie(found, "a") == "1"
    assert cookie(found, "c") is None
    assert cookie(found, None) is None
    assert cookie(scope(), "a") is None


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (None, "a.example", True),
        ("http://a.example", "a.example", True),
        ("https://a.example", "a.example", True),  # a proxy has ended its TLS
        ("http://A.example:80", "a.example", True),
        ("http://a.example:8000", "a.example:8000", True),
        ("http://a.example:8001", "a.example:8000", False),
        ("http://b.example", "a.example", False),
        ("http://a.example.evil", "a.example", False),
        ("null", "a.example", False),
        ("", "", False),
        ("http://[", "a.example", False),
        ("http://a:99999999", "a.example", False),
    ],
)
def test_origins(origin: str | None, host: str, expected: bool) -> None:
    """
    The server's own host may; a page of somebody else's or of nobody's may not.
    """
    headers = [("host", host)] + ([("origin", origin)] if origin is not None else [])
    assert is_own_page(scope(*headers)) is expected


def test_a_cookie_that_an_answer_sets_is_found() -> None:
    """
    The last one of that name, without its attributes.
    """
    headers = [
        (b"set-cookie", b"sessionid=one; Path=/"),
        (b"x", b"sessionid=no"),
        (b"set-cookie", b"sessionid=two; HttpOnly"),
        (b"set-cookie", b"other=three"),
    ]
    assert set_cookie(headers, "sessionid") == "two"
    assert set_cookie(headers, "none") is None
    assert set_cookie(headers, None) is None


async def refused(server: ServerDriver, path: str, **options: Any) -> HandshakeRefused | None:
    """Open a session; return how it was refused, or None."""
    try:
        async with server.long_poll(path, polling=False, **options):
            return None
    except HandshakeRefused as error:
        return error


async def test_pages_of_strangers_open_nothing(clock: MockClock) -> None:
    """
    A foreign origin gets 403 before any consumer is made, and an event says which.
    """
    async with requested(chat=Chat, open=type("Open", (Chat,), {"check_origin": False})) as server:
        headers = [("host", "a.example"), ("origin", "https://evil.example")]
        error = await refused(server, "/chat", headers=headers)
        assert error is not None
        assert (error.status, json.loads(error.body)["error"]) == (403, "origin")
        (event,) = happened(server, "connection.refused")
        assert event.facts["reason"] == "a page of another origin"
        assert event.facts["origin"] == "https://evil.example"
        assert happened(server, "connection.opened") == []
        open_to_all = [("host", "a.example"), ("origin", "https://evil.example")]
        assert await refused(server, "/open", headers=open_to_all) is None


class Identity:
    """Stands for what a Greenroom application puts into a scope."""

    def __init__(self) -> None:
        self.slots: list[Any] = []
        self.detached = 0

    def attach(self, slot: Any) -> None:
        self.slots.append(slot)

    def detach(self) -> None:
        self.detached += 1

    def accept_headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"set-cookie", b"sessionid=after-login; Path=/")]

    def facts(self) -> dict[str, object]:
        return {"user": "ada"}


async def test_whose_session_it_is_is_known(clock: MockClock) -> None:
    """
    The slot is found by its user until it ends, its facts name him; who logs in while he connects
    goes on with the new cookie, and only with that; and the gate's word on origins holds.
    """
    identity = Identity()
    async with requested(chat=Chat) as server:
        driver = server.long_poll(
            "/chat",
            polling=False,
            headers=[("cookie", "sessionid=old"), ("origin", "https://allowed.example")],
        )

        async def with_identity(scope: Any, receive: Any, send: Any) -> None:
            scope["greenroom.identity"] = identity
            await application(scope, receive, send)

        application, server._application = server._application, with_identity
        async with driver as client:
            assert [slot.path for slot in identity.slots] == ["/connections/chat/1"]
            assert client.slot.facts["user"] == "ada"
            assert (await client.request("POST", posted((1, "a")))).status == 410
            client._headers = [(b"cookie", b"sessionid=after-login")]
            assert (await client.request("POST", posted((1, "a")))).status == 200
            assert identity.detached == 0
        await wait_all_tasks_blocked()
        assert identity.detached == 1


async def test_a_session_belongs_to_the_cookie_that_opened_it(clock: MockClock) -> None:
    """
    The token is of no use without it, nor at another path, nor with another class.
    """
    async with requested(chat=Chat, other=Chat, third=type("Third", (Chat,), {})) as server:
        mine = [("cookie", "sessionid=abc")]
        async with server.long_poll("/chat", polling=False, headers=mine) as client:
            await client.request("POST", posted((1, "a")))
            client._headers = []
            assert (await client.request("GET")).json["error"] == "unknown"
            client._headers = [(b"cookie", b"sessionid=abd")]
            assert (await client.request("GET")).status == 410
            client._headers = [(b"cookie", b"sessionid=abc")]
            for path in ("/other", "/third"):
                client.scope["path"] = path
                assert (await client.request("GET")).status == 410
            client.scope["path"] = "/chat"
            assert (await client.request("GET")).status == 200


async def test_a_cookie_that_comes_later_changes_nothing(clock: MockClock) -> None:
    """
    A session opened without the cookie goes on when its client gets one.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            client._headers = [(b"cookie", b"sessionid=new")]
            assert (await client.request("POST", posted((1, "a")))).status == 200


async def test_a_wrong_token_says_no_more_than_gone(clock: MockClock) -> None:
    """
    Unknown, malformed and with a wrong secret: 410 each, with the same words; without one 400.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            token = client.token
            wrong_secret = token[:-1] + ("A" if token[-1] != "A" else "B")
            answers = [
                await client.request("GET", token=each)
                for each in (wrong_secret, "nonsense", str(new_token(token.partition(".")[0])))
            ]
            assert {(each.status, each.body) for each in answers} == {
                (410, answers[0].body)
            }  # fmt: skip
            for method in ("GET", "DELETE"):
                answer = await client.request(method, token="")
                assert (answer.status, answer.json["error"]) == (400, "no_token")
            assert (await client.request("POST", posted((1, "a")))).status == 200


async def test_a_token_of_another_process_is_told_from_a_dead_one(clock: MockClock) -> None:
    """
    421 means: not here. The client asks again, or opens a new session.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            elsewhere = "f" * 12 + client.token[12:]
            for method in ("GET", "POST", "DELETE"):
                answer = await client.request(method, token=elsewhere)
                assert (answer.status, answer.json["error"]) == (421, "elsewhere")


async def test_caps_are_counted_by_what_lives(clock: MockClock) -> None:
    """
    One too many of a class is 503, of an address 429; an end makes room, at once.
    """

    class Few(Chat):
        max_sessions = 2

    class Own(Chat):
        sessions_per_address = 1

    async with requested(few=Few, own=Own) as server:
        async with server.long_poll("/few"), server.long_poll("/own"):
            async with server.long_poll("/few"):
                error = await refused(server, "/few")
                assert error is not None
                assert (error.status, dict(error.headers)[b"retry-after"]) == (503, b"5")
                error = await refused(server, "/own")
                assert error is not None
                assert error.status == 429
                reasons = [each.facts["reason"] for each in happened(server, "connection.refused")]
                assert reasons == [
                    "2 sessions are open (max_sessions)",
                    "1 sessions of one address are open (sessions_per_address)",
                ]
            await wait_all_tasks_blocked()
            assert await refused(server, "/few") is None


async def test_other_methods_are_told_which_there_are(clock: MockClock) -> None:
    """
    405 with `Allow`.
    """
    async with requested(chat=Chat) as server:
        for method in ("PUT", "HEAD", "OPTIONS", "PATCH"):
            answer = await server.http(method, "/chat")
            assert answer.status == 405
            assert dict(answer.headers)[b"allow"] == b"GET, POST, DELETE"
            assert bool(answer.body) is (method != "HEAD")


BAD_BODIES: list[tuple[object, str]] = [
    (b"", ""),
    (b"{", ""),
    (b"[" * 100_000, ""),
    ([], ""),
    ({}, "messages"),
    ({"messages": [{"text": "a"}]}, "messages[0].seq"),
    ({"messages": [{"seq": "1", "text": "a"}]}, "messages[0].seq"),
    ({"messages": [{"seq": 0, "text": "a"}]}, "messages[0].seq"),
    ({"messages": [{"seq": 1}]}, "messages[0]"),
    ({"messages": [{"seq": 1, "text": "a", "bytes": "YQ=="}]}, "messages[0]"),
    ({"messages": [{"seq": 1, "bytes": "no base64"}]}, "messages[0].bytes"),
    ({"messages": [], "token": "x"}, "token"),
]


async def test_bad_bodies_are_answered_by_field(clock: MockClock) -> None:
    """
    400 names what is wrong; nothing is handed on, and the session goes on.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            for body, field in BAD_BODIES:
                answer = await client.request("POST", body)
                assert (answer.status, answer.json.get("field", "")) == (400, field), body
            for query in (
                "after=-1",
                "after=x",
                "after=1",
                "after=1&after=2",
                "after=" + "9" * 30,
                "&" * 20,
            ):
                answer = await client.request("GET", query=query)
                assert (answer.status, answer.json["field"]) == (400, "after"), query
            answer = await client.request("POST", posted((1, "a")))
            assert answer.json == {"received": 1}


async def test_a_body_has_a_size(clock: MockClock) -> None:
    """
    More than `body_bytes`, said or sent, is 413: also where a session is opened.
    """

    class Short(Chat):
        body_bytes = 100

    async with requested(short=Short) as server:
        async with server.long_poll("/short", polling=False) as client:
            assert (await client.request("POST", b"x" * 101)).status == 413
            said = [("content-length", "101")]
            assert (await client.request("POST", b"", headers=said)).status == 413
            assert (await client.request("POST", posted((1, "a")))).status == 200
        assert (await server.http("POST", "/short", body=b"x" * 200_000)).status == 413
        assert server.root.connections.open == 0


async def late_body(client: LongPollDriver, application: Any, token: str) -> int:
    """Post a body whose end never comes; return the status."""
    statuses: list[int] = []
    events = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> dict[str, Any]:
        if events:
            return events.pop()
        await trio.sleep_forever()
        raise AssertionError

    async def send(event: Any) -> None:
        statuses.append(event.get("status", 0))

    scope = client.scope | {"method": "POST", "query_string": b""}
    scope["headers"] = [(b"greenroom-token", token.encode())] if token else []
    await application(scope, receive, send)
    return statuses[0]


async def test_a_body_has_its_time(clock: MockClock) -> None:
    """
    One that does not arrive within `body_seconds` is 408, with a token and without.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            began = trio.current_time()
            application = client._application
            assert await late_body(client, application, client.token) == 408
            assert trio.current_time() - began >= Chat.body_seconds
            assert await late_body(client, application, "") == 408
            assert server.root.connections.open == 1


def test_settings_are_checked_with_the_class() -> None:
    """
    What could not be kept is refused at import, with its name and what was given.
    """
    wrong: list[tuple[str, object, str]] = [
        ("poll_seconds", 0, "poll_seconds must be more than 0. Got: 0"),
        ("expiry_seconds", "60", "expiry_seconds must be a number of seconds. Got: '60'"),
        ("window_messages", 1.5, "window_messages must be a whole number. Got: 1.5"),
        ("on_window_full", "drop", "on_window_full must be 'close' or 'drop_oldest'"),
        ("max_sessions", 0, "max_sessions must be more than 0"),
        ("session_cookie", 3, "session_cookie must be the name of a cookie, or None"),
        ("check_origin", "no", "check_origin must be True or False"),
    ]
    for name, value, message in wrong:
        with pytest.raises((TypeError, ValueError), match=message):
            type("Wrong", (LongPollConsumer,), {name: value})
    assert type("Right", (LongPollConsumer,), {"max_sessions": None}).max_sessions is None
