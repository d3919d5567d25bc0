# Asking the processes of a project from Django's side, and the trees of Greenroom() that answer.

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from greenroom.bridges.django import Greenroom
from greenroom.bridges.django._project import project_name
from greenroom.bridges.django.console import _ask as module
from greenroom.bridges.django.console._ask import aask, ask, present
from greenroom.bridges.inspection._directory import doors
from greenroom.bridges.testing import serve

TOP = {"ask": "tree"}


@pytest.fixture
def directory() -> Iterator[Path]:
    """
    INSPECTION_DIR, by a short path, since that of a socket must be.
    """
    with TemporaryDirectory() as made:
        path = Path(made) / "d"
        with override_settings(GREENROOM={"INSPECTION_DIR": path}):
            yield path


async def in_thread(**options: Any) -> Any:
    """Ask from a worker thread, as a view does."""
    return await trio.to_thread.run_sync(lambda: ask(TOP, **options))


@asynccontextmanager
async def by_a_server(application: Greenroom) -> AsyncIterator[None]:
    """Run *application*'s lifespan as a server does, which is no driver of tests."""
    told, stop, over = trio.Event(), trio.Event(), trio.Event()
    messages = iter(["startup", "shutdown"])

    async def receive() -> dict[str, str]:
        name = next(messages)
        if name == "shutdown":
            await stop.wait()
        return {"type": f"lifespan.{name}"}

    async def send(event: Any) -> None:
        await trio.sleep(0)
        assert event["type"].endswith("complete"), event
        (over if "shutdown" in event["type"] else told).set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(application, {"type": "lifespan", "state": {}}, receive, send)
        await told.wait()
        yield
        stop.set()
        await over.wait()


async def test_two_servers_of_one_application(directory: Path) -> None:
    """
    Two servers of one application in one process answer both, each at a socket of its own.
    """
    application = Greenroom()
    async with by_a_server(application), by_a_server(application):
        assert len(list(doors(directory))) == 2
        gathered = await in_thread(seconds=20)
        assert [each.pid for each in gathered.answered] == [os.getpid()] * 2
        assert len({each.id for each in gathered.answered}) == 2
        assert [each.id for each in present()] == [each.id for each in gathered.answered]
        other = gathered.answers[1].id
        assert [each.id for each in (await in_thread(only=other, seconds=20)).answered] == [other]
        assert [each.id for each in (await aask(TOP, only=other, seconds=20)).answered] == [other]
    assert list(doors(directory)) == []
    assert (await in_thread()).asked == 0


async def test_a_driver_of_tests(directory: Path) -> None:
    """
    The tree of a driver answers its own pages, and no other process finds it.
    """
    async with serve(Greenroom()):
        assert len((await in_thread(seconds=20)).answered) == 1
        assert not directory.exists()  # noqa: ASYNC240


async def test_it_answers_while_it_drains(directory: Path) -> None:
    """
    A tree that ends answers until it has ended.
    """
    from contextlib import asynccontextmanager as manager

    said: list[Any] = []

    @manager
    async def lifespan(root: Any) -> AsyncIterator[None]:
        said.append(await aask(TOP, seconds=20))  # before it is up
        yield
        said.append(await aask(TOP, seconds=20))  # when it has stopped

    async def http(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    http.lifespan = lifespan  # type: ignore[attr-defined]
    async with by_a_server(Greenroom(http=http)):
        pass
    states = [gathered.answers[0].answer["node"]["state"] for gathered in said]
    assert states == ["new", "stopped"]


async def test_on_the_loop_it_would_stop_it(directory: Path) -> None:
    """
    ask() on the loop of a tree would stop it, and is refused; aask() is the way.
    """
    async with serve(Greenroom()):
        with pytest.raises(RuntimeError, match="await aask"):
            ask(TOP)


async def test_switched_off() -> None:
    """
    With INSPECTION off nobody answers, and who asks is told.
    """
    with override_settings(GREENROOM={"INSPECTION": False}):
        async with serve(Greenroom()):
            for gathered in (await in_thread(), await aask(TOP)):
                assert gathered.asked == 0
                assert gathered.trouble == module.OFF
            assert present() == []


def test_a_setting_that_is_wrong() -> None:
    """
    A wrong setting is told as everywhere.
    """
    with (
        override_settings(GREENROOM={"INSPECTION_DIR": "run"}),
        pytest.raises(ImproperlyConfigured, match="INSPECTION_DIR must be absolute"),
    ):
        ask(TOP)


def test_projects_are_apart() -> None:
    """
    Another secret, or another module of settings, is another project; the secret is not shown.
    """
    names = {project_name()}
    with override_settings(SECRET_KEY="another secret"):
        names.add(project_name())
        assert "secret" not in project_name()
    with override_settings(SETTINGS_MODULE="mysite.other"):
        names.add(project_name())
    with override_settings(SECRET_KEY=""):
        names.add(project_name())
    assert len(names) == 4
