# The look at the installed asgiref, made once with our methods in place.

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import AsyncToSync, SyncToAsync

from greenroom.bridges import asgiref
from greenroom.bridges.asgiref import _context, _install, _patch
from greenroom.bridges.asgiref._self_test import trouble_on_trio


def test_the_installed_one_does() -> None:
    """
    With the installed asgiref nothing is wrong, and no thread is left behind.
    """
    before = set(threading.enumerate())
    assert trouble_on_trio() == ""
    for thread in set(threading.enumerate()) - before:  # it is on its way out
        thread.join(20)
        assert not thread.is_alive()


async def test_inside_trio() -> None:
    """
    It may be asked for in a task of trio.
    """
    assert trouble_on_trio() == ""


def test_inside_asyncio() -> None:
    """
    It may be asked for in a task of asyncio.
    """

    async def main() -> str:
        return trouble_on_trio()

    assert asyncio.run(main()) == ""


def test_what_does_not_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A Local that stays behind is found.
    """
    monkeypatch.setattr(_context, "_restore", lambda context: None)
    # Since asgiref 3.12 it can't be seen in another thread; before, what that sets does not return.
    found = trouble_on_trio()
    assert found.startswith("self-test, a context variable and a Local: ")


@pytest.mark.parametrize(
    ("owner", "method", "trouble"),
    [
        (SyncToAsync, "original_sync_to_async", "in sync_to_async(): RuntimeError"),
        (AsyncToSync, "original_async_to_sync", "'elsewhere: thread, thread'"),
    ],
)
def test_a_method_that_does_not_work(
    monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, trouble: str
) -> None:
    """
    The step that fails is named, with what it raised or where it ran.
    """
    monkeypatch.setattr(owner, "__call__", getattr(_patch, method))
    assert trouble in trouble_on_trio()


def test_an_asgiref_that_does_not_behave(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It is left as it is, and why is logged and told to the system check; the test is made once.
    """
    asked = list[int]()

    def trouble() -> str:
        asked.append(1)
        return "it is of tomorrow"

    monkeypatch.setattr(_install._Tested, "trouble", None)
    monkeypatch.setattr(_install, "trouble_on_trio", trouble)
    asgiref.unpatch_asgiref()
    try:
        assert [asgiref.patch_asgiref() for _ in range(2)] == [False, False]
        assert not asgiref.is_patched()
        assert asgiref.patch_problem() == "it is of tomorrow"
        assert len(asked) == 1
        assert "will not work on trio: it is of tomorrow" in caplog.text
    finally:
        monkeypatch.undo()
        assert asgiref.patch_asgiref()


def test_the_test_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Who patches again does not pay for it again.
    """
    monkeypatch.delattr(_install, "trouble_on_trio")
    asgiref.unpatch_asgiref()
    assert asgiref.patch_asgiref()


def test_a_system_that_has_no_thread_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Django is set up all the same, and the check says why asgiref is left as it is.
    """

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_install._Tested, "trouble", None)
    asgiref.unpatch_asgiref()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    try:
        assert not asgiref.patch_asgiref()
        assert not asgiref.is_patched()
        assert asgiref.patch_problem() == "the self-test was not made: can't start new thread"
    finally:
        monkeypatch.undo()
        assert asgiref.patch_asgiref()
