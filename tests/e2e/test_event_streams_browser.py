# EventStreamConsumer and a browser's own EventSource: it reads, comes back with Last-Event-ID after
# the server has closed or crashed beyond its budget, and stays away after a 204.

from collections.abc import Iterator

import pytest
from e2e._browser import MARKS, launched, visits
from e2e._server import Server
from playwright.sync_api import Page, expect

pytestmark = [*MARKS, pytest.mark.slow]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server("streams:application", env={"E2E_OPTIONS": "reconnect_seconds=0.1"}) as server:
        yield server


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    with launched() as browser, visits(browser, f"http://{server.host}:{server.port}") as visit:
        yield visit("/page?to=/feed")


def tell(server: Server, kind: str, data: str = "", event: str = "") -> None:
    path = f"/tell?group=feed&type={kind}&data={data}" + (f"&event={event}" if event else "")
    assert server.get(path)[0] == 200


def test_a_browser_comes_back(server: Server, page: Page) -> None:
    """
    A crash does not close the stream; a close does, and the browser misses nothing over it.
    """
    lines = page.locator("#log li")
    expect(lines).to_have_text(["open"])
    tell(server, "event", "one")
    tell(server, "event", "two", "kind")
    expect(lines).to_have_text(["open", "one (1)", "kind: two"])
    tell(server, "raise")
    tell(server, "event", "three")
    shown = ["open", "one (1)", "kind: two", "three (3)"]
    expect(lines).to_have_text(shown)
    assert server.count("feeds") == 1

    tell(server, "close")
    expect(lines.nth(len(shown))).to_have_text("connecting")
    tell(server, "event", "four")  # while it is away, or back
    shown += ["connecting", "open", "four (4)"]
    expect(lines).to_have_text(shown)
    for _ in range(4):  # beyond the budget of three restarts
        tell(server, "raise")
    shown += ["connecting", "open"]
    expect(lines).to_have_text(shown)
    tell(server, "event", "five")
    expect(lines).to_have_text([*shown, "five (5)"])
    assert server.count("feeds") == 3


def test_a_browser_stays_away(server: Server, page: Page) -> None:
    """
    A browser that is answered with 204 when it comes back does not come again.
    """
    lines = page.locator("#log li")
    expect(lines).to_have_text(["open"])
    tell(server, "refuse")
    tell(server, "close")
    expect(lines).to_have_text(["open", "connecting", "closed"])
    assert server.count("refused") == 1
