# The live feed of the console: who may listen, what is told, and that else nothing runs.

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import trio
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as url
from django_sessions import cookie, in_db, log_in, make_user, store

from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.django.console import _feed as feed
from greenroom.bridges.django.console._feed import ConsoleFeed, feed_view
from greenroom.bridges.django.console._feed_route import FeedRouter, with_feed
from greenroom.bridges.django.console._news import MOST_PATHS, News
from greenroom.bridges.inspection._local import local_trees
from greenroom.bridges.testing import (
    EventStreamDriver,
    ResponseCut,
    ServerDriver,
    StreamEnded,
    StreamRefused,
    serve,
    virtual_clock,
)

pytestmark = pytest.mark.usefixtures("rolled_back")
FEED = "/feed/"


@pytest.fixture
def clock() -> trio.testing.MockClock:
    """
    A clock that knows of worker threads.
    """
    return virtual_clock()


def staff(name: str = "grace", *, permitted: bool = True) -> Any:
    """Return a new member of staff, who may see the tree if *permitted*."""
    user = make_user(name, is_staff=True)
    if permitted:
        kind, _ = ContentType.objects.get_or_create(app_label="greenroom", model="tree")
        permission = Permission.objects.filter(
            content_type__app_label="greenroom", codename="view_tree"
        ).first() or Permission.objects.create(
            codename="view_tree", content_type=kind, name="Can see the tree"
        )
        user.user_permissions.add(permission)
    return user


@pytest.fixture
def permitted(rolled_back: None) -> Any:
    """
    A member of staff who may see the tree.
    """
    return staff()


@pytest.fixture
def session(permitted: Any) -> str:
    """
    The key of the session of one who may.
    """
    return log_in(permitted)


@pytest.fixture
def stranger(request: pytest.FixtureRequest, rolled_back: None) -> list[tuple[str, str]]:
    """
    The headers of one who may not.
    """
    who: str = request.param
    if who == "nobody":
        return []
    user = staff(permitted=who != "not permitted")
    user.is_staff = who != "no staff"
    user.save()
    headers = cookie(log_in(user))
    user.is_active = who != "inactive"
    user.save()
    return headers


@asynccontextmanager
async def serving() -> AsyncIterator[ServerDriver]:
    application = Greenroom(http=[path("feed/", ConsoleFeed)], close_seconds=0)
    async with serve(application) as server:
        yield server


async def told(stream: EventStreamDriver) -> dict[str, Any]:
    """Return the data of the next update."""
    while True:
        event = await stream.next_event(60)
        if event.event != "alive":
            assert event.event == "changed"
            return json.loads(event.data)


async def told_of(stream: EventStreamDriver, wanted: str) -> dict[str, Any]:
    """Return what is told of the process with the next update that names the path *wanted*."""
    while True:
        for process in (await told(stream))["processes"].values():
            if wanted in process["paths"]:
                return process


async def until_followed(server: ServerDriver, stream: EventStreamDriver) -> None:
    """Return when the stream hears what happens."""
    with trio.fail_after(600):
        while True:
            server.root.events.emit("await.forgotten", "/probe")
            processes = (await told(stream))["processes"].values()
            if any("/probe" in process["paths"] for process in processes):
                return


@pytest.mark.parametrize(
    "stranger", ["nobody", "no staff", "not permitted", "inactive"], indirect=True
)
async def test_permitted(stranger: list[tuple[str, str]]) -> None:
    """
    PERMITTED: who may not see the tree gets 403, and nothing of it.
    """
    async with serving() as server:
        with pytest.raises(StreamRefused, match="403"):
            async with server.event_stream(FEED, headers=stranger):
                pass


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods(clock: trio.testing.MockClock, method: str, session: str) -> None:
    """
    A method that is not for reading gets 405, from those who may listen at all.
    """
    async with serving() as server:
        with trio.fail_after(60):
            answer = await server.http(method, FEED, headers=cookie(session))
        assert (answer.status, dict(answer.headers)[b"allow"]) == (405, b"GET, HEAD")
        assert (await server.http(method, FEED)).status == 403


@pytest.mark.parametrize(("site", "allowed"), [("cross-site", False), ("same-origin", True)])
async def test_another_sites_page(site: str, allowed: bool, session: str) -> None:
    """
    A page of another site may not listen with its visitor's cookies.
    """
    headers = [*cookie(session), ("sec-fetch-site", site)]
    async with serving() as server:
        refused = None if allowed else pytest.raises(StreamRefused, match="403")
        with refused or nullcontext():
            async with server.event_stream(FEED, headers=headers):
                pass


async def test_what_changes_is_told(clock: trio.testing.MockClock, session: str) -> None:
    """
    What happens somewhere in the tree is told by its path, under the id of its process.
    """
    async with (
        serving() as server,
        server.event_stream(FEED, headers=cookie(session)) as stream,
    ):
        await until_followed(server, stream)
        server.root.events.emit("slot.ended", "/residents/clock")
        while True:
            processes = (await told(stream))["processes"]
            (tree,) = local_trees()
            if "/residents/clock" in processes.get(tree.process.id, {}).get("paths", []):
                break


async def test_coalesced(clock: trio.testing.MockClock, session: str) -> None:
    """
    COALESCED: thousands of events are a few updates with a bounded list, which says that it is
    not all.
    """
    async with (
        serving() as server,
        server.event_stream(FEED, headers=cookie(session)) as stream,
    ):
        await until_followed(server, stream)
        began = trio.current_time()
        for number in range(3000):
            server.root.events.emit("slot.ended", f"/connections/chat/{number}")
        updates = 0
        while True:
            updates += 1
            processes = (await told(stream))["processes"].values()
            assert all(len(process["paths"]) <= MOST_PATHS for process in processes)
            if any(process["more"] for process in processes):
                break
        took = trio.current_time() - began
        assert updates <= 1 + took / feed.PAUSE_SECONDS


async def test_without_news_it_is_told_now_and_then(
    clock: trio.testing.MockClock, session: str
) -> None:
    """
    Without news an update comes all the same, for what has no event; the stream itself is none.
    """
    async with (
        serving() as server,
        server.event_stream(FEED, headers=cookie(session)) as stream,
    ):
        await until_followed(server, stream)
        await told(stream)
        assert await told(stream) == {"processes": {}, "quiet": True}


async def test_alive(clock: trio.testing.MockClock, session: str) -> None:
    """
    ALIVE: without news too a page hears every two seconds that somebody is there, with some data,
    without which a browser would drop it.
    """
    async with (
        serving() as server,
        server.event_stream(FEED, headers=cookie(session)) as stream,
    ):
        heard: list[float] = []
        while len(heard) < 5:
            event = await stream.next_event(60)
            if event.event == "alive":
                assert event.data
                heard.append(trio.current_time())
        assert all(later - one <= feed.ALIVE_SECONDS + 0.1 for one, later in pairwise(heard))


async def test_who_may_no_longer_is_cut_off(
    clock: trio.testing.MockClock, permitted: Any, session: str
) -> None:
    """
    PERMITTED: who has lost the permission is cut off within a minute.
    """
    async with (
        serving() as server,
        server.event_stream(FEED, headers=cookie(session)) as stream,
    ):
        await told(stream)
        began = trio.current_time()
        await in_db(permitted.user_permissions.clear)
        with pytest.raises((StreamEnded, ResponseCut)):
            while True:
                await told(stream)
        assert trio.current_time() - began <= feed.PERMISSION_SECONDS + feed.QUIET_SECONDS


async def test_the_session_ends(clock: trio.testing.MockClock, session: str) -> None:
    """
    PERMITTED: with the session the stream ends.
    """
    async with serving() as server, server.event_stream(FEED, headers=cookie(session)) as stream:
        await told(stream)
        await in_db(store(session).delete)
        with pytest.raises((StreamEnded, ResponseCut)):
            while True:
                await told(stream)


async def test_nothing(
    clock: trio.testing.MockClock, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    NOTHING: when the stream ends nobody is asked any more.
    """
    asked: list[object] = []
    real = feed.aask

    async def counted(question: Any, **options: Any) -> Any:
        asked.append(question)
        return await real(question, **options)

    monkeypatch.setattr(feed, "aask", counted)
    async with serving() as server:
        async with server.event_stream(FEED, headers=cookie(session)) as stream:
            await until_followed(server, stream)
            assert asked
        await trio.sleep(1)
        assert server.root.connections.open == 0
        before = len(asked)
        await trio.sleep(60)
        assert len(asked) == before
        assert server.root.events.counts()["slot.crashed"] == 0


async def test_a_silent_process(
    clock: trio.testing.MockClock, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A process that does not answer is told of once, and once more when it answers again.
    """
    from greenroom.bridges.inspection import Answer, Gathered, ProcessId

    process = ProcessId("far", 7, 8)
    silence = True

    async def said(question: Any, **options: Any) -> Gathered:
        await trio.sleep(1)
        answer = {"events": [], "next": 5, "more": False, "missed": False}
        one = Answer(process, None, "it sleeps") if silence else Answer(process, answer)
        return Gathered([one], 1, 1.0)

    monkeypatch.setattr(feed, "aask", said)
    monkeypatch.setattr(feed, "present", lambda: [process])
    async with (
        serving() as server,
        server.event_stream(FEED, headers=cookie(session)) as stream,
    ):
        first = await told(stream)
        assert first["processes"][process.id]["silent"] == "it sleeps"
        assert (await told(stream))["quiet"]
        silence = False
        second = await told(stream)
        assert second["processes"][process.id] == {"paths": [], "more": True, "silent": ""}


# -- the way to it ------------------------------------------------------------------------------


@pytest.fixture
def urls() -> Any:
    """
    URLs of a project in which an admin site's feed is one.
    """
    site = SimpleNamespace(admin_view=lambda view: view, has_permission=lambda _: True)
    module: Any = ModuleType("feed_urls")
    module.urlpatterns = [
        url("staff/greenroom/feed/", feed_view(site)),  # type: ignore[arg-type]
        url("blog/greenroom/feed/", lambda _: HttpResponse("a blog's")),
    ]
    module.site = site
    with override_settings(ROOT_URLCONF=module):
        yield module


def test_the_way_to_the_feed(urls: Any) -> None:
    """
    Only the URL of a site's feed leads to it; whatever else ends so is the project's own.
    """
    router = FeedRouter(None)
    found = router.match({"path": "/staff/greenroom/feed/"})
    assert found is not None
    assert found.application is ConsoleFeed
    assert found.kwargs == {"site": urls.site}
    below = {"path": "/app/staff/greenroom/feed/", "root_path": "/app"}
    assert router.match(below) is not None
    for other in ("/blog/greenroom/feed/", "/x/greenroom/feed/", "/staff/greenroom/", "/"):
        assert router.match({"path": other}) is None


def test_other_ways(urls: Any) -> None:
    """
    What is not the feed's is the inner router's.
    """
    found = object()
    inner: Any = SimpleNamespace(match=lambda _: found)
    assert FeedRouter(inner).match({"path": "/blog/greenroom/feed/"}) is found
    assert FeedRouter(inner).match({"path": "/"}) is found


def test_without_an_admin_there_is_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where no admin site is installed no request is looked at for it.
    """
    from django.apps import apps

    monkeypatch.setattr(apps, "is_installed", lambda name: name != "django.contrib.admin")
    assert with_feed(None) is None
    monkeypatch.setattr(apps, "is_installed", lambda _: True)
    assert isinstance(with_feed(None), FeedRouter)


def test_elsewhere_it_is_an_empty_answer(urls: Any) -> None:
    """
    As a view, which is what another server asks for, it answers 204: an EventSource stays away.
    """
    from django.test import RequestFactory

    view = urls.urlpatterns[0].callback
    request: Any = RequestFactory().get("/")
    request.user = SimpleNamespace(has_perm=lambda _: True)
    assert view(request).status_code == 204
    request.method = "POST"
    assert view(request).status_code == 405
    request.user = SimpleNamespace(has_perm=lambda _: False)
    with pytest.raises(PermissionDenied):
        view(request)


# -- the news ---------------------------------------------------------------------------------


async def test_news_are_bounded() -> None:
    """
    So many paths of a process are kept, each once, and it is said that there are more.
    """
    news = News()
    news.heard("a", ["/x"] * 3, missed=False)
    assert news.take() == {
        "processes": {"a": {"paths": ["/x"], "more": False, "silent": ""}},
        "quiet": False,
    }
    assert news.take() == {"processes": {}, "quiet": True}
    news.heard("a", [f"/{number}" for number in range(MOST_PATHS + 1)], missed=False)
    told_now: Any = news.take()
    assert len(told_now["processes"]["a"]["paths"]) == MOST_PATHS
    assert told_now["processes"]["a"]["more"]
