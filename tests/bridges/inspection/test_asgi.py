# InspectionApp: JSON and a small page for whoever has the token.

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers import running

from greenroom.actors import Actor
from greenroom.bridges.asgi import Application
from greenroom.bridges.inspection import InspectionApp
from greenroom.bridges.inspection._gathered import Answer, Gathered
from greenroom.bridges.inspection._hook import inspected
from greenroom.bridges.inspection._identity import this_process
from greenroom.bridges.inspection._inspector import QUESTIONS
from greenroom.bridges.inspection._page import tree_page
from greenroom.bridges.inspection._token import COOKIE
from greenroom.bridges.testing import ServerDriver, serve
from greenroom.supervisor import Options
from greenroom.supervisor._look import Look

TOKEN = "a-token-that-nobody-guesses"
BEARER = [("authorization", f"Bearer {TOKEN}")]
FORM = [("content-type", "application/x-www-form-urlencoded")]


class Clock(Actor):
    pass


@asynccontextmanager
async def serving(*residents: object, **options: Any) -> AsyncIterator[ServerDriver]:
    async with running(*residents, http=InspectionApp(token=TOKEN, **options)) as server:
        yield server


async def read(server: ServerDriver, path: str, headers: Any = BEARER) -> tuple[int, Any]:
    """Ask for the JSON at *path*."""
    answer = await server.http("GET", path, headers=headers)
    return answer.status, json.loads(answer.body)


class Links(HTMLParser):
    """Finds the links and the scripts of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts = 0
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name == "href"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_token(method: str) -> None:
    """
    TOKEN: without the token, or with another, every path and method gets the same 401.
    """
    wrong = [("authorization", f"Bearer {TOKEN}x")]
    cookie = [("cookie", f"{COOKIE}=9999999999.abc")]
    async with serving() as server:
        for place in ("/api/v1/tree", "/api/v1/act", "/api/v1/nothing", "/", "/x/"):
            answers = [
                await server.http(method, place, headers=headers) for headers in ([], wrong, cookie)
            ]
            assert {answer.status for answer in answers} == {401}
            assert len({answer.body for answer in answers}) == 1 or method == "POST"
            assert b"connections" not in answers[0].body


async def test_what_it_answers() -> None:
    """
    With the token each question is answered as the processes answer it.
    """
    async with serving(Clock) as server:
        status, document = await read(server, "/ops/api/v1/tree?path=/residents&limit=1")
        assert status == 200
        (said,) = document["answers"]
        assert document["asked"] == 1
        assert said["process"]["id"] == this_process().id
        assert [row["path"] for row in said["answer"]["rows"]] == ["/residents/clock"]
        assert (await read(server, "/api/v1/tree?process=nobody"))[0] == 404
        one = f"/api/v1/tree?process={this_process().id}&seconds=5"
        assert (await read(server, one))[0] == 200


async def test_who_is_present() -> None:
    """
    It tells the topics, and who is present in one, without what they say of themselves.
    """
    async with serving(Clock) as server:
        slot = Look(server.root).slot("/residents/clock")
        assert slot is not None
        server.root.presences.track("hall", "clock", slot, {"secret": "xyzzy"}, 1)
        status, document = await read(server, "/api/v1/presence")
        assert status == 200
        assert [row["topic"] for row in document["answers"][0]["answer"]["rows"]] == ["hall"]
        status, document = await read(server, "/api/v1/presence?topic=hall&limit=1")
        [row] = document["answers"][0]["answer"]["rows"]
        assert (row["key"], row["path"], row["actor"]) == ("clock", slot.path, "Clock")
        assert "xyzzy" not in str(document)
        assert (await read(server, "/api/v1/presence?topic=nobody's"))[0] == 404


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/tree?limit=many", 400, "bad-question"),
        ("/api/v1/tree?limits=5", 400, "bad-question"),
        ("/api/v1/tree?seconds=60", 400, "bad-question"),
        ("/api/v1/tree?seconds=x", 400, "bad-question"),
        ("/api/v1/tree?path=/nowhere", 404, "not-found"),
        ("/api/v2/tree", 404, "not-found"),
        ("/api/v2/act", 404, "not-found"),
        ("/ops/api/v1", 404, "not-found"),
    ],
)
async def test_what_it_refuses(path: str, status: int, code: str) -> None:
    """
    What can't be answered has the status that it means, and says what is wrong.
    """
    async with serving() as server:
        got, document = await read(server, path)
        error = document.get("error") or document["answers"][0]["answer"]["error"]
        assert (got, error["code"]) == (status, code)
        assert error["text"]


async def test_what_there_is_not() -> None:
    """
    A question that does not exist is a 404 with those that do.
    """
    async with serving() as server:
        status, document = await read(server, "/api/v1/nothing")
        assert status == 404
        assert all(name in document["error"]["text"] for name in QUESTIONS)


async def test_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    NO EFFECT: only a POST with the token in its header acts; a GET, or a cookie, does not.
    """
    asked: list[dict[str, Any]] = []

    async def act(root: object, fields: Any) -> dict[str, Any]:
        asked.append({"by": fields.text("by"), "action": fields.text("action")})
        assert fields.number("until_ms", 0, least=1, most=2**53)
        fields.done()
        return {"done": {}}

    monkeypatch.setitem(QUESTIONS, "act", act)
    body = json.dumps({"action": "restart", "by": "somebody else"}).encode()
    async with serving() as server:
        value = await log_in(server)
        for method, headers in (("GET", BEARER), ("POST", [("cookie", value)])):
            answer = await server.http(method, "/api/v1/act", headers=headers, body=body)
            assert answer.status == (405 if method == "GET" else 401)
        assert asked == []
        answer = await server.http("POST", "/api/v1/act", headers=BEARER, body=body)
        assert answer.status == 200
        assert asked == [{"by": "the token", "action": "restart"}]
        for wrong in (b"[]", b"{", b'{"process": 1}', b"x" * 70_000, b"[" * 60_000):
            answer = await server.http("POST", "/api/v1/act", headers=BEARER, body=wrong)
            assert answer.status == 400
        answer = await server.http("POST", "/api/v1/tree", headers=BEARER)
        assert answer.status == 405
        assert len(asked) == 1


@pytest.mark.parametrize("place", ["act", "act/", "/act", "//act//"])
async def test_no_effect_however_the_path_is_written(place: str) -> None:
    """
    NO EFFECT: a path that means "act" in another spelling needs a POST and the token as well.
    """
    query = "action=restart&path=/residents/clock&by=somebody"
    async with serving(Clock) as server:
        for headers, status in ((BEARER, 405), ([("cookie", await log_in(server))], 401)):
            answer = await server.http("GET", f"/api/v1/{place}?{query}", headers=headers)
            assert answer.status == status
        assert server.root.events.counts()["admin.action"] == 0


async def test_a_wrong_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """
    Who tries tokens stands in the log, with the address; what was tried does not.
    """
    async with serving() as server:
        await server.http("GET", "/api/v1/tree", headers=[("authorization", "Bearer guessed-it")])
        await server.http("POST", "/", headers=FORM, body=b"token=guessed-it")
        await server.http("GET", "/api/v1/tree")  # has tried none
    told = [each.getMessage() for each in caplog.records if "wrong token" in each.getMessage()]
    assert len(told) == 2
    assert "guessed" not in caplog.text


async def test_no_ghost(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    NO GHOST: each act says until when it may be done, which who asks can't put off.
    """
    asked: list[int] = []

    async def act(root: object, fields: Any) -> dict[str, Any]:
        asked.append(fields.number("until_ms", 0, least=0, most=2**53))
        return {"done": {}}

    monkeypatch.setitem(QUESTIONS, "act", act)
    body = json.dumps({"action": "stop", "seconds": 3, "until_ms": 2**53}).encode()
    before = time.time() * 1000
    async with serving() as server:
        await server.http("POST", "/api/v1/act", headers=BEARER, body=body)
    assert before + 2999 <= asked[0] <= time.time() * 1000 + 3001


async def log_in(server: ServerDriver) -> str:
    """Send the form with the token; return what the Cookie header is then."""
    answer = await server.http("POST", "/ops/", headers=FORM, body=f"token={TOKEN}".encode())
    assert answer.status == 303
    set_cookie = dict(answer.headers)[b"set-cookie"].decode()
    assert "HttpOnly" in set_cookie
    assert "SameSite=Strict" in set_cookie
    assert TOKEN not in set_cookie
    return set_cookie.partition(";")[0]


async def test_the_page_without_a_script() -> None:
    """
    A browser logs in with a form, reads the tree by links, and logs out; there is no script.
    """
    async with serving(Clock) as server:
        first = await server.http("GET", "/ops/")
        assert (first.status, b'type="password"' in first.body) == (401, True)
        wrong = await server.http("POST", "/ops/", headers=FORM, body=b"token=guessed")
        assert (wrong.status, b"That is not the token" in wrong.body) == (401, True)
        cookie = [("cookie", await log_in(server))]
        page = await server.http("GET", "/ops/", headers=cookie)
        assert page.status == 200
        found = Links(page.body)
        assert found.scripts == 0
        (residents,) = [link for link in found.links if "residents" in link]
        below = await server.http("GET", f"/ops/{residents}", headers=cookie)
        assert b"/residents/clock" in below.body
        headers = dict(below.headers)
        assert headers[b"cache-control"] == b"no-store"
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        status, _ = await read(server, "/ops/api/v1/tree", cookie)
        assert status == 200
        out = await server.http("POST", "/ops/", headers=[*FORM, *cookie], body=b"leave=1")
        assert b"Max-Age=0" in dict(out.headers)[b"set-cookie"]
        assert (await server.http("DELETE", "/ops/", headers=cookie)).status == 405


def test_what_comes_from_outside_is_escaped() -> None:
    """
    Whatever stands in a path, a crash or a question is text on the page, and nothing else.
    """
    nasty = '"><script>alert(1)</script>'
    row = {"path": nasty, "state": nasty, "crash": {"exception": nasty, "text": nasty}}
    process = this_process()
    gathered = Gathered(
        [
            Answer(process, {"node": row, "rows": [row], "next": nasty}),
            Answer(process, None, nasty),
            Answer(process, {"error": {"code": "failed", "text": nasty}}),
        ],
        3,
        0.0,
        nasty,
    )
    page = tree_page(gathered, {"path": nasty, "search": nasty}, leave=True)
    assert "<script" not in page
    assert Links(page.encode()).scripts == 0


async def test_all_processes(directory: Path) -> None:
    """
    With a directory all processes of the project are asked, this one and others.
    """
    async with running(Clock) as other, inspected(other.root, [directory]) as tree:
        assert tree is not None
        async with serving(directory=directory) as server:
            _, document = await read(server, "/api/v1/tree")
            assert [said["process"]["id"] for said in document["answers"]] == [tree.process.id]


async def test_an_act_for_one_process_names_it(directory: Path) -> None:
    """
    What is for one process is not done in all of them because nobody said which.
    """
    async with running(Clock) as other, inspected(other.root, [directory]) as tree:
        assert tree is not None
        async with serving(directory=directory) as server:

            async def act(**asked: object) -> int:
                body = json.dumps(asked).encode()
                return (await server.http("POST", "/api/v1/act", headers=BEARER, body=body)).status

            order = {"action": "restart", "path": "/residents/clock"}
            assert await act(**order) == 400
            assert other.root.events.counts()["admin.action"] == 0
            assert await act(**order, process=tree.process.id) == 200
            assert await act(action="disconnect-path", path="/connections") == 200
            assert await act(**order, preview=True) == 200


async def test_told_which_tree() -> None:
    """
    It looks at the tree that it is given, in whatever tree it is served.
    """
    async with running(Clock) as other, serving(root=other.root) as server:
        _, document = await read(server, "/api/v1/tree?path=/residents")
        assert document["answers"][0]["answer"]["rows"]


async def test_by_itself() -> None:
    """
    Alone under a server it starts; without a tree it says that none runs.
    """
    async with serve(InspectionApp(token=TOKEN)) as server:
        status, document = await read(server, "/api/v1/tree")
        assert status == 503
        assert "no tree runs in this process" in document["error"]["text"]
        page = await server.http("GET", "/", headers=BEARER)
        assert b"no tree runs in this process" in page.body


def test_it_refuses_to_be_made() -> None:
    """
    Without a token it is not made, nor with two things to look at.
    """
    with pytest.raises(ValueError, match="token must be 16 characters or more"):
        InspectionApp(token="")
    with pytest.raises(ValueError, match="not both"):
        InspectionApp(token=TOKEN, root=object(), directory="/x")  # type: ignore[arg-type]


async def test_an_application_without_django_may_answer(directory: Path) -> None:
    """
    Greenroom's own application answers if it is told to, and where; else it does not.
    """
    from greenroom.bridges.inspection._local import local_trees

    async with serve(Application()):
        assert local_trees() == []
    told = Options(inspection=True, inspection_dir=directory)
    async with serve(Application(options=told)):
        assert len(local_trees()) == 1
    with pytest.raises(ValueError, match="inspection_dir"):
        Application(options=Options(inspection=True))
