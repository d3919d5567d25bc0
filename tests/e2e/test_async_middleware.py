# Async views of both loops below middleware of every kind, under the real `hypercorn -k trio`: what
# holds a thread meanwhile, and that the tree tells it.

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from e2e._asyncs import Asyncs, asyncs


class Kind(NamedTuple):
    """
    A stack of middleware: what the innermost says, and whether a thread waits below it.
    """

    middleware: list[str]
    says: str | None
    holds: bool


HOLDING = "asyncsite.middleware.Holding"
ENDS = "django.middleware.common.CommonMiddleware"
KINDS = {
    "mixins": Kind([ENDS], None, holds=False),
    "whitenoise": Kind(["whitenoise.middleware.WhiteNoiseMiddleware", ENDS], None, holds=False),
    "gzip": Kind(["django.middleware.gzip.GZipMiddleware", ENDS], None, holds=False),
    "function": Kind(["asyncsite.middleware.around"], "around", holds=True),
    "either": Kind(["asyncsite.middleware.Either"], "sync", holds=True),
    "trio": Kind(["asyncsite.middleware.AsyncOnTrio", ENDS], "trio", holds=True),
    "asyncio": Kind([ENDS, "asyncsite.middleware.AsyncOnAsyncio"], "asyncio", holds=True),
}

flavours = pytest.mark.parametrize("flavour", ["trio", "asyncio"])


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """
    One of the stacks.
    """
    return KINDS[request.param]


@pytest.fixture(scope="module")
def served(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asyncs]:
    """
    The project with that stack, DEBUG, and two threads for views.
    """
    folder = tmp_path_factory.mktemp("asyncs")
    (folder / "style.css").write_text("body {}")
    settings = (
        f"MIDDLEWARE = {[HOLDING, *kind.middleware]}; GREENROOM = {{'VIEW_THREADS': 2}};"
        "DEBUG = True; WHITENOISE_AUTOREFRESH = False"
    )
    with asyncs(folder, settings) as served:
        yield served


@pytest.fixture
def server(served: Asyncs) -> Asyncs:
    """
    The same, when the test before has left nothing open.
    """
    served.settle()
    return served


@flavours
def test_it_works(server: Asyncs, kind: Kind, flavour: str) -> None:
    """
    The view runs on its loop, and the middleware sees its response.
    """
    response, body = server.ask(f"/{flavour}/hello/")

    assert (response.status, body.decode()) == (200, f"{flavour} {flavour} GET 0")
    assert response.getheader("x-middleware") == kind.says


@flavours
def test_who_waits(server: Asyncs, kind: Kind, flavour: str) -> None:
    """
    While a view waits, the tree says which loop awaits it and which thread waits for that, if one
    does; with its client the view ends, and nothing is left.
    """
    with server.reader(f"/{flavour}/wait/"):
        server.until_counted("waiting")
        (request,) = server.others()
        # Who asked before may still be giving his thread back.
        server.until(lambda: server.threads_of_others() == (1 if kind.holds else 0))
        assert ("thread" in request) == kind.holds
        assert request.get("thread", "views-1") in ("views-1", "views-2", "views-3")
        outermost = kind.says if kind.says in ("trio", "asyncio") else flavour
        assert request["awaits"] == outermost

    server.until_counted("wait cleaned up")
    server.settle()


@flavours
def test_a_stream(server: Asyncs, flavour: str) -> None:
    """
    A stream comes whole through it, on its view's loop; without its client it is closed at once.
    """
    _, body = server.ask(f"/{flavour}/stream/?blocks=20")
    assert len(body) == 20 * 65536
    assert server.count(f"blocks on {flavour}") == 1
    server.settle()

    with server.reader(f"/{flavour}/stream/", "GET", "Accept-Encoding: gzip") as client:
        client.until(b"\r\n\r\n")
        server.standing("blocks")
        assert server.count("blocks closed") == 0

    server.until_counted("blocks closed")
    server.settle()


@flavours
def test_the_page_for_developers(server: Asyncs, flavour: str) -> None:
    """
    With DEBUG the page says what an async view raised, and shows its variables.
    """
    response, body = server.ask(f"/{flavour}/fail/")

    assert response.status == 500
    assert b"in an async view, 11 letters" in body
    assert b"of the view" in body


def test_files_of_whitenoise(server: Asyncs, kind: Kind) -> None:
    """
    What middleware answers itself is its answer.
    """
    status = server.ask("/static/style.css")[0].status

    assert status == (200 if "whitenoise" in kind.middleware[0] else 404)


@flavours
def test_what_is_awaited_no_more(server: Asyncs, kind: Kind, flavour: str) -> None:
    """
    Behind the view, while middleware is at work, the tree says no more that the view is awaited.
    """
    with server.reader(f"/{flavour}/hello/?hold") as client:
        server.until_counted("held")
        (request,) = server.others()
        awaited = kind.says in ("trio", "asyncio")  # around async middleware all is async
        assert ("awaits" in request, "thread" in request) == (awaited, awaited)
        assert server.text("/go-on/") == ""
        client.until(f"{flavour} {flavour}".encode())
