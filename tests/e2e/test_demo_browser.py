# The demo as a person meets it: the real `hypercorn -k trio`, a real Chromium, real clicks.
#
# One server and one browser for the whole file; each test has pages (cookies, storage) and a chat
# room of its own. Nothing here sleeps: expect() waits for what the page shows.

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e._browser import MARKS, Visit, visits
from e2e._server import Server
from playwright.sync_api import Browser, Page, WebSocket, expect

DEMO = Path(__file__).resolve().parents[2] / "docs" / "examples" / "chat"

pytestmark = MARKS


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running demo with a database of its own."""
    environment = {"DEMO_DATA_DIR": str(tmp_path_factory.mktemp("demo"))}
    prepare = [sys.executable, "manage.py", "prepare_demo"]
    subprocess.run(prepare, cwd=DEMO, env={**os.environ, **environment}, check=True)
    with Server("mysite.asgi:application", cwd=DEMO, env=environment) as server:
        yield f"http://{server.host}:{server.port}"
    assert "leaked" not in server.output
    assert "disconnect.failed" not in server.output


@pytest.fixture
def visit(browser: Browser, demo: str) -> Iterator[Visit]:
    """Open a path of the demo as a visitor of one's own; no script of ours may complain."""
    with visits(browser, demo) as visit:
        yield visit


def open_room(visit: Visit, title: str) -> Page:
    """Open a new room in the lobby, as a visitor would, and wait for its socket."""
    page = visit("/")
    page.get_by_label("Another room").fill(title)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("#state")).to_have_text("open")
    return page


def join_room(visit: Visit, page: Page) -> Page:
    """Open the room of *page* as somebody else."""
    other = visit(page.url)
    expect(other.locator("#state")).to_have_text("open")
    return other


def say(page: Page, text: str) -> None:
    """Type a line and press Enter."""
    page.locator("#say").fill(text)
    page.locator("#say").press("Enter")


def seconds_connected(page: Page) -> int:
    """Read the counter that starts anew with each socket."""
    minutes, seconds = (page.locator("#connected").text_content() or "").split(":")
    return int(minutes) * 60 + int(seconds)


def log_in(page: Page) -> None:
    """Log in as the demo's staff user and come back to the same page."""
    page.get_by_role("link", name="Log in").click()
    page.locator("#id_username").fill("admin")
    page.locator("#id_password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#state")).to_have_text("open")


def test_two_visitors_talk(visit: Visit) -> None:
    """
    What one visitor says is shown to both, under the name that was chosen with /name.
    """
    ada = open_room(visit, "Two visitors")
    bob = join_room(visit, ada)
    expect(ada.locator("#people")).to_contain_text("2 here")
    expect(bob.locator("#people")).to_contain_text("2 here")

    say(ada, "/name Ada")
    expect(bob.locator("#people .avatar[title=Ada]")).to_be_visible()
    say(ada, "good evening")

    for page in (ada, bob):
        expect(page.locator(".line", has_text="good evening").locator("b")).to_have_text("Ada")
    expect(ada.locator(".line.mine")).to_have_count(1)
    expect(bob.locator(".line.mine")).to_have_count(0)


@pytest.mark.slow
def test_somebody_who_leaves_is_counted_out(visit: Visit) -> None:
    """
    Closing a page takes its visitor out of the room.
    """
    page = open_room(visit, "Leaving")
    other = join_room(visit, page)
    expect(page.locator("#people")).to_contain_text("2 here")

    other.close()

    expect(page.locator("#people")).to_contain_text("1 here")


def test_a_crash_keeps_the_socket(visit: Visit) -> None:
    """
    /crash restarts the consumer as epoch 2; the one socket stays, and the next line is answered.
    """
    sockets: list[WebSocket] = []
    page = open_room(visit, "A crash")
    other = join_room(visit, page)
    page.on("websocket", lambda socket: sockets.append(socket))
    page.reload()
    expect(page.locator("#state")).to_have_text("open")
    say(page, "/name Ada")
    expect(page.locator("#epoch")).to_have_text("1")
    expect(page.locator("#connected")).not_to_have_text("0:00")
    before = seconds_connected(page)

    page.get_by_role("button", name="Crash, and speak right behind it").click()

    expect(page.locator(".crash")).to_contain_text(
        "consumer crashed (RuntimeError: you asked for it) and was restarted as epoch 2;"
        " this socket never closed"
    )
    for shown in (page, other):
        line = shown.locator(".line", has_text="Still talking, on the same socket.")
        expect(line.locator("b")).to_have_text("Ada")  # the name was kept
    expect(page.locator("#epoch")).to_have_text("2")
    expect(page.locator("#sockets")).to_have_text("1")
    expect(page.locator("#state")).to_have_text("open")
    assert seconds_connected(page) >= before
    (socket,) = sockets
    assert not socket.is_closed()
    expect(other.locator("#epoch")).to_have_text("1")
    expect(other.locator(".crash")).to_have_count(0)


@pytest.mark.slow
def test_group_frames_arrive_after_a_crash(visit: Visit) -> None:
    """
    A restarted consumer is still in its groups: it hears the room, and is counted there.
    """
    page = open_room(visit, "Still a member")
    other = join_room(visit, page)
    say(page, "/crash")
    expect(page.locator("#epoch")).to_have_text("2")

    say(other, "do you hear me?")

    expect(page.locator(".line", has_text="do you hear me?")).to_be_visible()
    expect(other.locator("#people")).to_contain_text("2 here")


@pytest.mark.slow
def test_four_crashes_close_one_socket(visit: Visit) -> None:
    """
    The fourth crash within five seconds closes that socket with 1011; Reconnect opens another.
    """
    page = open_room(visit, "Four crashes")
    other = join_room(visit, page)

    page.get_by_role("button", name="Crash 4 times").click()

    expect(page.locator("#state")).to_have_text("closed, 1011")
    expect(page.locator("#ended")).to_contain_text("four crashes within five seconds")
    expect(page.locator("#say")).to_be_disabled()
    expect(other.locator("#people")).to_contain_text("1 here")
    expect(other.locator("#state")).to_have_text("open")

    page.get_by_role("button", name="Reconnect").click()

    expect(page.locator("#state")).to_have_text("open")
    expect(page.locator("#ended")).to_be_hidden()
    expect(page.locator("#epoch")).to_have_text("1")
    expect(page.locator("#sockets")).to_have_text("2")
    expect(other.locator("#people")).to_contain_text("2 here")


@pytest.mark.slow
def test_history_and_name_survive_a_reload(visit: Visit) -> None:
    """
    After a reload the room shows what was said before, and the visitor still has the name.
    """
    page = open_room(visit, "History")
    say(page, "/name Ada")
    for text in ("first", "second", "third"):
        say(page, text)
    expect(page.locator(".line")).to_have_count(3)

    page.reload()

    expect(page.locator(".line .text")).to_have_text(["first", "second", "third"])
    expect(page.locator("#people .avatar[title=Ada]")).to_be_visible()
    say(page, "fourth")
    expect(page.locator(".line")).to_have_count(4)


@pytest.mark.slow
def test_a_newcomer_sees_the_last_fifty_lines(visit: Visit) -> None:
    """
    Of 55 lines a newcomer is shown the last 50, in order.
    """
    page = open_room(visit, "Fifty")
    for number in range(1, 56):
        say(page, f"line {number}")
    expect(page.locator(".line")).to_have_count(55)

    newcomer = join_room(visit, page)

    expected = [f"line {number}" for number in range(6, 56)]
    expect(newcomer.locator(".line .text")).to_have_text(expected)


def test_what_people_type_is_never_html(visit: Visit) -> None:
    """
    Markup in a line, a name or a room's title is shown as text.
    """
    evil = "<img src=x onerror=document.title='owned'>"
    page = open_room(visit, "<b>Bold</b>")
    other = join_room(visit, page)
    say(page, "/name <i>Eve</i>")
    say(page, evil)

    line = other.locator(".line", has_text=evil)
    expect(line.locator("b")).to_have_text("<i>Eve</i>")
    for shown in (page, other):
        expect(shown.locator("#log img, #log i, h1 b")).to_have_count(0)
    assert "owned" not in other.title()


@pytest.mark.slow
def test_help_answers_one_visitor(visit: Visit) -> None:
    """
    /help is answered to whoever asked, and to nobody else.
    """
    page = open_room(visit, "Help")
    other = join_room(visit, page)
    say(page, "/help")

    expect(page.locator(".notice", has_text="/crash")).to_be_visible()
    say(other, "marker")
    expect(other.locator(".line", has_text="marker")).to_be_visible()
    expect(other.locator(".notice", has_text="/crash")).to_have_count(0)


@pytest.mark.slow
def test_the_ticker_moves_and_survives_its_own_crash(visit: Visit) -> None:
    """
    Prices move on the page; after /crash ticker they go on, from a ticker in epoch 2.
    """
    page = open_room(visit, "Market")
    price = page.locator(".price[data-symbol=VLVT] .what b")
    points = page.locator(".price[data-symbol=VLVT] polyline")
    expect(page.locator(".price")).to_have_count(5)
    expect(page.locator(".price[data-symbol=VLVT]")).to_contain_text("Velvet Curtain Co.")
    before = points.get_attribute("points") or ""
    expect(points).not_to_have_attribute("points", before)

    say(page, "/crash ticker")

    expect(page.locator("#ticker")).to_have_text("ticker, epoch 2")
    expect(price).to_have_text(re.compile(r"\d+\.\d\d"))
    after = points.get_attribute("points") or ""
    expect(points).not_to_have_attribute("points", after)
    expect(page.locator("#epoch")).to_have_text("1")


@pytest.mark.slow
def test_the_lobby_shows_rooms_people_and_prices(visit: Visit) -> None:
    """
    The lobby lists the rooms with how many are in them, and the market moves there too.
    """
    room = open_room(visit, "Counted")
    join_room(visit, room)

    lobby = visit("/")

    expect(lobby.locator("a.card", has_text="Counted")).to_contain_text("2 here now")
    expect(lobby.locator("a.card", has_text="Workshop")).to_contain_text("0 here now")
    points = lobby.locator(".price[data-symbol=ECHO] polyline")
    expect(points).not_to_have_attribute("points", points.get_attribute("points") or "")


def test_staff_watch_the_tree(visit: Visit) -> None:
    """
    Staff see the live tree: the ticker, and their own consumer in epoch 2 after /crash.
    """
    page = open_room(visit, "Tree")
    expect(page.locator(".tree")).to_contain_text("Staff see the live tree here")

    log_in(page)
    expect(page.locator("#tree .node", has_text="Ticker")).to_be_visible()
    own = page.locator("#tree .node", has=page.locator(".you"))
    expect(own).to_contain_text("ChatConsumer")
    expect(own).not_to_contain_text("epoch")
    say(page, "/crash")

    expect(own).to_contain_text("epoch 2")
    expect(page.locator("#tree")).to_contain_text("RuntimeError")


def test_the_tree_is_for_staff_only(visit: Visit) -> None:
    """
    Nobody else gets the JSON of the tree: they are sent to the login, or refused.
    """
    page = open_room(visit, "Not staff")

    answer = page.request.get("/greenroom/tree.json", max_redirects=0)

    assert answer.status in (302, 401, 403)
    assert "residents" not in answer.text()


def test_the_founding_consumer_answers_as_promised(visit: Visit) -> None:
    """
    /name Bob, a binary frame that crashes it, hi: the same socket answers "Anonymous: hi".
    """
    page = visit("/founding/")
    expect(page.locator(".in")).to_have_text(["[Welcome Anonymous!]"])

    page.get_by_role("button", name="/name Bob").click()
    page.locator("#binary").click()
    page.get_by_role("button", name="hi", exact=True).click()

    expect(page.locator(".in")).to_have_text(
        ["[Welcome Anonymous!]", "[set your username to Bob]", "Anonymous: hi"]
    )
    expect(page.locator("#state")).to_have_text("open")


@pytest.mark.slow
def test_the_admin_shows_what_was_said(visit: Visit) -> None:
    """
    The history can be browsed in Django's admin, whose own styles are served too.
    """
    page = open_room(visit, "For the record")
    say(page, "let it be noted")
    expect(page.locator(".line")).to_have_count(1)
    log_in(page)

    page.goto("/admin/chat/message/")

    expect(page.locator("#result_list")).to_contain_text("let it be noted")
    assert page.request.get("/static/admin/css/base.css").ok
