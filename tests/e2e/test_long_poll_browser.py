# The example's JavaScript client in a real Chromium, against a real server.

from collections.abc import Iterator

import pytest
from e2e._browser import MARKS, Visit, visits
from e2e._server import Server
from playwright.sync_api import Browser, Page, expect

pytestmark = [*MARKS, pytest.mark.slow]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The example, served."""
    with Server("polling:application") as server:
        yield server


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """Open the example's page, in a room that all have left who were there before."""
    server.settle()
    with visits(browser, f"http://{server.host}:{server.port}") as visit:
        yield visit


def say(page: Page, text: str) -> None:
    """Type a line and press Enter."""
    page.get_by_label("Say").fill(text)
    page.get_by_label("Say").press("Enter")


def test_two_visitors_talk(visit: Visit, server: Server) -> None:
    """
    Lines reach both pages, in order; a crash in between is not seen; a page that is left ends.
    """
    one, two = visit("/"), visit("/")
    for page in (one, two):
        expect(page.locator("#state")).to_have_text("open")
        expect(page.locator("#log li").first).to_have_text("welcome")
    say(one, "/name Ada")
    for number in range(5):
        say(one, f"line {number}")
    lines = [f"Ada: line {number}" for number in range(5)]
    for page in (one, two):
        expect(page.locator("#log li")).to_have_text(["welcome", *lines])
    say(two, "/crash")
    say(two, "after the crash")
    lines.append("Anonymous: after the crash")
    for page in (one, two):
        expect(page.locator("#log li")).to_have_text(["welcome", *lines])
    two.close()
    lines.append("Anonymous has left (1000)")
    expect(one.locator("#log li")).to_have_text(["welcome", *lines])


def test_an_end_is_told_with_code_and_reason(visit: Visit) -> None:
    """
    The page sees what a WebSocket's `onclose` would have seen.
    """
    page = visit("/")
    expect(page.locator("#state")).to_have_text("open")
    say(page, "/quit")
    expect(page.locator("#state")).to_have_text("closed 4000 you asked to")


def test_a_network_that_comes_back_loses_nothing(visit: Visit) -> None:
    """
    What was said and sent while it was gone arrives, once.
    """
    one, two = visit("/"), visit("/")
    for page in (one, two):
        expect(page.locator("#state")).to_have_text("open")
    one.context.set_offline(True)
    say(one, "from the tunnel")
    say(two, "meanwhile")
    expect(two.locator("#log li").last).to_have_text("Anonymous: meanwhile")
    one.context.set_offline(False)
    expect(two.locator("#log li").last).to_have_text("Anonymous: from the tunnel")
    expect(one.locator("#log li")).to_have_text(
        ["welcome", "Anonymous: meanwhile", "Anonymous: from the tunnel"]
    )
