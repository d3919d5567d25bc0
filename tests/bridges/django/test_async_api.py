# Django's own async functions in trio tasks: each goes through asgiref to the pool "orm".

import threading
from importlib import import_module
from typing import Any

import pytest
import trio
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import aauthenticate, aget_user, alogin, alogout
from django.contrib.auth.hashers import acheck_password, make_password
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models import Count, Prefetch, aprefetch_related_objects
from django.dispatch import Signal
from django.shortcuts import aget_list_or_404, aget_object_or_404
from django.test import RequestFactory, override_settings
from django.utils import timezone, translation

from greenroom.bridges.asgiref import current_hops, on_asyncio, on_trio

pytestmark = pytest.mark.usefixtures("database", "empty")


@pytest.fixture
def empty() -> None:
    """
    Tables without rows.
    """
    User.objects.all().delete()
    Group.objects.all().delete()
    connections.close_all()


async def test_querysets() -> None:
    """
    Every async method of a manager and of a queryset works.
    """
    ada = await User.objects.acreate(username="ada")
    assert await User.objects.aget(username="ada") == ada
    bob, made = await User.objects.aget_or_create(username="bob")
    assert made
    bob, made = await User.objects.aupdate_or_create(username="bob", defaults={"email": "b@x"})
    assert not made
    await User.objects.abulk_create([User(username="eve"), User(username="fay")])
    eve = await User.objects.aget(username="eve")
    eve.email = "e@x"
    assert await User.objects.abulk_update([eve], ["email"]) == 1
    ordered = User.objects.order_by("username")
    assert await ordered.acount() == 4
    assert await ordered.aexists()
    assert await ordered.afirst() == ada
    assert (await ordered.alast()).username == "fay"
    assert (await ordered.alatest("id")).username == "fay"
    assert await ordered.aearliest("id") == ada
    assert await ordered.aaggregate(n=Count("id")) == {"n": 4}
    assert set(await ordered.ain_bulk([ada.pk])) == {ada.pk}
    assert await ordered.acontains(bob)
    assert await ordered.aexplain()
    assert await ordered.filter(username="bob").aupdate(email="") == 1
    assert (await ordered.filter(username="fay").adelete())[0] == 1
    assert await aget_object_or_404(User, username="ada") == ada
    assert await aget_list_or_404(User, username="ada") == [ada]


async def test_iteration() -> None:
    """
    `async for` and `aiterator` give every row, from whichever thread each chunk comes.
    """
    await User.objects.abulk_create([User(username=f"u{n:03}") for n in range(250)])
    names = [f"u{n:03}" for n in range(250)]

    assert [user.username async for user in User.objects.order_by("username")] == names
    rows = User.objects.order_by("username").aiterator(chunk_size=20)
    assert [user.username async for user in rows] == names
    values = User.objects.order_by("username").values_list("username", flat=True)
    assert [name async for name in values] == names


async def test_instances_and_relations() -> None:
    """
    Instances, related managers and prefetching work.
    """
    ada = User(username="ada")
    await ada.asave()
    await User.objects.filter(pk=ada.pk).aupdate(email="a@x")
    await ada.arefresh_from_db()
    assert ada.email == "a@x"
    staff = await ada.groups.acreate(name="staff")
    other, _ = await ada.groups.aget_or_create(name="other")
    await ada.groups.aupdate_or_create(name="third")
    assert await ada.groups.acount() == 3
    await ada.groups.aremove(other)
    await ada.groups.aset([staff])
    await ada.groups.aadd(other)
    assert {group.name async for group in ada.groups.all()} == {"staff", "other"}
    await aprefetch_related_objects([ada], Prefetch("groups"))
    assert len(ada.groups.all()) == 2
    got = await User.objects.prefetch_related("groups").aget(pk=ada.pk)
    assert len(got.groups.all()) == 2
    await ada.groups.aclear()
    assert not await ada.groups.aexists()
    await ada.adelete()
    assert not await User.objects.aexists()


async def test_permissions() -> None:
    """
    What a user may do is asked asynchronously, with every backend's answer.
    """
    ada = await User.objects.acreate_user("ada", password="x")
    permission = await Permission.objects.afirst()
    assert permission is not None
    await ada.user_permissions.aadd(permission)
    ada = await User.objects.aget(pk=ada.pk)
    content = await sync_to_async(lambda: permission.content_type.app_label)()
    name = f"{content}.{permission.codename}"
    assert await ada.ahas_perm(name)
    assert name in await ada.aget_all_permissions()


ENGINES = ("db", "cache", "cached_db", "file", "signed_cookies")


@pytest.mark.parametrize("engine", ENGINES)
async def test_sessions(engine: str) -> None:
    """
    Each session backend is read, written, cycled and flushed.
    """
    module: Any = import_module(f"django.contrib.sessions.backends.{engine}")
    session = module.SessionStore()
    await session.aset("who", "ada")
    await session.asave()
    again = module.SessionStore(session.session_key)
    assert await again.aget("who") == "ada"
    await again.acycle_key()
    assert await again.aget("who") == "ada"
    assert await again.ahas_key("who")
    await again.aflush()
    assert await again.aget("who") is None
    await module.SessionStore.aclear_expired()


async def test_authentication() -> None:
    """
    A user logs in and out, and passwords are checked.
    """
    await User.objects.acreate_user("ada", password="secret")
    request: Any = RequestFactory().get("/")
    request.session = SessionStore()
    user = await aauthenticate(request, username="ada", password="secret")
    assert user is not None
    await alogin(request, user)
    assert await aget_user(request) == user
    await alogout(request)
    assert not (await aget_user(request)).is_authenticated
    assert await aauthenticate(request, username="ada", password="wrong") is None
    encoded = await sync_to_async(make_password)("p")
    assert await acheck_password("p", encoded)
    assert await user.acheck_password("secret")


async def test_caches() -> None:
    """
    The locmem and the database cache work by their async methods.
    """
    await sync_to_async(call_command)("createcachetable", "a_cache", verbosity=0)
    for cache in (LocMemCache("x", {}), DatabaseCache("a_cache", {})):
        await cache.aset("a", 1)
        assert await cache.aget("a") == 1
        assert await cache.aadd("b", 2)
        assert await cache.aincr("a") == 2
        assert await cache.adecr("a") == 1
        assert await cache.aget_many(["a", "b"]) == {"a": 1, "b": 2}
        await cache.aset_many({"c": 3})
        assert await cache.ahas_key("c")
        assert await cache.aget_or_set("d", lambda: 4) == 4
        assert await cache.atouch("d", 10)
        assert await cache.adelete("d")
        await cache.adelete_many(["a"])
        await cache.aclear()
        assert await cache.aget("b") is None
        await cache.aclose()


class Heard:
    """Receivers of both kinds, and where each ran."""

    def __init__(self) -> None:
        self.signal = Signal()
        self.threads: dict[str, str] = {}
        self.signal.connect(self.plain)
        self.signal.connect(self.on_loop)
        self.signal.connect(self.too)

    def plain(self, **_: Any) -> str:
        self.threads["plain"] = threading.current_thread().name
        return "plain"

    async def on_loop(self, **_: Any) -> str:
        self.threads["on_loop"] = threading.current_thread().name
        await sync_to_async(lambda: None)()
        return "on_loop"

    async def too(self, **_: Any) -> str:
        return "too"


async def test_signals_from_a_task() -> None:
    """
    asend() and asend_robust() run async receivers at the same time on trio, sync ones in a thread.
    """
    heard = Heard()
    for send in (heard.signal.asend, heard.signal.asend_robust):
        assert {answer for _, answer in await send(None)} == {"plain", "on_loop", "too"}
        assert heard.threads["on_loop"] == threading.current_thread().name
        assert heard.threads["plain"].startswith("orm")


async def test_signals_from_a_thread() -> None:
    """
    send() in a worker thread awaits async receivers, too.
    """
    heard = Heard()
    answers = await sync_to_async(heard.signal.send)(None)
    assert {answer for _, answer in answers} == {"plain", "on_loop", "too"}


async def test_a_receiver_that_raises() -> None:
    """
    asend() raises what one async receiver raises; asend_robust() returns it.
    """
    signal = Signal()

    async def bad(**_: Any) -> None:
        raise LookupError("bad")

    async def waits(**_: Any) -> None:
        if endless:
            await trio.sleep_forever()

    signal.connect(bad)
    signal.connect(waits)
    endless = True
    with pytest.raises(LookupError, match="bad"):
        await signal.asend(None)
    endless = False
    answers = dict(await signal.asend_robust(None))
    assert isinstance(answers[bad], LookupError)


async def test_the_guard_sees_trio() -> None:
    """
    A query in a trio task is refused, as in an asyncio task, instead of stopping the loop.
    """
    with pytest.raises(SynchronousOnlyOperation):
        User.objects.count()


async def test_the_guard_can_be_told_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    DJANGO_ALLOW_ASYNC_UNSAFE allows it, as in Django.
    """
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    assert User.objects.count() == 0
    connections.close_all()


async def test_language_and_time_zone() -> None:
    """
    The active language and time zone are those of the task in the thread, and back.
    """
    with translation.override("de"), timezone.override("Asia/Tokyo"):
        assert await sync_to_async(translation.get_language)() == "de"
        assert await sync_to_async(timezone.get_current_timezone_name)() == "Asia/Tokyo"
        await sync_to_async(translation.activate)("fr")
        assert translation.get_language() == "fr"

        async def inside() -> str | None:
            return await sync_to_async(translation.get_language)()

        for mark in (on_trio, on_asyncio):
            assert await sync_to_async(async_to_sync(mark(inside)))() == "fr"


async def test_a_transaction_over_several_hops() -> None:
    """
    A block opened in one hop and left in another is one transaction in one thread.
    """
    block = transaction.atomic()
    await sync_to_async(block.__enter__)()
    thread = await sync_to_async(threading.current_thread)()
    await User.objects.acreate(username="ada")
    assert await sync_to_async(threading.current_thread)() is thread
    assert await sync_to_async(lambda: connection.in_atomic_block)()
    await sync_to_async(transaction.set_rollback)(True)
    await sync_to_async(block.__exit__)(None, None, None)
    assert not await User.objects.aexists()
    while current_hops().pool.statistics().running:  # the thread is given back, a little later
        await trio.lowlevel.checkpoint()


async def test_atomic_around_async_code() -> None:
    """
    Async code that sync code calls sees the rows of the transaction around the call.
    """

    def work() -> tuple[int, int]:
        with transaction.atomic():
            User.objects.create(username="ada")
            seen = (async_to_sync(on_trio(count))(), async_to_sync(on_asyncio(count))())
            transaction.set_rollback(True)
        return seen

    async def count() -> int:
        return await User.objects.acount()

    assert await sync_to_async(work)() == (1, 1)


async def test_a_paginator() -> None:
    """
    Django's AsyncPaginator works, where there is one.
    """
    paginator = pytest.importorskip("django.core.paginator")
    if not hasattr(paginator, "AsyncPaginator"):
        pytest.skip("this Django has none")
    await User.objects.abulk_create([User(username=f"u{n}") for n in range(7)])
    pages = paginator.AsyncPaginator(User.objects.order_by("id"), 3)
    assert await pages.acount() == 7
    assert await pages.anum_pages() == 3
    page = await pages.apage(3)
    assert [user.username async for user in page] == ["u6"]
    assert not await page.ahas_next()


async def test_tasks() -> None:
    """
    A task is enqueued and run at once by the immediate backend, where Django has tasks.
    """
    tasks = pytest.importorskip("django.tasks")

    with override_settings(
        TASKS={"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
    ):
        result = await tasks.task(add_up).aenqueue(1, 2)
        assert result.return_value == 3
        result = await tasks.task(add_up_async).aenqueue(1, 2)
        assert result.return_value == 3


def add_up(a: int, b: int) -> int:
    return a + b


async def add_up_async(a: int, b: int) -> int:
    return a + b
