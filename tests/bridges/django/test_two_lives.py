# One application, run by several servers at once: two drivers, two communicators, a driver and the
# real server.

import pytest
import trio
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from greenroom.actors import ThreadPool
from greenroom.bridges.asgiref import current_hops, open_hops
from greenroom.bridges.django import Greenroom, django_application
from greenroom.bridges.testing import ServerDriver, run_server, serve


async def later(request):
    return HttpResponse(b"later")


def pools(request):
    """How many threads the pool has that a view sees."""
    return HttpResponse(str(DJANGO.pool.statistics().size).encode())


DJANGO = django_application()
urlpatterns = [
    path("now/", lambda request: HttpResponse(b"now")),
    path("later/", later),
    path("pools/", pools),
]


@pytest.fixture(autouse=True)
def urls():
    """The views of this file."""
    with override_settings(ROOT_URLCONF=__name__):
        yield


async def test_who_came_first_leaves_first() -> None:
    """
    Each has threads of its own, and what the first ends is nothing of the other's.
    """
    application = Greenroom(http=django_application())

    async def run(end: trio.Event, *, task_status: trio.TaskStatus[ServerDriver]) -> None:
        async with serve(application, crashes="raise") as server:
            task_status.started(server)
            await end.wait()
        ended.set()

    ends, ended = (trio.Event(), trio.Event()), trio.Event()
    async with trio.open_nursery() as nursery:
        servers = await nursery.start(run, ends[0]), await nursery.start(run, ends[1])
        for server in servers:
            assert (await server.http("GET", "/now/")).body == b"now"
            assert (await server.http("GET", "/later/")).body == b"later"
        ends[0].set()
        await ended.wait()
        assert (await servers[1].http("GET", "/now/")).body == b"now"
        assert (await servers[1].http("GET", "/later/")).body == b"later"
        ends[1].set()


async def test_a_view_sees_the_pool() -> None:
    """
    A view, which runs in a thread, is told of the pool that serves it.
    """
    async with serve(Greenroom(http=DJANGO, view_threads=3)) as server:
        assert (await server.http("GET", "/pools/")).body == b"3"


def test_on_two_loops() -> None:
    """
    Each is served by the threads of its own loop.
    """
    application = Greenroom(http=django_application())
    with run_server(application) as one, run_server(application) as other:
        for server in (one, other, one):
            assert server.http("GET", "/now/").body == b"now"
            assert server.http("GET", "/later/").body == b"later"


async def test_hops_of_a_run_that_are_not_nested() -> None:
    """
    Whichever block ends first, the run's hops are those of one that is open still.
    """
    before = current_hops()
    first = open_hops(ThreadPool, threads=1, spare=0, listed=[], timeout=5)
    second = open_hops(ThreadPool, threads=1, spare=0, listed=[], timeout=5)
    await first.__aenter__()
    newest = await second.__aenter__()
    await first.__aexit__(None, None, None)
    assert current_hops() is newest
    await second.__aexit__(None, None, None)
    assert current_hops() is before
