"""
The pytest plugin: fixtures for tests of Greenroom applications, whatever runs the tests.

Installed with Greenroom. It imports pytest alone until a test asks for a fixture.
"""

# pytest loads it by its entry point in every run, also of projects that never heard of Greenroom:
# so nothing else at the top (tests/bridges/testing/test_plugin_cost.py), and no autouse fixture.
#
# Who runs the test decides what the fixtures give. On trio (pytest-trio, anyio) the application
# runs in the test's own loop, by an async fixture that those plugins drive. Elsewhere it runs on
# trio in a thread of its own, and the driver is an `Awaiting` (asyncio) or a `Blocking` (plain
# functions).

import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from trio.testing import MockClock

_OPTIONS = {"crashes", "threads", "static", "timeout"}
_DATABASES = (
    "db",
    "transactional_db",
    "django_db_reset_sequences",
    "django_db_serialized_rollback",
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers",
        "greenroom(crashes='raise', threads='pool', static=True, timeout=10): how the fixtures"
        " greenroom_server and live_greenroom serve the application of this test",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Have what communicators were left with end, before fixtures end the test's transaction."""
    communicators = sys.modules.get("greenroom.bridges.channels.testing._loop")
    if communicators is not None:
        communicators.end_what_is_left()


@pytest.fixture
def greenroom_application() -> Callable[..., Any]:
    """The application that is tested: the project's ASGI_APPLICATION, unless overridden."""
    from ..django._testing import project_application

    return project_application()


@pytest.fixture
def greenroom_clock() -> "MockClock":
    """
    A virtual clock, on which the application of `greenroom_server` runs: waits take no time.

    Under pytest-trio the test itself runs on it, too, and has to name it. With anyio on trio it
    is for the fixture ``anyio_backend`` to give it to the loop.
    """
    from ._clock import virtual_clock

    return virtual_clock()


@pytest.fixture
def greenroom_server(request: pytest.FixtureRequest) -> Generator[Any, None, None]:
    """
    The driver of the application, running: a ServerDriver, or in a plain test a BlockingServer.

    A crash that the test did not ask for is the test's error, and so is what is left at its end.
    """
    _database_first(request)
    if _runs_on_trio(request) or "anyio_backend" in request.fixturenames:
        yield request.getfixturevalue("_greenroom_server_in_loop")
        return
    from ._running import serving_elsewhere
    from ._sharing import lent_to_orm_thread, share_connections

    options = _options(request)
    with (
        share_connections(in_memory=True),
        lent_to_orm_thread() if _is_async(request) else nullcontext(),
        serving_elsewhere(
            request.getfixturevalue("greenroom_application"),
            clock=_clock(request),
            flavour=_flavour(request),
            timeout=options.get("timeout", 10.0),
            threads=options.get("threads", "pool"),
            crashes=options.get("crashes", "raise"),
        ) as server,
    ):
        yield server


@pytest.fixture
async def _greenroom_server_in_loop(
    request: pytest.FixtureRequest,
    greenroom_application: Callable[..., Any],
) -> AsyncGenerator[Any, None]:
    """For plugins that run async fixtures in the loop of the test."""
    from ._clock import for_this_loop
    from ._running import open_server
    from ._sharing import share_connections

    options = _options(request)
    with share_connections(in_memory=True):
        async with open_server(
            greenroom_application,
            clock=for_this_loop(_clock(request)),
            timeout=options.get("timeout", 10.0),
            threads=options.get("threads", "pool"),
            crashes=options.get("crashes", "raise"),
        ) as server:
            yield server


@pytest.fixture
def live_greenroom(
    request: pytest.FixtureRequest, greenroom_application: Callable[..., Any]
) -> Generator[Any, None, None]:
    """
    The application behind the real hypercorn trio worker, in a thread, on a free port.

    A LiveServer, with `url` and `ws_url`; its methods are coroutines in an async test, and block in
    a plain one. It sees the test's data; crashes are as for `greenroom_server`.
    """
    _database_first(request)
    from ._live import live_server
    from ._sharing import lent_to_orm_thread, share_connections

    options, serve = _options(request), cast("Any", live_server)
    with (
        share_connections(in_memory=True),
        lent_to_orm_thread() if _is_async(request) else nullcontext(),
        serve(
            greenroom_application,
            static=options.get("static", True),
            crashes=options.get("crashes", "raise"),
            flavour=_flavour(request),
        ) as server,
    ):
        yield server


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """
    Return what the test's mark says, the nearest first.

    Raises:
        pytest.UsageError: It says what there is not.
    """
    found: dict[str, Any] = {}
    for mark in request.node.iter_markers("greenroom"):
        unknown = sorted(set(mark.kwargs) - _OPTIONS)
        if mark.args or unknown:
            got = unknown or [repr(each) for each in mark.args]
            raise pytest.UsageError(
                f"@pytest.mark.greenroom takes {', '.join(sorted(_OPTIONS))}, by name."
                f" Got: {', '.join(got)}"
            )
        found = {**mark.kwargs, **found}
    return found


def _database_first(request: pytest.FixtureRequest) -> None:
    """Have pytest-django open the test's transaction before it is lent to anybody."""
    for name in _DATABASES:
        if name in request.fixturenames:
            request.getfixturevalue(name)


def _clock(request: pytest.FixtureRequest) -> "MockClock | None":
    named = "greenroom_clock" in request.fixturenames
    return request.getfixturevalue("greenroom_clock") if named else None


def _runs_on_trio(request: pytest.FixtureRequest) -> bool:
    """Whether it is pytest-trio that runs the test."""
    has_plugin = request.config.pluginmanager.hasplugin("trio")
    return has_plugin and request.node.get_closest_marker("trio") is not None


def _flavour(request: pytest.FixtureRequest) -> Any:
    return "async" if _is_async(request) else "blocking"


def _is_async(request: pytest.FixtureRequest) -> bool:
    return inspect.iscoroutinefunction(request.function)
