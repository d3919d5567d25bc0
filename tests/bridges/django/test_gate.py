# The check of the Origin header, on without a word: settings, refusals, the log.

from typing import Any

import pytest
from django.test import override_settings
from django_sessions import served

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import TokenAuthentication
from greenroom.bridges.channels.middleware import BaseMiddleware
from greenroom.bridges.channels.security.websocket import OriginValidator
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.django._settings import problems
from greenroom.bridges.testing import HandshakeRefused, serve


class Echo(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=text)


class Public(Echo):
    check_origin = False


async def status(
    server: Any, origin: str | None, host: str = "testserver", at: str = "echo"
) -> int:
    headers = [("host", host)] + ([] if origin is None else [("origin", origin)])
    try:
        async with server.websocket(f"/{at}/", headers=headers):
            return 101
    except HandshakeRefused as refused:
        return refused.status


@pytest.mark.parametrize(
    ("hosts", "debug", "origin", "expected"),
    [
        (["example.com"], False, "https://example.com", 101),
        (["example.com"], False, "https://example.com:8000", 101),
        (["example.com"], False, "https://evil.net", 403),
        (["example.com"], False, None, 101),
        (["example.com"], False, "null", 403),
        (["example.com"], False, "nonsense", 403),
        ([".example.com"], False, "https://a.example.com", 101),
        ([], True, "http://localhost:8000", 101),
        ([], True, "http://app.localhost:8000", 101),
        ([], True, "http://127.0.0.1:8000", 101),
        ([], True, "http://[::1]:8000", 101),
        ([], True, "http://evil.net", 403),
        ([], False, "http://localhost:8000", 403),
        (["*"], False, "https://testserver", 101),
        (["*"], False, "https://evil.net", 403),
        (["*"], False, "null", 403),
        (["*", ".example.com"], False, "https://www.example.com", 101),
    ],
)
async def test_allowed_hosts(
    hosts: list[str], debug: bool, origin: str | None, expected: int
) -> None:
    """
    Without ORIGINS the hosts of ALLOWED_HOSTS count, asked anew at each connection.
    """
    async with served(Echo) as server:
        with override_settings(ALLOWED_HOSTS=hosts, DEBUG=debug):
            assert await status(server, origin) == expected


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        (["https://app.example"], "https://app.example", 101),
        (["https://app.example"], "http://app.example", 403),
        (["https://app.example"], "https://testserver", 403),
        (["https://app.example", "null"], "null", 101),
        ("*", "https://evil.net", 101),
        ([], "https://testserver", 403),
        ([], None, 101),
    ],
)
async def test_origins(origins: Any, origin: str | None, expected: int) -> None:
    """
    ORIGINS takes the place of ALLOWED_HOSTS.
    """
    async with served(Echo, origins=origins) as server:
        assert await status(server, origin) == expected


async def test_required() -> None:
    """
    With ORIGIN_REQUIRED a client without an Origin is refused as well.
    """
    async with served(Echo, origin_required=True) as server:
        assert await status(server, None) == 403
        assert await status(server, "http://testserver") == 101


async def test_two_origins_are_none() -> None:
    """
    Who sends two Origin headers is refused, whatever they say.
    """
    headers = [("host", "testserver"), *[("origin", "http://testserver")] * 2]
    async with served(Echo) as server:
        with pytest.raises(HandshakeRefused):
            async with server.websocket("/echo/", headers=headers):
                pass


async def test_a_class_may_be_public() -> None:
    """
    A consumer with `check_origin = False` is open to pages of everybody.
    """
    async with served(Public) as server:
        assert await status(server, "https://evil.net", at="public") == 101


async def test_other_applications_are_guarded() -> None:
    """
    Somebody else's ASGI application behind a route is not reached by a stranger's page.
    """
    reached: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async with serve(Greenroom(websocket=[path("echo/", application)])) as server:
        assert await status(server, "https://evil.net") == 403
    assert reached == []


async def test_behind_a_proxy() -> None:
    """
    With USE_X_FORWARDED_HOST the host is that which the browser has asked.
    """
    headers = [("host", "inner:8000"), ("x-forwarded-host", "shop.example")]
    headers += [("origin", "https://shop.example")]
    async with served(Echo) as server:
        with override_settings(USE_X_FORWARDED_HOST=True):
            async with server.websocket("/echo/", headers=headers):
                pass
        with pytest.raises(HandshakeRefused):
            async with server.websocket("/echo/", headers=headers):
                pass


async def test_one_line_in_the_log(caplog: Any) -> None:
    """
    A refusal is one line, with the origin as data and the setting that would let it in.
    """
    async with served(Echo) as server:
        assert await status(server, "https://evil.net\x1b[2J") == 403
    (line,) = [each for each in caplog.messages if "Origin" in each]
    assert "see ORIGINS in GREENROOM" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("origins", "problem"),
    [
        ("example.com", "must be a list of origins"),
        (["exa mple"], "an origin is a host"),
        ([7], "must hold strings"),
    ],
)
def test_what_is_wrong_shows_at_start(origins: Any, problem: str) -> None:
    """
    A pattern that can't be read is refused when the application is made.
    """
    with pytest.raises((TypeError, ValueError), match=problem):
        Greenroom(origins=origins)


async def test_a_validator_of_ones_own_decides() -> None:
    """
    Where Channels' OriginValidator stands in a route it decides, and not ALLOWED_HOSTS.
    """
    own = BaseMiddleware(OriginValidator(Echo.as_asgi(), ["https://partner.example"]))
    with override_settings(ALLOWED_HOSTS=["example.com"]):
        for websocket in ([path("echo/", own)], own):
            async with serve(Greenroom(websocket=websocket, close_seconds=0)) as server:
                assert await status(server, "https://partner.example") == 101
                assert await status(server, "https://example.com") == 403


async def test_a_token_decides() -> None:
    """
    Who has to bring a token may come from any page: a stranger's has none.
    """
    app = TokenAuthentication(Echo, lambda token, scope: token, subprotocol=True)
    async with serve(Greenroom(websocket=app, close_seconds=0)) as server:
        assert await status(server, "https://evil.net") == 401
        headers = [("host", "testserver"), ("origin", "https://partner.example")]
        async with server.websocket("/", headers=headers, subprotocols=["token.ada"]):
            pass


def test_the_system_check_knows() -> None:
    """
    `manage.py check` tells of a pattern that can't be read.
    """
    with override_settings(GREENROOM={"ORIGINS": ["exa mple"]}):
        (problem,) = problems()
    assert (problem.id, "exa mple" in problem.text) == ("greenroom.E003", True)
