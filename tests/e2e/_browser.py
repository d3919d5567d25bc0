# A real headless Chromium, as test files share it: one for a file, each test with pages of its own.
#
# Nothing sleeps: expect() waits for what the page shows.

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright: `make test` installs it")
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHOWN_MILLISECONDS = 15_000  # how long expect() waits; a loaded machine is slow

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]

Visit = Callable[[str], Page]


@contextmanager
def launched() -> Iterator[Browser]:
    """One headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def visits(browser: Browser, address: str) -> Iterator[Visit]:
    """Open paths of *address*, each as a visitor of one's own; no script of a page may complain."""
    contexts = []
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # A page that is not there, or not for this visitor, is for the test to judge.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def visit(path: str) -> Page:
        context = browser.new_context(base_url=address)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SHOWN_MILLISECONDS)
        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    expect.set_options(timeout=SHOWN_MILLISECONDS)
    yield visit
    for context in contexts:
        context.close()
    assert not complaints
