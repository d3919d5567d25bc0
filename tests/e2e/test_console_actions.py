# Acting from the admin on a real server with two workers: whichever of them a request lands in,
# what is asked for is done by the process that was named, or by all of them.

import html
import os
import re
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
from e2e._server import WAIT_SECONDS, close_code
from trio_websocket import open_websocket_url

from greenroom.bridges.inspection import Answer, gather

pytestmark = pytest.mark.slow

STAFF, MEMBER = ("staff", "secret-staff"), ("member", "secret-member")
COUNTER = "/residents/counter"


class Browser:
    """A client with cookies, which fills in the forms that it gets."""

    def __init__(self, server: Any) -> None:
        self._address = f"http://{server.host}"
        self._cookies = urllib.request.HTTPCookieProcessor()
        self._opener = urllib.request.build_opener(self._cookies)

    def get(self, path: str, /, **query: str) -> str:
        """Return a page."""
        url = f"{self._address}{path}?{urllib.parse.urlencode(query)}"
        with self._opener.open(url, timeout=WAIT_SECONDS) as response:
            return response.read().decode()

    def fill_in(self, page: str, path: str, /, **fields: str) -> str:
        """Send the one form that posts on *page*, with *fields*; return the page that follows."""
        form = re.search(
            r'<form[^>]*method="post"[^>]*id="(?:gr-act|login-form)".*?</form>', page, re.DOTALL
        )
        assert form, page
        inputs = re.findall(r"<input[^>]*>", form[0])
        given = {name: value for name, value in map(_pair, inputs) if name}
        data = urllib.parse.urlencode({**given, **fields}).encode()
        request = urllib.request.Request(
            self._address + path, data, {"Referer": self._address + path}
        )
        with self._opener.open(request, timeout=WAIT_SECONDS) as response:
            return response.read().decode()

    def log_in(self, name: str, password: str) -> None:
        """Log in through the admin's form."""
        page = self.get("/admin/login/")
        self.fill_in(page, "/admin/login/", username=name, password=password)

    def act(self, action: str, /, **query: str) -> str:
        """Have something done through its confirm page; return the page that follows."""
        path = f"/admin/greenroom/act/{action}/"
        return self.fill_in(self.get(path, **query), path, reason="because of a test")

    @property
    def cookie(self) -> list[tuple[bytes, bytes]]:
        """The header by which a WebSocket is this browser's."""
        sent = "; ".join(f"{each.name}={each.value}" for each in self._cookies.cookiejar)
        return [(b"cookie", sent.encode())]


def _pair(text: str) -> tuple[str, str]:
    found = dict(re.findall(r'(\w+)="([^"]*)"', text))
    if found.get("type") in ("submit", "checkbox"):
        return "", ""
    return found.get("name", ""), html.unescape(found.get("value", ""))


class Site:
    """Two workers of one project, and what they say of themselves."""

    def __init__(self, server: Any, directory: Path) -> None:
        self.server, self._directory = server, directory
        self.staff = Browser(server)
        self.staff.log_in(*STAFF)

    def said(self, **question: object) -> list[Answer]:
        """What the workers answer; all of them must."""
        gathered = gather(question, self._directory, seconds=10)
        assert not gathered.silent
        return gathered.answers

    def processes(self) -> list[str]:
        """The ids of the workers."""
        return [each.id for each in self.said(ask="act", action="drain", preview=True)]

    def epochs(self) -> dict[str, int]:
        """In which incarnation the resident of each worker is."""
        said = self.said(ask="tree", path=COUNTER)
        return {each.id: (each.answer or {})["node"]["epoch"] for each in said}

    def sockets(self) -> dict[str, int]:
        """How many WebSockets each worker has."""
        found: dict[str, int] = {}
        for each in self.said(ask="tree", path="/connections"):
            rows = (each.answer or {})["rows"]
            found[each.id] = sum(row["below"]["total"] for row in rows if "chat" in row["path"])
        return found


@pytest.fixture
def site(serve: Callable[..., Any]) -> Iterator[Site]:
    """
    A project that two workers serve.
    """
    with TemporaryDirectory(prefix="gr-") as made:
        options = f'{{"INSPECTION_DIR": "{made}/d"}}'
        with serve(
            "mysite.asgi:application", "--workers", "2", "--graceful-timeout", "20",
            GREENROOM_TEST_OPTIONS=options,
        ) as server:  # fmt: skip
            until(lambda: len(list(Path(made, "d").glob("*.sock"))) == 2)
            yield Site(server, Path(made, "d"))


def until(condition: Callable[[], object]) -> None:
    """Ask again and again until *condition* holds; each question asks another process."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.05)


@asynccontextmanager
async def entered(site: Site, browser: Browser) -> AsyncGenerator[Any]:
    """A socket of *browser* that has been greeted."""
    url = f"ws://{site.server.host}/ws/chat/green/"
    async with open_websocket_url(url, extra_headers=browser.cookie) as socket:
        try:
            with trio.fail_after(WAIT_SECONDS):
                assert str(await socket.get_message()) == "welcome to green"
            yield socket
        finally:
            # trio-websocket leaves the TCP socket open where the server closed first.
            with trio.move_on_after(WAIT_SECONDS, shield=True):
                await socket.aclose()
                await socket._stream.aclose()


def is_stopped(pid: int) -> bool:
    """Whether all threads of the process *pid* stand still."""
    states = [
        each.read_text().rpartition(")")[2] for each in Path(f"/proc/{pid}").glob("task/*/stat")
    ]
    return all(state.split()[0] == "T" for state in states)


async def in_both(site: Site, stack: AsyncExitStack, browser: Browser) -> list[Any]:
    """Open a socket of *browser* in each worker: the others are stopped meanwhile."""
    before = await trio.to_thread.run_sync(site.sockets)
    pids = [int(process.split(":")[1]) for process in before]
    sockets: list[Any] = []
    for pid in pids:
        others = [each for each in pids if each != pid]
        for other in others:
            os.kill(other, signal.SIGSTOP)
            until(lambda other=other: is_stopped(other))  # else it may accept one more
        try:
            sockets.append(await stack.enter_async_context(entered(site, browser)))
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)
    now = await trio.to_thread.run_sync(site.sockets)
    assert now == {each: count + 1 for each, count in before.items()}
    return sockets


def test_restart_in_one_of_two(site: Site) -> None:
    """
    Each worker's actor is restarted by its own name, wherever the request lands; the log has both.
    """
    for nth, process in enumerate(site.processes(), 1):
        page = site.staff.act("restart", process=process, path=COUNTER)
        assert f"Restart, {COUNTER}: done, 1 touched." in page
        assert sorted(site.epochs().values()) == ([1, 2] if nth == 1 else [2, 2])
        assert site.epochs()[process] == 2
    log = site.staff.get("/admin/greenroom/audit/", path=COUNTER)
    assert log.count("because of a test") == 2
    assert "Restart" in log


async def test_disconnect_a_user_in_both(site: Site) -> None:
    """
    All sockets of a user end, in both workers, whichever was asked; those of others stay.
    """
    member = Browser(site.server)
    await trio.to_thread.run_sync(sign_in, site, member)
    async with AsyncExitStack() as stack:
        others = await in_both(site, stack, Browser(site.server))
        sockets = await in_both(site, stack, member)
        page = await trio.to_thread.run_sync(lambda: site.staff.act("disconnect-user", user="2"))
        assert f"done, {len(sockets)} touched." in page
        assert [await close_code(socket) for socket in sockets] == [4401] * len(sockets)
        for socket in others:
            await socket.send_message("hi")
            assert await socket.get_message() == "you said hi"
    log = await trio.to_thread.run_sync(
        lambda: site.staff.get("/admin/greenroom/audit/", path="user 2")
    )
    assert "Disconnect user" in log
    assert "processes 2" in log


def sign_in(site: Site, browser: Browser) -> None:
    """Log a plain member in, who may not enter the admin."""
    name, password = MEMBER
    data = urllib.parse.urlencode({"username": name, "password": password}).encode()
    url = f"http://{site.server.host}/sign-in/"
    with browser._opener.open(urllib.request.Request(url, data), timeout=WAIT_SECONDS) as answer:
        assert answer.status == 204


async def test_drain_one_of_two(site: Site) -> None:
    """
    A drained worker ends its sockets with 1012 and is replaced; the other one's stay open.
    """
    async with AsyncExitStack() as stack:
        sockets = await in_both(site, stack, Browser(site.server))
        before = await trio.to_thread.run_sync(site.processes)
        mine = (await trio.to_thread.run_sync(site.sockets))[before[0]]
        page = await trio.to_thread.run_sync(lambda: site.staff.act("drain", process=before[0]))
        assert "done" in page
        codes = trio.open_memory_channel[int](len(sockets))

        async def read(socket: Any) -> None:
            await codes[0].send(await close_code(socket))

        async with trio.open_nursery() as nursery:
            for socket in sockets:
                nursery.start_soon(read, socket)
            ended = [await codes[1].receive() for _ in range(mine)]
            nursery.cancel_scope.cancel()
        assert ended == [1012] * mine
        await trio.to_thread.run_sync(lambda: until(lambda: replaced(site, before)))
    assert "Traceback" not in site.server.output


def replaced(site: Site, before: list[str]) -> bool:
    """Say whether the second of *before* is there still, and another in place of the first."""
    try:
        now = site.processes()
    except AssertionError:  # one of them ends at this moment
        return False
    return len(now) == 2 and before[1] in now and before[0] not in now


def test_drain_the_only_one(serve: Callable[..., Any]) -> None:
    """
    A process that nobody would replace ends only if that is said, in peace and with status 0.
    """
    with TemporaryDirectory(prefix="gr-") as made:
        directory = Path(made, "d")
        options = f'{{"INSPECTION_DIR": "{directory}"}}'
        arguments = ("mysite.asgi:application", "--workers", "0")
        with serve(*arguments, GREENROOM_TEST_OPTIONS=options) as server:
            question = {"ask": "act", "action": "drain", "by": "a test"}
            [refused] = gather(question, directory, seconds=10).answers
            assert refused.error is not None
            assert "for_good" in refused.error["text"]
            question = {**question, "arguments": {"for_good": True}}
            [answer] = gather(question, directory, seconds=10).answers
            assert answer.answer is not None
            assert answer.answer["done"]["replaced"] is False
            assert server.wait_ended() == 0
            assert "Traceback" not in server.output
