# The example's JavaScript in a real Chromium, against a real server: the list that a page keeps.

from collections.abc import Iterator

import pytest
from e2e._browser import MARKS, Visit, visits
from e2e._server import Server
from playwright.sync_api import Browser, Page, expect

pytestmark = [*MARKS, pytest.mark.slow]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open the page of the room."""
    with (
        Server("attending:application", env={"E2E_GRACE": "2"}) as server,
        visits(browser, f"http://{server.host}:{server.port}") as visit,
    ):
        yield visit


def shows(page: Page, *lines: str) -> None:
    """Wait until the page shows these, and no others."""
    expect(page.locator("#list li")).to_have_text(list(lines))


def test_a_page_keeps_the_list(visit: Visit) -> None:
    """
    Who comes, opens a second tab, closes it, loads the page anew and goes is shown as it is.
    """
    ann = visit("/?room=1&name=ann")
    shows(ann, "ann: here")
    ben = visit("/?room=1&name=ben")
    for page in (ann, ben):
        shows(page, "ann: here", "ben: here")
    tab = visit("/?room=1&name=ben")
    for page in (ann, ben, tab):
        shows(page, "ann: here", "ben: here, here")
    tab.close()
    for page in (ann, ben):
        shows(page, "ann: here", "ben: here")
    ben.reload()
    shows(ben, "ann: here", "ben: here")
    ben.close()
    shows(ann, "ann: here")
