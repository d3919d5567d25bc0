# The console in a real Chromium, over the real server, with a strict Content-Security-Policy.

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e._browser import MARKS, Visit
from e2e._console import Console, console, keep, log_in
from playwright.sync_api import Page, Request, Route, expect

pytestmark = [*MARKS, pytest.mark.slow]

TREE = "/admin/greenroom/"
CHECK = (Path(__file__).parent / "_accessible.js").read_text()
# What it hears is the title of its page: a policy without unsafe-eval stops wait_for_function().
OPEN_DESK = """() => new Promise((resolve, reject) => {
    window.desk = new WebSocket(`ws://${location.host}/ws/desk/`);
    desk.onmessage = (event) => document.title = event.data;
    desk.onclose = (event) => document.title = `closed ${event.code}`;
    desk.onopen = () => resolve();
    desk.onerror = () => reject(new Error("no socket"));
})"""

# What the page's script makes of an answer is done by then; and it waits for as long as the test
# keeps that back, for which a busy machine may need more than the page's four seconds.
SAY_ANSWERED = """Object.defineProperty(XMLHttpRequest.prototype, "timeout", { set() {} });
const send = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function () {
    this.addEventListener("loadend", () => console.log("answered"));
    return send.apply(this, arguments);
};"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """
    The project with a thousand actors, of which one can't work.
    """
    with console(tmp_path_factory.mktemp("console"), shares=1000) as served:
        yield served


def open_desk(visit: Visit) -> Page:
    """Another tab, of a user who is logged in, with a socket that is open."""
    tab = log_in(visit, "/admin/password_change/", "trader")
    tab.evaluate(OPEN_DESK)
    return tab


def desk_in(page: Page) -> str:
    """The path of the desk that the tree shows, once its route is unfolded."""
    page.get_by_role("link", name="Unfold /connections/desk", exact=True).click()
    page.wait_for_load_state()  # a row that is there may not be the last one yet
    desk = page.locator("tr", has_text="Desk").locator("th a[title^='/connections/desk/']").last
    return desk.get_attribute("title") or ""


def test_a_wrong_setting_in_three_clicks(visit: Visit, tmp_path: Path) -> None:
    """
    Of a thousand actors the one that crashes in a loop is found, with its exception and the line at
    fault, in at most three clicks from the first page.
    """
    page = log_in(visit, TREE)
    trouble = page.locator("#gr-trouble")
    expect(trouble).to_contain_text("could not convert string to float: 'every now and then'")
    keep(page, "console-tree", tmp_path)

    trouble.get_by_role("link", name="/residents/market/share500").click()  # the only click

    expect(page.locator("#gr-fault")).to_contain_text("ValueError")
    expect(page.locator("#gr-fault")).to_contain_text("market/actors.py")
    expect(page.locator("#gr-fault-line")).to_contain_text("float(seconds)")
    keep(page, "console-actor", tmp_path)


def test_a_crash_in_another_tab(visit: Visit, tmp_path: Path) -> None:
    """
    A consumer that crashes in another tab is seen to restart without a reload, its traceback is
    read, its user is disconnected, and the audit log says who did that.
    """
    page = log_in(visit, TREE)
    tab = open_desk(visit)
    path = desk_in(page)
    assert path.startswith("/connections/desk/")
    page.evaluate("window.sameDocument = true")
    row = page.locator("tr", has=page.locator(f"a[title='{path}']"))
    expect(row).to_contain_text("epoch 1")

    tab.evaluate("desk.send('crash')")

    expect(row).to_contain_text("epoch 2")
    expect(page.locator("#gr-trouble")).to_contain_text("the desk has broken down")
    expect(page.locator("#gr-live-state")).to_contain_text("Live")
    assert page.evaluate("window.sameDocument"), "the page was loaded again"
    keep(page, "console-crash", tmp_path)

    row.locator(f"a[title='{path}']").click()
    expect(page.locator("#gr-fault-line")).to_contain_text("the desk has broken down")
    expect(page.get_by_text("Traceback (most recent call last)").first).to_be_visible()
    keep(page, "console-traceback", tmp_path)

    page.get_by_role("link", name="Disconnect user").click()
    keep(page, "console-confirm", tmp_path)
    page.locator("#content form [type=submit]").first.click()
    expect(tab).to_have_title("closed 4401")

    page.goto(TREE)
    page.get_by_role("link", name="Audit log").first.click()
    entry = page.locator("#content tr", has_text="Disconnect user").first
    expect(entry).to_contain_text("staff")
    expect(entry).to_contain_text("done")
    keep(page, "console-audit", tmp_path)


def test_what_is_open_and_in_focus_stays(visit: Visit) -> None:
    """
    An update leaves the focus, and what the reader has unfolded, as they are.
    """
    page = log_in(visit, TREE)
    page.get_by_role("link", name="Unfold /residents/market", exact=True).focus()
    tab = open_desk(visit)
    tab.evaluate("desk.send('crash')")
    expect(page.locator("#gr-trouble")).to_contain_text("the desk has broken down")

    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "Unfold /residents/market"
    page.locator("#gr-trouble").get_by_role("link", name="share500").click()
    name = page.locator("#gr-history article").first.get_attribute("id")
    crash = page.locator(f"#{name}")  # a later one may come before it
    crash.get_by_text("What happened before it").click()
    crash.get_by_text("Traceback", exact=True).click()
    updates = updates_of(page)
    expect(page.locator("#gr-live")).not_to_have_attribute("data-updates", str(updates))
    unfolded = [each.get_attribute("open") for each in crash.locator("> details").all()]
    assert unfolded == [None, ""]


def updates_of(page: Page) -> int:
    """How often the page has updated itself."""
    return int(page.locator("#gr-live").get_attribute("data-updates") or "0")


def test_paused(visit: Visit) -> None:
    """
    A page that is paused says so, and goes on when it is told to.
    """
    page = log_in(visit, TREE)
    expect(page.locator("#gr-live-state")).to_have_text("Live")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#gr-live-state")).to_have_text("Paused")
    before = updates_of(page)
    tab = open_desk(visit)
    tab.evaluate("desk.send('crash')")
    tab.evaluate("desk.send('alive?')")
    expect(tab).to_have_title("epoch 2")
    assert updates_of(page) == before

    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#gr-trouble")).to_contain_text("the desk has broken down")


@pytest.mark.parametrize("how", ["continue_", "abort"])
def test_paused_while_it_asks(visit: Visit, how: str) -> None:
    """
    An answer that comes after the page was paused, or none, changes nothing that the page shows.
    """
    page = log_in(visit, TREE)
    page.add_init_script(SAY_ANSWERED)
    asked: list[Route] = []
    page.route(lambda _: True, lambda route: hold_fragments(route, asked))
    with page.expect_request(is_fragment):
        page.reload()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#gr-live-state")).to_have_text("Paused")

    with page.expect_console_message(lambda message: message.text == "answered"):
        getattr(asked.pop(), how)()
    assert page.locator("#gr-live-state").text_content() == "Paused"
    assert updates_of(page) == 0

    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#gr-live-state")).to_have_text("Live")


def is_fragment(request: Request) -> bool:
    """Whether the page's script asks for what has changed."""
    return "x-greenroom-fragment" in request.headers


def hold_fragments(route: Route, held: list[Route]) -> None:
    """Keep what the page's script asks for waiting; all else goes on."""
    if is_fragment(route.request):
        held.append(route)
    else:
        route.continue_()


def test_without_javascript(browser: Any, served: Console, tmp_path: Path) -> None:
    """
    Without JavaScript the pages read, unfold and search.
    """
    context = browser.new_context(base_url=served.address, java_script_enabled=False)
    page = log_in(lambda path: visited(context, path), TREE)
    expect(page.locator("#gr-live-bar")).to_be_hidden()
    page.get_by_role("link", name="Unfold /residents/market", exact=True).click()
    expect(page.get_by_role("link", name="share0", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="share999", exact=True)).to_have_count(0)
    page.get_by_label("Path, class or user").fill("share999")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("link", name="/residents/market/share999")).to_be_visible()
    keep(page, "console-search", tmp_path)
    context.close()


def visited(context: Any, path: str) -> Page:
    """A new page."""
    page: Page = context.new_page()
    page.goto(path)
    return page


CHARTS = {
    "Tree": 3, "Connections": 3, "Dead letters": 2, "Threads": 2, "Processes": 4, "Events": 1,
}  # fmt: skip


def faults(page: Page) -> list[str]:
    """What the checker finds on the page, once it is there with its style sheets."""
    page.wait_for_load_state()
    found: list[str] = page.evaluate(CHECK)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_pages(visit: Visit, scheme: str, tmp_path: Path) -> None:
    """
    Every page shows itself in light and dark with enough contrast, headings, labels and landmarks,
    and those on which charts are show them, and go on with them without a reload.
    """
    page = log_in(visit, TREE)
    page.emulate_media(color_scheme=scheme)
    chart = page.locator(".gr-charts .gr-chart").first
    expect(chart).to_be_visible()
    said = str(chart.get_attribute("aria-label"))
    expect(chart).not_to_have_attribute("aria-label", said)
    names = page.locator(".gr-nav a").all_inner_texts()
    assert len(names) == 9
    for name in names:
        page.locator(".gr-nav a", has_text=name).first.click()
        expect(page.locator("h1")).to_have_count(1)
        expect(page.locator("svg.gr-chart")).to_have_count(CHARTS.get(name, 0))
        assert faults(page) == [], name
        keep(page, f"console-{scheme}-{name.lower().replace(' ', '-')}", tmp_path)
    page.goto(TREE)
    page.locator("#gr-trouble").get_by_role("link", name="share500").click()
    expect(page.locator("#gr-fault-line")).to_be_visible()
    assert faults(page) == []
    keep(page, f"console-{scheme}-actor", tmp_path)
    page.get_by_role("link", name="Suspend", exact=True).click()
    expect(page.locator("#gr-act")).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_the_pages_lead_to(visit: Visit, scheme: str, tmp_path: Path) -> None:
    """
    So do the page of a place that crashes, all of it unfolded, and that which asks before an act.
    """
    page = log_in(visit, TREE)
    page.emulate_media(color_scheme=scheme)
    page.locator("#gr-trouble").get_by_role("link", name="/residents/market/share500").click()
    expect(page.locator("#gr-fault")).to_contain_text("ValueError")
    folded = page.locator("details:not([open]) > summary:visible")
    while folded.count():
        folded.first.click()
    assert faults(page) == []
    keep(page, f"console-{scheme}-actor", tmp_path)

    page.get_by_role("link", name="Suspend", exact=True).click()
    expect(page.locator("#gr-happens")).to_be_visible()
    assert faults(page) == []
    keep(page, f"console-{scheme}-act", tmp_path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_is_present(visit: Visit, scheme: str, tmp_path: Path) -> None:
    """
    A topic appears without reloading, and leads to who is present in it, and on to that actor.
    """
    page = log_in(visit, TREE)
    page.emulate_media(color_scheme=scheme)
    page.locator(".gr-nav a", has_text="Presence").click()
    open_desk(visit)
    page.get_by_role("link", name="desks", exact=True).click()
    expect(page.locator("h1")).to_have_text("Present in desks")
    expect(page.locator("th[scope=row]", has_text="trader").first).to_be_visible()
    assert "on no page of the console" not in page.content()
    assert faults(page) == []
    keep(page, f"console-{scheme}-present", tmp_path)
    page.locator("td a[href*='/actor/']").first.click()
    expect(page.get_by_text("Present as", exact=True).first).to_be_visible()
    assert faults(page) == []


def test_where_no_feed_comes(visit: Visit) -> None:
    """
    Where the feed is not served the page asks by itself, and says so.
    """
    page = log_in(visit, TREE)
    page.route("**/greenroom/feed/", lambda route: route.fulfill(status=204))
    page.reload()
    expect(page.locator("#gr-live-state")).to_have_text("Live: asking every 5 s")
    tab = open_desk(visit)
    tab.evaluate("desk.send('crash')")

    expect(page.locator("#gr-trouble")).to_contain_text("the desk has broken down")


def test_a_server_that_is_away(visit: Visit) -> None:
    """
    A page whose server can't be reached says so, keeps what it shows, and goes on when it is back.
    """
    page = log_in(visit, TREE)
    expect(page.locator("#gr-live-state")).to_have_text("Live")
    page.context.set_offline(True)
    expect(page.locator("#gr-live-state")).to_contain_text("can't be reached")
    expect(page.locator("#gr-trouble")).to_be_visible()

    page.context.set_offline(False)
    expect(page.locator("#gr-live-state")).to_have_text("Live")


def test_logged_out(visit: Visit) -> None:
    """
    Who is logged out meanwhile is told to reload; the page is not replaced by a login form.
    """
    page = log_in(visit, TREE)
    expect(page.locator("#gr-live-state")).to_have_text("Live")
    page.context.clear_cookies()
    tab = open_desk(visit)
    tab.evaluate("desk.send('crash')")

    expect(page.locator("#gr-live-state")).to_contain_text("reload the page to log in again")
    expect(page.locator("#gr-live #id_username")).to_have_count(0)


def test_a_hidden_tab(visit: Visit) -> None:
    """
    A tab that nobody sees asks for nothing, and is up to date when it is seen again.
    """
    page = log_in(visit, TREE)
    expect(page.locator("#gr-live-state")).to_have_text("Live")
    page.evaluate(HIDE, arg=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    tab = open_desk(visit)
    tab.evaluate("desk.send('crash')")
    tab.evaluate("desk.send('alive?')")
    expect(tab).to_have_title("epoch 2")
    assert asked == []

    page.evaluate(HIDE, arg=False)
    expect(page.locator("#gr-trouble")).to_contain_text("the desk has broken down")


HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
