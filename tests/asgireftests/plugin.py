# A plugin for pytest, in the process that runs asgiref's tests: each test runs on trio.
#
#   async def test   in a task of trio
#   def test         in a worker thread of that run, where async_to_sync() finds its task
#
# What the tests themselves take from asyncio stands for trio's there; outside of trio, as inside
# asyncio.run(), it is asyncio's.

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from asgiref.sync import sync_to_async

from asgireftests.asyncio_on_trio import AsyncioAndTasks, tasks_of_this_run
from greenroom.bridges import asgiref

_SECONDS = 20

_ended: dict[str, str] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Teach asgiref trio; code without a mark is written for it."""
    config.addinivalue_line("markers", "asyncio: the test is async")
    asgiref.set_default_flavour(lambda: "trio")
    assert asgiref.patch_asgiref(), asgiref.patch_problem()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests' modules use the stand-in for asyncio."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, "asyncio"):
            item.module.asyncio = AsyncioAndTasks("asyncio")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run the test in a run of trio of its own."""
    names = inspect.signature(pyfuncitem.obj).parameters
    test = partial(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        test = partial(sync_to_async(test))
    trio.run(_run, test)
    return True


async def _run(test: Any) -> None:
    with trio.fail_after(_SECONDS):
        async with tasks_of_this_run():
            await test()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down how the test ended."""
    report = yield
    if report.when == "call" or not report.passed:
        how = "failed" if report.failed else "skipped" if report.skipped else "passed"
        if hasattr(report, "wasxfail"):
            how = "passed"  # as it does with asgiref itself
        _ended[item.nodeid] = how
    return report


def pytest_sessionfinish() -> None:
    """Hand it over."""
    kinds = ("passed", "failed", "skipped")
    outcome = {kind: [name for name, how in _ended.items() if how == kind] for kind in kinds}
    Path(os.environ["GREENROOM_OUTCOME"]).write_text(json.dumps(outcome))
