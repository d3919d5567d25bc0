# Async views of both loops under the real `hypercorn -k trio`, each said by a mark and by the
# setting; and clients that read slowly, or leave.

from collections.abc import Iterator

import pytest
from e2e._asyncs import Asyncs, asyncs

MIB = 2**20

files = pytest.mark.parametrize("path", ["/file/", "/{}/file/"])


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def default(request: pytest.FixtureRequest) -> str:
    """
    What GREENROOM["ASYNC_VIEWS"] is.
    """
    return request.param


@pytest.fixture(scope="module")
def served(default: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asyncs]:
    """
    The project, with three threads for views.
    """
    options = {"ASYNC_VIEWS": default, "VIEW_THREADS": 3}
    with asyncs(tmp_path_factory.mktemp("asyncs"), f"GREENROOM = {options}") as served:
        yield served


@pytest.fixture
def server(served: Asyncs) -> Asyncs:
    """
    The same, when the test before has left nothing open.
    """
    served.settle()
    return served


@pytest.fixture(params=["marked", "unmarked"])
def flavour(request: pytest.FixtureRequest, default: str) -> str:
    """
    The loop on which the test's views have to run: a marked one not on the default one.
    """
    if request.param == "unmarked":
        return default
    return "trio" if default == "asyncio" else "asyncio"


@pytest.fixture
def prefix(flavour: str, default: str) -> str:
    """
    Where the test's views are.
    """
    return "bare" if flavour == default else flavour


def test_it_runs_on_its_loop(server: Asyncs, prefix: str, flavour: str) -> None:
    """
    What a view starts side by side, in its loop's own way, runs on its loop.
    """
    assert server.text(f"/{prefix}/hello/") == f"{flavour} {flavour} GET 0"


def test_an_http_client_works(server: Asyncs, prefix: str, flavour: str) -> None:
    """
    httpx, which asks which loop it is on, and asyncio's own streams get answers in a view.
    """
    calls = 3 if flavour == "asyncio" else 2
    assert server.text(f"/{prefix}/fetch/") == f"{flavour} {['plain'] * calls}"


def test_a_body_after_100_continue(server: Asyncs, prefix: str, flavour: str) -> None:
    """
    A client that asks before it sends its body is told to go on; the view has the body.
    """
    lines = ("Expect: 100-continue", "Content-Length: 5")
    with server.reader(f"/{prefix}/hello/", "POST", *lines) as client:
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.socket.sendall(b"12345")
        client.until(f"{flavour} {flavour} POST 5".encode())


@pytest.mark.parametrize("view", ["hello", "stream", "sync_stream", "file"])
def test_head(server: Asyncs, prefix: str, view: str) -> None:
    """
    HEAD gets the headers of GET and no body, also where GET would never end; nothing is left open.
    """
    response, body = server.ask(f"/{prefix}/{view}/?size=100", "HEAD")

    assert (response.status, body) == (200, b"")
    assert (response.getheader("content-length") is None) == view.endswith("stream")
    assert server.count("blocks") == 0
    server.settle()


def test_a_view_that_raises(server: Asyncs, prefix: str) -> None:
    """
    An async view that raises is a 500 without details, and its traceback is logged.
    """
    response, body = server.ask(f"/{prefix}/fail/")

    assert response.status == 500
    assert b"in an async view" not in body
    server.served.wait_for("LookupError: in an async view")
    assert server.text("/plain/") == "plain"


def test_a_view_ends_with_its_client(server: Asyncs, prefix: str, flavour: str) -> None:
    """
    While a view waits no thread is held and the tree tells its loop; when the client leaves it is
    cancelled, and what its finally awaits is done.
    """
    with server.reader(f"/{prefix}/wait/"):
        server.until_counted("waiting")
        (request,) = server.others()
        assert request["awaits"] == flavour
        server.until(lambda: server.threads_of_others() == 0)
        assert server.count("wait cleaned up") == 0

    server.until_counted("wait cleaned up")
    server.settle()


def test_a_stream_comes_whole(server: Asyncs, prefix: str, flavour: str) -> None:
    """
    An async generator is read on the loop of its view, to its end, and is closed.
    """
    response, body = server.ask(f"/{prefix}/stream/?blocks=20")

    assert (response.status, body) == (200, bytes(range(256)) * 256 * 20)
    counts = server.facts()["counts"]
    assert (counts[f"blocks on {flavour}"], counts["blocks closed"]) == (1, 1)


@pytest.mark.parametrize("view", ["stream", "sync_stream"])
def test_a_stream_waits_for_its_client(server: Asyncs, prefix: str, view: str) -> None:
    """
    A generator stops while its client does not read, goes on when it does, and is closed with it;
    meanwhile others are served.
    """
    with server.reader(f"/{prefix}/{view}/") as client:
        client.until(b"\r\n\r\n")
        before = 0

        def stands() -> bool:  # for a moment it also does when it has no turn for so long
            nonlocal before
            before = server.standing("blocks")
            assert server.text("/plain/") == "plain"
            return server.count("blocks") == before

        server.until(stands)
        while server.count("blocks") == before:
            client.socket.recv(65536)
        assert server.count("blocks closed") == 0

    server.until_counted("blocks closed")
    server.settle()


def test_a_stream_that_waits_ends_with_its_client(
    server: Asyncs, prefix: str, flavour: str
) -> None:
    """
    A generator that waits for something is cancelled when its client leaves, and cleans up.
    """
    with server.reader(f"/{prefix}/slow_stream/") as client:
        client.until(b"the beginning")
        server.until_counted("waiting in stream")
        (request,) = server.others()
        assert request["awaits"] == flavour
        server.until(lambda: server.threads_of_others() == 0)

    server.until_counted("blocks closed")
    server.settle()


def test_an_endless_sync_stream(server: Asyncs) -> None:
    """
    A sync generator without an end streams as it yields, and is closed with its client.
    """
    with server.reader("/endless/") as client:
        for _ in range(5 * MIB // 65536):
            client.socket.recv(65536)
        assert server.count("blocks closed") == 0

    server.until_counted("blocks closed")
    server.settle()


@files
def test_a_file_is_closed_with_its_client(server: Asyncs, prefix: str, path: str) -> None:
    """
    A file that a slow client reads holds no thread, and is closed when that leaves.
    """
    with server.reader(f"{path.format(prefix)}?size={50 * MIB}") as client:
        client.until(b"\r\n\r\n")
        server.until(lambda: server.facts()["running"] == 1)
        now = server.facts()
        assert (now["files"], now["parked"]) == (1, 0)

    server.until(lambda: server.facts()["files"] == 0)
    server.settle()


@pytest.mark.slow
@files
def test_a_large_file_takes_little_memory(server: Asyncs, prefix: str, path: str) -> None:
    """
    50 MB go to a client, and the worker's peak grows by less than 2 MB.
    """
    path = path.format(prefix)
    assert len(server.ask(f"{path}?size={4 * MIB}")[1]) == 4 * MIB
    server.ask(f"{path}?size={50 * MIB}", "HEAD")  # makes the file
    memory = server.memory()

    with server.reader(f"{path}?size={50 * MIB}", "GET", "Connection: close") as client:
        size = sum(map(len, iter(lambda: client.socket.recv(MIB), b"")))

    assert 50 * MIB < size < 50 * MIB + 1000
    assert memory.grown() < 2 * MIB
