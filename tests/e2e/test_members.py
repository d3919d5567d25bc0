# Members log in on a page and have sockets with that session: the real trio worker, the real
# session engines, and clients that nobody here wrote.

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from e2e._server import WAIT_SECONDS, Server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

PROJECT = Path(__file__).resolve().parent / "members"


@pytest.fixture(scope="module", params=["db", "cached_db", "file", "signed_cookies"])
def members(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("members")
    environment = {"MEMBERS_FOLDER": str(folder), "MEMBERS_ENGINE": request.param}
    with Server("members.asgi:application", cwd=PROJECT, env=environment) as server:
        server.engine = request.param
        yield server


class Browser:
    """Cookies as a browser keeps them, for pages and for sockets."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", timeout=WAIT_SECONDS
        )

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, at: str) -> str:
        answer = self._client.get(at)
        assert answer.status_code == 200, self._server.explain(answer.text)
        return answer.text

    def socket(self, at: str, origin: str | None = "page", **options: Any) -> ClientConnection:
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())
        }
        if origin == "page":
            origin = f"http://127.0.0.1:{self._server.port}"
        socket: ClientConnection = cast("Any", connect)(
            f"ws://127.0.0.1:{self._server.port}{at}",
            additional_headers=headers | options.pop("headers", {}),
            origin=origin,
            open_timeout=WAIT_SECONDS,
            proxy=None,
            **options,
        )
        for header in socket.response.headers.get_all("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                self._client.cookies.set(name, morsel.value)
        return socket


def ask(socket: ClientConnection, text: str) -> str:
    socket.send(text)
    return str(socket.recv(WAIT_SECONDS))


def closed(socket: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        while True:
            socket.recv(WAIT_SECONDS)
    return socket.close_code, socket.close_reason


def test_a_session_of_a_page(members: Server) -> None:
    """
    Who has logged in on a page is known on a socket; what that saves, the page sees.
    """
    with Browser(members) as browser:
        with browser.socket("/ws/who/") as socket:
            assert ask(socket, "?") == "AnonymousUser"
        browser.get("/enter/?name=ada")
        with browser.socket("/ws/who/") as socket:
            assert ask(socket, "see") == "ada"
            assert ask(socket, "?") == "ada"  # what the handler before has changed is saved
            if members.engine != "signed_cookies":
                assert browser.get("/who/") == "ada on a socket"


def test_a_session_begun_on_a_socket(members: Server) -> None:
    """
    A session begun in `connect` is the browser's from the handshake on.
    """
    with Browser(members) as browser:
        with browser.socket("/ws/entry/"):
            assert browser.get("/who/") == "AnonymousUser at the handshake"


def test_a_log_out_closes(members: Server) -> None:
    """
    A log-out on a page closes that browser's sockets with 4401, and nobody else's.
    """
    with Browser(members) as browser, Browser(members) as other:
        browser.get("/enter/?name=ada")
        other.get("/enter/?name=bob")
        with (
            browser.socket("/ws/who/") as touched,
            browser.socket("/ws/asleep/") as asleep,
            other.socket("/ws/who/") as others,
        ):
            assert ask(touched, "?") == "ada"
            assert ask(others, "?") == "bob"
            browser.get("/leave/")
            assert closed(touched) == (4401, "logged out")
            assert closed(asleep) == (4401, "logged out")
            assert ask(others, "?") == "bob"


def test_a_log_out_on_a_socket(members: Server) -> None:
    """
    A log-out on a socket ends the session for the page and for other sockets.
    """
    with Browser(members) as browser:
        browser.get("/enter/?name=ada")
        with browser.socket("/ws/who/") as socket, browser.socket("/ws/who/") as other:
            assert ask(other, "?") == "ada"
            assert ask(socket, "out") == "AnonymousUser"
            assert closed(other) == (4401, "logged out")
            assert ask(socket, "?") == "AnonymousUser"
        if members.engine != "signed_cookies":  # there the cookie is all there is
            assert browser.get("/who/") == "AnonymousUser None"


@pytest.mark.parametrize("how", ["ban", "aban"])
def test_disconnect_user(members: Server, how: str) -> None:
    """
    A view closes all sockets of a user in one call, asleep or not; others stay.
    """
    with Browser(members) as ada, Browser(members) as bob:
        ada.get("/enter/?name=ada")
        bob.get("/enter/?name=bob")
        without_sockets(members, bob, "ada")
        with (
            ada.socket("/ws/who/") as one,
            ada.socket("/ws/asleep/") as two,
            bob.socket("/ws/who/") as other,
        ):
            assert ask(one, "?") == "ada"
            assert ask(other, "?") == "bob"
            if how == "ban":
                assert bob.get("/ban/?name=ada") == "2 2"
                expected = (4403, "banned")
            else:
                assert bob.get("/aban/?name=ada") == "2"
                expected = (4401, "")
            assert (closed(one), closed(two)) == (expected, expected)
            assert ask(other, "?") == "bob"


def test_who_may_not_go_on(members: Server) -> None:
    """
    A user who is switched off loses his sockets within the time of a look.
    """
    with Browser(members) as browser:
        browser.get("/enter/?name=bob")
        with browser.socket("/ws/watched/") as socket:
            assert ask(socket, "?") == "bob"
            browser.get("/deactivate/?name=bob")
            assert closed(socket) == (4401, "the user may not log in any more")


def test_origins(members: Server) -> None:
    """
    A stranger's page is refused with 403 and one line in the log; no Origin is no page.
    """
    with Browser(members) as browser:
        browser.get("/enter/?name=ada")
        mark = members.mark()
        with pytest.raises(InvalidStatus) as refused:
            browser.socket("/ws/who/", origin="https://evil.example")
        assert refused.value.response.status_code == 403
        members.wait_for_line("connection.refused.*https://evil.example.*ORIGINS", mark)
        assert members.said(mark).count("evil.example") == 1
        with browser.socket("/ws/who/", origin=None) as socket:
            assert ask(socket, "?") == "ada"


def without_sockets(members: Server, browser: Browser, name: str) -> None:
    """Wait until the sockets are gone that a client of *name* has closed: a ban counts them."""
    members.until("his sockets are gone", lambda: browser.get(f"/aban/?name={name}") == "0")


def test_tokens(members: Server) -> None:
    """
    A token comes in by the header, by a subprotocol, or first of all; else it is 401 or 4401.
    """
    mark = members.mark()
    with Browser(members) as browser:
        by_header = {"Authorization": "Bearer token-of-ada"}
        with browser.socket("/ws/header/", headers=by_header) as socket:
            assert ask(socket, "?") == "ada {}"
        offered: Any = ["greenroom.v1", "token.token-of-ada"]
        with browser.socket("/ws/subprotocol/", subprotocols=offered) as socket:
            assert socket.subprotocol == "greenroom.v1"
            assert ask(socket, "?") == "ada {}"
        without_sockets(members, browser, "ada")
        with browser.socket("/ws/first/") as socket:
            socket.send("token-of-ada")
            assert ask(socket, "?") == "ada {}"
            assert browser.get("/aban/?name=ada") == "1"
            assert closed(socket)[0] == 4401
        for at in ("/ws/header/", "/ws/subprotocol/"):
            with pytest.raises(InvalidStatus) as refused:
                browser.socket(at)
            assert refused.value.response.status_code == 401
        with browser.socket("/ws/first/") as socket:
            socket.send("token-of-nobody")
            assert closed(socket)[0] == 4401
    assert "token-of" not in members.said(mark)


def test_routers(members: Server) -> None:
    """
    Routers nest, Channels' with its middleware and ours; an unknown path is a 404.
    """
    with Browser(members) as browser:
        browser.get("/enter/?name=ada")
        with browser.socket("/ws/nested/shop/7/") as socket:
            assert ask(socket, "?") == "ada {'site': 'shop', 'room': 7}"
        with browser.socket("/ws/native/7/") as socket:
            said = ask(socket, "?")
            assert said.endswith("{'room': 7}")
        for at in ("/ws/nested/shop/", "/ws/native/x/", "/ws/nowhere/"):
            with pytest.raises(InvalidStatus) as refused:
                browser.socket(at)
            assert refused.value.response.status_code == 404
