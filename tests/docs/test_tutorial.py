# The tutorial as its reader meets it: an empty folder, the commands and files of the pages one
# after the other, the real `runserver`, and a real Chromium.

from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_support.follow import Follower
from e2e._browser import CHROMIUM, MARKS, launched
from playwright.sync_api import Browser, Page, expect

pytestmark = [*MARKS, pytest.mark.slow]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """
    A Chromium of its own.
    """
    with launched() as browser:
        yield browser


def enter(browser: Browser, follower: Follower) -> Page:
    """Choose the room "lobby" on the first page."""
    page = browser.new_page()
    page.goto(f"{follower.address}/chat/")
    page.get_by_label("What room would you like to enter?").fill("lobby")
    page.get_by_role("button", name="Enter").click()
    page.wait_for_url("**/chat/lobby/")
    return page


def enter_open(browser: Browser, follower: Follower) -> Page:
    """Do so, and wait until the room's socket is open."""
    page = enter(browser, follower)
    page.wait_for_function("socket.readyState === WebSocket.OPEN")
    return page


def say(page: Page, text: str) -> None:
    """Type a line and press Enter."""
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


def test_the_tutorial_works_as_printed(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Who does what the tutorial says has what it says, in each of its parts.
    """
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.setenv("CHROMIUM", str(CHROMIUM))
    with Follower(tmp_path, browser.new_page().goto) as follower:
        follower.follow("tutorial/chat-1.md")
        assert "Page not found" in enter(browser, follower).title()

        follower.follow("tutorial/chat-2.md")
        ann, ben = enter_open(browser, follower), enter_open(browser, follower)
        say(ann, "Hello.")
        expect(ben.locator("#log")).to_have_value("Hello.\n")
        ann.evaluate("socket.send('this is no JSON')")
        say(ben, "Are you still there?")
        expect(ann.locator("#log")).to_have_value("Hello.\nAre you still there?\n")

        follower.follow("tutorial/chat-3.md")
        ann, ben = enter_open(browser, follower), enter_open(browser, follower)
        say(ann, "Faster?")
        expect(ben.locator("#log")).to_have_value("Faster?\n")

        follower.follow("tutorial/chat-4.md")
