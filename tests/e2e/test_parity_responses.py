# What becomes of a view's response, or its error, is the same under Greenroom as under Django's own
# handler: one table, as in test_parity_requests.py, and what needs more than one request below.

import json
from typing import Any

import pytest
from e2e._parity import Client, Pair

GZIP = {"Accept-Encoding": "gzip"}


def do(what: str) -> tuple[str, str, str, dict[str, str]]:
    """Ask for a page whose middleware does what it is told."""
    return ("/echo/", "GET", "", {"X-Do": what})


RESPONSES: dict[str, tuple[int, tuple[Any, ...]]] = {
    **{
        f"status {status}": (status, (f"/status/{status}/",))
        for status in (200, 201, 202, 205, 206, 301, 304, 400, 401, 405, 418, 451, 500, 599)
    },
    "a reason of its own": (200, ("/status/200/?reason=Fine",)),
    "cookies and headers": (200, ("/cookies/",)),
    "a stream": (200, ("/stream/sync/",)),
    "a large stream": (200, ("/stream/sync/?large",)),
    "a stream of a list": (200, ("/stream/list/",)),
    "an empty stream": (200, ("/stream/empty/",)),
    "a stream that says its length": (200, ("/stream/with-length/",)),
    "a stream in gzip": (200, ("/stream/sync/?large", "GET", "", GZIP)),
    "an async stream": (200, ("/stream/async/",)),
    "a large async stream": (200, ("/stream/async/?large",)),
    "an async stream in gzip": (200, ("/stream/async/?large", "GET", "", GZIP)),
    "a page in gzip": (200, ("/body/pieces/", "POST", "x" * 4000, GZIP)),
    "a page too small for gzip": (200, ("/who/", "GET", "", GZIP)),
    "a file": (200, ("/file/disk/",)),
    "a file in gzip": (200, ("/file/disk/", "GET", "", GZIP)),
    "a file from memory": (200, ("/file/memory/?name=a.txt",)),
    "a file from its middle": (200, ("/file/offset/?name=a.png",)),
    "a file without a size": (200, ("/file/unsized/?name=a.html",)),
    "a file to be kept": (200, ("/file/disk/?attached",)),
    "a file to be kept as": (200, ("/file/disk/?attached&name=caf%C3%A9%22.pdf",)),
    "a file with a name to be shown": (200, ("/file/memory/?name=a%20b.tar.gz",)),
    "a range is left alone": (200, ("/file/disk/", "GET", "", {"Range": "bytes=0-9"})),
    "a range if the same": (
        200,
        ("/file/disk/", "GET", "", {"Range": "bytes=0-9", "If-Range": '"x"'}),
    ),
    "not modified, by tag": (304, ("/condition/", "GET", "", {"If-None-Match": 'W/"the-tag"'})),
    "not modified, any": (304, ("/condition/", "HEAD", "", {"If-None-Match": "*"})),
    "modified": (200, ("/condition/", "GET", "", {"If-None-Match": '"another"'})),
    "not modified since": (
        304,
        ("/condition/", "GET", "", {"If-Modified-Since": "Fri, 02 Jan 2026 00:00:00 GMT"}),
    ),
    "modified since": (
        200,
        ("/condition/", "GET", "", {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}),
    ),
    "a precondition that fails": (412, ("/condition/", "PUT", "x", {"If-Match": '"another"'})),
    "a precondition that holds": (200, ("/condition/", "PUT", "x", {"If-Match": '"the-tag"'})),
    "unmodified since": (
        412,
        ("/condition/", "GET", "", {"If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}),
    ),
    "a template with marks": (200, ("/marks/",)),
    **{
        f"a view that raises {kind}": (status, (f"/raise/{kind}/",))
        for kind, status in {
            "lookup": 500,
            "404": 404,
            "403": 403,
            "400": 400,
            "suspicious": 400,
            "host": 400,
            "big": 400,
            "fields": 400,
            "files": 400,
            "multipart": 400,
            "unreadable": 500,
            "none": 500,
            "coroutine": 500,
            "unencodable": 500,
            "bad-header": 500,
            "broken-template": 500,
            "broken-render": 500,
            "no-template": 500,
        }.items()
    },
    **{
        f"an async view, {kind}": (status, (f"/async/{kind}/",))
        for kind, status in {
            "gather": 200,
            "user": 200,
            "orm": 200,
            "sync-orm": 500,
            "template": 200,
            "broken-template": 500,
            "timeout": 500,
            "none": 500,
            "404": 404,
            "lookup": 500,
        }.items()
    },
    "an async view under ATOMIC_REQUESTS": (500, ("/atomic-async/",)),
    **{
        f"{name} {hook} raises {error}": (status, do(f"{name} {hook} raises {error}"))
        for name in ("outer", "inner")
        for hook in ("process_request", "process_view", "process_response")
        for error, status in {
            "LookupError": 500,
            "Http404": 404,
            "PermissionDenied": 403,
            "SuspiciousOperation": 400,
        }.items()
    },
    **{
        f"{name} {hook} answers": (200, do(f"{name} {hook} answers"))
        for name in ("outer", "inner")
        for hook in ("process_request", "process_view", "process_response")
    },
    **{
        f"{name} process_exception {what}": (
            status,
            ("/raise/lookup/", "GET", "", {"X-Do": f"{name} process_exception {what}"}),
        )
        for name in ("outer", "inner")
        for what, status in {
            "answers": 200,
            "raises Http404": 404,
            "raises LookupError": 500,
        }.items()
    },
    **{
        f"{name} process_exception {what} for an async view": (
            status,
            ("/async/lookup/", "GET", "", {"X-Do": f"{name} process_exception {what}"}),
        )
        for name in ("outer", "inner")
        for what, status in {"answers": 200, "raises Http404": 404}.items()
    },
    **{
        f"{name} process_template_response raises for {path}": (
            404,
            (path, "GET", "", {"X-Do": f"{name} process_template_response raises Http404"}),
        )
        for name in ("outer", "inner")
        for path in ("/marks/", "/async/template/")
    },
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response(pair: Pair, name: str) -> None:
    """
    Both answer the same to the same request, down to the order of their headers.
    """
    status, arguments = RESPONSES[name]

    answer = pair.ask(*arguments)

    assert (answer.status, answer.whole) == (status, True)


def test_204_is_sent_without_a_length(pair: Pair) -> None:
    """
    Django's CommonMiddleware gives 204 a length, which HTTP forbids; Greenroom's server drops it.
    """

    def story(client: Client) -> Any:
        answer = client.ask("/status/204/")
        answer.headers = [each for each in answer.headers if each[0] != "Content-Length"]
        return answer

    answer = pair.both(story)

    assert (answer.status, answer.body) == (204, b"")


def test_a_stream_that_raises_at_once(pair: Pair) -> None:
    """
    A stream that raises before its first part is an error to the client, never a whole page.
    """
    answers = [Client(server).ask("/stream/raises/") for server in (pair.ours, pair.theirs)]

    for answer in answers:
        assert (answer.status, answer.whole) in ((500, True), (200, False))


def test_a_view_that_raises_stop_iteration(pair: Pair) -> None:
    """
    Better than Django's handler before 6, which never answers: it is a 500 as any other error.
    """
    answer = Client(pair.ours).ask("/raise/stop/")

    assert (answer.status, answer.body) == (500, b"the project's own 500")


@pytest.mark.parametrize("kind", ["raises-later", "async-raises-later"])
def test_a_stream_that_raises(pair: Pair, kind: str) -> None:
    """
    Where a stream raises after the head was sent, both cut it off, so that the client can tell.
    """

    def story(client: Client) -> Any:
        answer = client.ask(f"/stream/{kind}/")
        return answer.status, answer.headers, answer.whole

    status, _, whole = pair.both(story)

    assert (status, whole) == (200, False)


ASKED: list[tuple[Any, ...]] = [
    ("/who/",),
    ("/raise/lookup/",),
    ("/raise/404/",),
    ("/who/", "GET", "", {}, "elsewhere.example"),
    ("/async/lookup/",),
    ("/stream/async/",),
    ("/who/", "HEAD"),
    ("/body/whole/", "POST", "x"),
]


def signalled(client: Client, *asked: tuple[Any, ...]) -> dict[str, Any]:
    """Ask for all of *asked*, one after the other; return what was signalled and closed."""
    client.cleared()
    for arguments in asked:
        client.settled(lambda arguments=arguments: client.ask(*arguments))
    return json.loads(client.ask("/signals/").body)


def test_signals(pair: Pair) -> None:
    """
    Each request is started and finished once, and an error past the view is signalled.
    """
    found = pair.both(lambda client: sorted(signalled(client, *ASKED)["signals"]))

    assert found.count("started") == found.count("finished") + 1 == len(ASKED) + 2
    assert found.count("exception") == 2


@pytest.mark.parametrize("kind", ["sync", "async", "list"])
def test_what_a_stream_closes(pair: Pair, kind: str) -> None:
    """
    A stream's generator is closed, and then its response.
    """
    found = pair.both(lambda client: signalled(client, (f"/stream/{kind}/",))["closed"])

    assert found == [f"{kind} {each}" for each in ("generator", "response")[kind == "list" :]]


@pytest.mark.parametrize("kind", ["raises-later", "async-raises-later"])
def test_a_stream_that_raises_is_closed(pair: Pair, kind: str) -> None:
    """
    Better than Django's handler: the response of a stream that raised is closed, and the request
    is signalled to be finished.
    """
    found = signalled(Client(pair.ours), (f"/stream/{kind}/",))

    assert found["closed"] == [f"{kind} generator", f"{kind} response"]
    assert found["signals"].count("finished") == found["signals"].count("started") - 1


def test_a_file_is_closed(pair: Pair) -> None:
    """
    The file of a FileResponse is closed once, also where nothing of it was asked for.
    """
    asked = [("/file/memory/",), ("/file/memory/", "HEAD")]

    assert pair.both(lambda client: signalled(client, *asked)["closed"]) == ["file", "file"]


def test_atomic_requests(pair: Pair) -> None:
    """
    Under ATOMIC_REQUESTS a response commits, whatever its status, and an error in the view rolls
    back; that of a template which is rendered after the view comes too late.
    """
    kinds = {"fine": 200, "answers-500": 500, "raises": 500, "404": 404, "rollback": 200}
    kinds["template"] = 500

    def story(client: Client) -> Any:
        client.cleared()
        answers = [client.ask(f"/atomic/{kind}/?name={kind}") for kind in kinds]
        closed = json.loads(client.ask("/signals/").body)["closed"]
        return answers, client.ask("/atomic/count/").body, closed

    answers, names, committed = pair.both(story)

    assert [answer.status for answer in answers] == list(kinds.values())
    assert json.loads(names)["names"] == [["answers-500"], ["fine"], ["template"]]
    assert committed == [f"committed {name}" for name in ("fine", "answers-500", "template")]
