# Many requests and consumers that touch the database, through the real server: how many
# connections are open meanwhile, afterwards and in the end, and whether all threads come to rest.
# In large by `make test-long`, which prints the figures.

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e._databases import ALL, BOUND, POOLS, Crowd, Kept, Most, database, state
from e2e.conftest import serve_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc: run it on Linux"),
]

SMALL = [Kept("sqlite", 0), Kept("sqlite", None), Kept("postgres", 60), Kept("postgres", pool=True)]
CASES = [
    *(pytest.param(kept, (150, 90), id=f"small-{kept}") for kept in SMALL),
    *(pytest.param(kept, (10_000, 10_000), id=f"{kept}", marks=pytest.mark.long) for kept in ALL),
]


@pytest.mark.parametrize(("kept", "numbers"), CASES)
def test_connections_are_bounded_and_none_is_left(
    kept: Kept,
    numbers: tuple[int, int],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    until: Callable[[Callable[[], bool]], None],
) -> None:
    """
    Never more connections than threads; afterwards those of CONN_MAX_AGE alone, in the end none.
    """
    postgres: Any = request.getfixturevalue("postgres") if kept.engine == "postgres" else None
    with (
        database(kept, postgres, tmp_path) as data,
        serve_project("mysite.databases:application", **data.env()) as server,
    ):
        pid = state(server.port)["pid"]
        crowd = Crowd(server.port, at_once=12)
        with Most(lambda: data.opened(pid)) as opened:
            crowd.come(*numbers)
        assert (crowd.requests, crowd.consumers) == numbers
        # Counted where they are opened. Seen from outside, one that its thread has closed and
        # replaced may still be there for a moment: a session that ends, or a file that SQLite
        # closes when nobody has a lock on it.
        counts = state(server.port)
        assert 1 <= counts["most"] <= BOUND, counts
        allowed = BOUND if postgres and kept.max_age is None else 2 * BOUND
        assert 1 <= opened.most <= allowed, opened.most

        until(lambda: state(server.port)["busy"] == 0)
        threads = state(server.port)["threads"]
        pooled = [name for name in threads if name.rpartition("-")[0] in POOLS]
        assert 3 <= len(pooled) <= BOUND, threads
        if kept.max_age == 0 and not kept.pool:
            until(lambda: data.opened(pid) == 0)
        at_rest = data.opened(pid)
        assert at_rest <= BOUND
        began = time.monotonic()
        assert server.stop() == 0
        ending = time.monotonic() - began
        until(lambda: data.opened(pid) == 0)
        print(
            f"\n{kept}: {numbers[0]} requests and {numbers[1]} consumers in {crowd.seconds:.1f} s;"
            f" most open {counts['most']} of {BOUND}, from outside {opened.most} in {opened.looks}"
            f" looks; opened {counts['ever']}; at rest {at_rest}, threads {len(pooled)};"
            f" after the end 0; it took {ending:.1f} s"
        )


def test_async_views_open_no_more_connections(tmp_path: Path) -> None:
    """
    With async views, too, there are no more connections than threads.
    """
    with (
        database(Kept("sqlite", 60), None, tmp_path) as data,
        serve_project("mysite.databases:application", **data.env()) as server,
    ):
        Crowd(server.port, at_once=12, paths=("/db/async/",)).come(150, 0)
        assert 1 <= state(server.port)["most"] <= BOUND
