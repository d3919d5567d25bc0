# The console over four worker processes, one of which stands still.

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e._browser import MARKS, Visit
from e2e._console import Console, console, keep, log_in
from playwright.sync_api import Page, expect

from greenroom.bridges.django.console._hearing import FIRST_SECONDS, PAGE_SECONDS

pytestmark = [*MARKS, pytest.mark.slow]

TREE = "/admin/greenroom/"
QUIET_MILLISECONDS = 45_000  # what takes ten seconds where the machine has nothing else to do
VISIT = """
from django.contrib.auth.models import User
from django.test import Client
client = Client(HTTP_HOST="localhost")
client.force_login(User.objects.get(username="staff"))
print(client.get("/admin/greenroom/").content.decode())
print("feed", client.get("/admin/greenroom/feed/").status_code)
"""

# The feed of a page that was closed may end a moment later, and a process be late with its answer.
WHO_FEEDS = """
import time
from greenroom.bridges.django.console._ask import ask
found, end = [], time.monotonic() + 30
while len(found) != 1 and time.monotonic() < end:
    answers = ask({"ask": "connections"}, seconds=10).answers
    rows = [(each.process.pid, row) for each in answers for row in (each.answer or {})["rows"]]
    found = [pid for pid, row in rows if row["actor"] == "ConsoleFeed"]
print(*found)
"""

OPEN_DESKS = """
count => Promise.all(window.desks = Array.from({length: count}, () => new Promise(opened => {
    const desk = new WebSocket(`ws://${location.host}/ws/desk/`);
    desk.onopen = () => opened(desk);
}))).then(desks => desks.length)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """
    The project in four worker processes.

    Connections that fetched style sheets are not kept for long: a browser would send a page's next
    question over one that leads to the process that is stopped meanwhile (docs/how-to).
    """
    options = ("--workers", "4", "--keep-alive", "1")
    with console(tmp_path_factory.mktemp("console"), *options) as served:
        yield served


def all_four(visit: Visit) -> tuple[Page, list[int]]:
    """The tree of all four processes, once they are all there, and their numbers."""
    page = log_in(visit, TREE)
    expect(page.locator("#gr-heard")).to_have_text("4 of 4 processes answered.")
    heads = page.locator(".gr-process h2")
    expect(heads).to_have_count(4)  # what comes first in a page is there before the rest of it
    titles = heads.all_inner_texts()
    return page, [int(found[0]) for found in (re.findall(r"\d+", title) for title in titles)]


def test_all_workers_answer(visit: Visit, tmp_path: Path) -> None:
    """
    Whichever process answers the request, the page has the trees of all.
    """
    page, pids = all_four(visit)
    assert len(set(pids)) == 4
    expect(page.locator("tbody tr", has_text="residents")).to_have_count(4)
    keep(page, "console-workers", tmp_path)


def test_who_is_present_in_all_of_them(visit: Visit, tmp_path: Path) -> None:
    """
    The page of a topic has the presences of all processes, each once, from where its actor is.
    """
    tab = log_in(visit, "/admin/password_change/", "trader")
    assert tab.evaluate(OPEN_DESKS, 8) == 8
    page, _ = all_four(visit)
    page.goto(f"{TREE}presence/")
    expect(page.locator("#gr-heard")).to_have_text("4 of 4 processes answered.")
    page.get_by_role("link", name="desks", exact=True).first.click()
    expect(page.locator("tbody th", has_text="trader")).to_have_count(8)
    links = page.locator("tbody a[href*='/actor/']")
    expect(links).to_have_count(8)
    assert len({each.get_attribute("href") for each in links.all()}) == 8
    keep(page, "console-present", tmp_path)


@pytest.mark.parametrize("has_the_feed", [False, True])
def test_one_stands_still(
    visit: Visit, served: Console, tmp_path: Path, has_the_feed: bool
) -> None:
    """
    The page names the process that is stopped, shows the others, and takes two seconds at most;
    also where it was this one that told it what changes.
    """
    page, pids = all_four(visit)
    expect(page.locator("#gr-live-state")).to_have_text("Live")
    feeding = int(served.beside(WHO_FEEDS))
    pid = feeding if has_the_feed else next(pid for pid in pids if pid != feeding)
    os.kill(pid, signal.SIGSTOP)
    try:
        # It updates itself: nobody reloads it. Without its feed it waits six seconds for a word,
        # and may give up a question after four more.
        silent = page.locator(f"#gr-silent-{pid}")
        expect(silent).to_contain_text(f"Process {pid} is silent", timeout=QUIET_MILLISECONDS)
        expect(silent).to_contain_text("stopped")
        expect(page.locator("#gr-heard")).to_have_text("3 of 4 processes answered.")
        expect(page.locator(".gr-process")).to_have_count(4)
        expect(page.locator("tbody tr", has_text="residents")).to_have_count(3)
        keep(page, "console-silent", tmp_path)
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(page.locator("#gr-heard")).to_have_text("4 of 4 processes answered.")
    assert FIRST_SECONDS <= PAGE_SECONDS < 2


def test_whichever_stands_still(visit: Visit) -> None:
    """
    The page that is loaded again while a process is stopped comes from another, whichever it is.
    """
    page, pids = all_four(visit)
    for pid in pids:
        page.reload()  # style sheets come by kept connections, but are kept themselves by now
        expect(page.locator("#gr-heard")).to_have_text("4 of 4 processes answered.")
        expect(page.locator("#gr-live")).to_have_attribute("data-updates", re.compile("[1-9]"))
        os.kill(pid, signal.SIGSTOP)
        try:
            answer = page.reload(wait_until="domcontentloaded")
            assert answer is not None
            assert answer.header_value("connection") == "close"  # without, it is a matter of luck
            expect(page.locator("#gr-heard")).to_have_text("3 of 4 processes answered.")
            expect(page.locator(f"#gr-silent-{pid}")).to_contain_text("stopped")
        finally:
            os.kill(pid, signal.SIGCONT)


def test_from_a_process_that_serves_nothing(served: Console) -> None:
    """
    The admin in another process, no worker of Greenroom's, has the same pages, and no feed.
    """
    text = served.beside(VISIT)
    assert "4 of 4 processes answered." in text
    assert text.count("Process ") >= 4
    assert "feed 204" in text
