# HTTP/3 of one connection, with aioquic's own client over a real socket.

from typing import Any

import pytest
from e2e._http3 import Http3, http3, speak
from hypercorn.config import Config

from ._quic_serving import config as config  # noqa: PLC0414 - a fixture
from ._quic_serving import respond, serving

CANCELLED = 0x10C  # H3_REQUEST_CANCELLED


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Do as the path says, or answer with the length of the body."""
    if scope["path"] == "/early":
        await respond(send, b"early")
    elif scope["path"] == "/incomplete":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
    else:
        size = 0
        while (event := await receive()).get("more_body"):
            size += len(event["body"])
        await respond(send, b"%d" % size)


async def connection(what: Any, config: Config, application: Any = app) -> Any:
    """Do *what* with a connection to *application*, which must be there afterwards."""

    async def client() -> Any:
        async with http3(quic.port) as client:
            found = await what(client)
            assert (await client.get(b"/")).body == b"0"
            return found

    async with serving(application, config) as quic:
        return await speak(client)


@pytest.mark.parametrize("way", ["reset", "stop", "both"])
async def test_taken_back(way: str, config: Config) -> None:
    """
    A request that its client takes back is told of its end, once, and its answer reaches nobody.
    """
    told: list[str] = []

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            told.append((await receive())["type"])
            await respond(send, b"too late")
        else:
            await app(scope, receive, send)

    async def take_back(client: Http3) -> Any:
        number = client.ask(b"/", b"POST", more=True)
        await client.ping()
        if way != "stop":
            client.quic.reset_stream(number, CANCELLED)
        if way != "reset":
            client.quic.stop_stream(number, CANCELLED)
        client.transmit()
        return await client.answers[number].whole()

    answer = await connection(take_back, config, patient)

    assert (answer.status, answer.body, answer.end) == (0, b"", "reset")
    assert told == ["http.disconnect"]


async def test_taken_back_before_it_comes(config: Config) -> None:
    """
    A request whose answer was stopped before it came is told of its end as well.
    """
    told: list[str] = []

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            await respond(send, b"here")
        else:
            told.append((await receive())["type"])
            await respond(send, b"too late")

    async def client() -> None:
        async with http3(quic.port) as client:
            number = client.quic.get_next_available_stream_id()
            client.quic.send_stream_data(number, b"")  # which opens it
            client.quic.stop_stream(number, CANCELLED)
            client.transmit()
            await client.ping()
            pseudo = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/")]
            client.h3.send_headers(number, [*pseudo, (b":authority", b"localhost")])
            client.transmit()
            while not told:  # not by the connection's end, behind this
                assert (await client.get(b"/")).body == b"here"

    async with serving(patient, config) as quic:
        await speak(client)

    assert told == ["http.disconnect"]


async def test_answered(config: Config) -> None:
    """
    What comes of a body behind the answer is nothing to anybody, and trailers are left out.
    """

    async def go_on(client: Http3) -> Any:
        early = client.ask(b"/early", b"POST", more=True)
        await client.answers[early].whole()
        client.send(early, b"x" * 100, more=True)
        client.h3.send_headers(early, [(b"sum", b"1")], end_stream=True)
        number = client.ask(b"/", b"POST", more=True)
        client.send(number, b"x" * 100, more=True)
        client.h3.send_headers(number, [(b"sum", b"1")], end_stream=True)
        client.transmit()
        return (await client.answers[number].whole()).body

    assert await connection(go_on, config) == b"100"


async def test_cut(config: Config) -> None:
    """
    An answer that the application does not complete ends with a reset, and not as a whole one.
    """

    async def ask(client: Http3) -> Any:
        return await client.get(b"/incomplete")

    answer = await connection(ask, config)

    assert (answer.status, answer.end) == (200, "reset")


@pytest.mark.parametrize(
    "header",
    [
        (b"location", b"/\r\nset-cookie: admin=1"),
        (b"location", b"/\nset-cookie: admin=1"),
        (b"location", b"/\0"),
        (b"x: y\r\nlocation", b"/"),
        (b"a name", b"/"),
    ],
)
async def test_no_smuggling(header: tuple[bytes, bytes], config: Config) -> None:
    """
    A response's header that is none, or more than one, is refused where it is sent: 500.
    """
    raised: list[BaseException] = []

    async def bad(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/":
            await app(scope, receive, send)
            return
        try:
            await respond(send, headers=[header])
        except ValueError as error:
            raised.append(error)
            raise

    async def ask(client: Http3) -> Any:
        return await client.get(b"/bad")

    answer = await connection(ask, config, bad)

    assert answer.status == 500
    assert "must be one line" in str(raised[0])


async def test_as_http3(config: Config) -> None:
    """
    A response's headers have small letters, and what only HTTP/1 has is left out.
    """

    async def old(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"0", headers=[(b"Connection", b"close"), (b"Kept", b"Yes")])

    async def ask(client: Http3) -> Any:
        return await client.get(b"/")

    answer = await connection(ask, config, old)

    assert (answer.status, answer.headers[b"kept"]) == (200, b"Yes")
    assert b"connection" not in answer.headers
