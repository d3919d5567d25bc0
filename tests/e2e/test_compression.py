# Compressed messages (permessage-deflate) with clients that others wrote, against the real server.

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import trio
from e2e._server import WAIT_SECONDS, Server, dial, in_thread
from websockets.sync.client import connect

pytestmark = [pytest.mark.usefixtures("settled"), pytest.mark.handler]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SENTENCE = json.dumps({"kind": "chat", "text": "It goes on and on. " * 20})
MESSAGES: list[str | bytes] = [
    "", "grün 🦜", SENTENCE, b"", bytes(range(256)) * 9, "x" * 65_535, "y" * 65_536, bytes(900_000),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for the whole file."""
    options = {"E2E_OPTIONS": "compress_from_bytes=64"}
    with Server("sockets:application", env=options) as server:
        yield server
        assert "Traceback" not in server.output


def talk(server: Server, path: str) -> Any:
    """Open a socket with the client of the package websockets, which offers compression."""
    return connect(f"ws://127.0.0.1:{server.port}{path}", open_timeout=WAIT_SECONDS)


@pytest.mark.parametrize("path", ["/echo", "/plain"])
def test_messages_of_all_sizes(server: Server, path: str) -> None:
    """
    Compressed messages of all sizes come back as they went, in one frame or in fragments.
    """
    with talk(server, path) as socket:
        assert socket.protocol.extensions
        for message in MESSAGES:
            socket.send(message)
            assert socket.recv(WAIT_SECONDS) == message
        socket.send(iter([SENTENCE[:100], SENTENCE[100:101], SENTENCE[101:]]))
        assert socket.recv(WAIT_SECONDS) == SENTENCE
        for message in MESSAGES[:5] * 20:
            socket.send(message)
        assert [socket.recv(WAIT_SECONDS) for _ in range(100)] == MESSAGES[:5] * 20


async def test_a_group_of_both_kinds(server: Server) -> None:
    """
    A frame for a group reaches those who compress and those who do not.
    """

    def say_and_hear() -> str:
        with talk(server, "/member") as compressing:
            compressing.send(SENTENCE)
            return compressing.recv(WAIT_SECONDS)

    async with dial(server, "/member") as plain:
        assert await in_thread(say_and_hear) == SENTENCE
        with trio.fail_after(WAIT_SECONDS):
            assert await plain.get_message() == SENTENCE


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
def test_in_a_browser(server: Server) -> None:
    """
    A browser agrees on compression, and what it sends comes back.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: `make test` installs it"
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with closing(browser):
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.port}/facts")
            extensions, back = page.evaluate(
                """([path, messages]) => new Promise((resolve, reject) => {
                    const socket = new WebSocket(`ws://${location.host}${path}`)
                    const back = []
                    socket.onopen = () => messages.forEach(each => socket.send(each))
                    socket.onerror = reject
                    socket.onmessage = event => {
                        back.push(event.data)
                        if (back.length == messages.length) resolve([socket.extensions, back])
                    }
                })""",
                ["/echo", [SENTENCE, "", "short", SENTENCE * 100]],
            )
    assert extensions.startswith("permessage-deflate")
    assert back == [SENTENCE, "", "short", SENTENCE * 100]
