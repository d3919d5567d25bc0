# django-debug-toolbar under Greenroom, in a real Chromium; files by django.contrib.staticfiles.

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from e2e._browser import MARKS, Visit
from e2e._studio import Studio, studio
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

pytestmark = [*MARKS, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """
    The project with DEBUG.
    """
    with studio(tmp_path_factory.mktemp("studio"), STUDIO_DEBUG="1") as served:
        yield served


def open_toolbar(page: Page) -> None:
    """Show the toolbar, if it is not."""
    handle = page.locator("#djShowToolBarButton")
    if handle.is_visible():
        handle.click()
    expect(page.locator("#djDebugToolbar")).to_be_visible()


def panel(page: Page, name: str) -> Locator:
    """Open a panel of the toolbar; its content is fetched then."""
    open_toolbar(page)
    page.locator(f"#djdt-{name} a").first.click()
    return page.locator(f"#{name} .djDebugPanelContent")


def queries_of(visit: Visit, pages: list[str]) -> list[tuple[str, str]]:
    """Fetch *pages* all at once; return each with the SQL panel that the toolbar has for it."""
    page = visit("/")
    bodies = page.evaluate(
        "pages => Promise.all(pages.map(async page => (await fetch(page)).text()))", pages
    )
    found = []
    for path, body in zip(pages, bodies, strict=True):
        (key,) = set(re.findall(r'data-request-id="(\w+)"', body))
        asked = f"/__debug__/render_panel/?request_id={key}&panel_id=SQLPanel"
        found.append((path, page.request.get(asked).json()["content"]))
    return found


def test_the_sql_panel(visit: Visit) -> None:
    """
    The SQL panel shows the queries of the page, with their number.
    """
    content = panel(visit("/"), "SQLPanel")

    expect(content).to_contain_text("1 query")
    expect(content.locator(".djDebugSql")).to_contain_text(["works_artist"])


def test_the_sql_panel_of_an_async_view(visit: Visit) -> None:
    """
    Queries of an async view are in its page's panel, too.
    """
    content = panel(visit("/async-pieces/"), "SQLPanel")

    expect(content).to_contain_text("1 query")
    expect(content.locator(".djDebugSql")).to_contain_text(["works_piece"])


def test_requests_beside_each_other_have_their_own_queries(visit: Visit) -> None:
    """
    Of requests that run at the same time each has its own queries in its panel, and no other's.
    """
    tables = {"/": "works_artist", "/async-pieces/": "works_piece"}

    found = queries_of(visit, [*tables] * 12)

    for path, content in found:
        assert "1 query" in content
        assert [table for table in tables.values() if table in content] == [tables[path]]


def test_the_history_panel(visit: Visit) -> None:
    """
    The history lists the requests before this one, and switches the panels to one of them.
    """
    page = visit("/")
    page.goto("/upload/")
    history = panel(page, "HistoryPanel")
    rows = history.locator("#djdtHistoryRequests > tr")
    expect(rows.filter(has_text="/upload/").first).to_have_class("djdt-highlighted")

    earlier = rows.filter(has=page.get_by_role("cell", name="/", exact=True)).first
    number = earlier.get_attribute("data-request-id") or "none"
    switched = page.locator(f"#djDebug[data-request-id='{number}']")
    # The panel's script comes behind its rows, and then fetches the rows again.
    for _ in range(10):
        earlier.locator(".switchHistory").click()
        with suppress(PlaywrightTimeout):
            switched.wait_for(state="attached", timeout=2000)
            break
    expect(switched).to_be_attached()

    expect(panel(page, "SQLPanel").locator(".djDebugSql")).to_contain_text(["works_artist"])


def test_static_files_through_staticfiles(visit: Visit) -> None:
    """
    With DEBUG the files come from where the apps have them, uncompressed and without a hash.
    """
    page = visit("/")
    answer = page.request.get("/static/works/studio.css")

    assert "rgb(1, 2, 3)" in answer.text()
    expect(page.locator("body")).to_have_css("background-color", "rgb(1, 2, 3)")
    page.goto("/admin/")
    style = page.locator("link[rel=stylesheet]").first.get_attribute("href")
    assert style == "/static/admin/css/base.css"
    assert page.request.get(style).ok
