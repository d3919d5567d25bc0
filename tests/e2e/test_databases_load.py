# Many requests and consumers that touch the database, through the real server: how many
# connections are open meanwhile, afterwards and in the end, and whether all threads come to rest.
# In large by `make test-long`, which prints the figures.

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e._databases import ALL, BOUND, Crowd, Kept, Most, database, state
from e2e.conftest import serve_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc: run it on Linux"),
]

NUMBERS = [
    pytest.param((150, 90), id="small"),
    pytest.param((10_000, 10_000), id="large", marks=pytest.mark.long),
]


@pytest.mark.parametrize("kept", ALL, ids=str)
@pytest.mark.parametrize("numbers", NUMBERS)
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
        serve_project("mysite.databases:application", "--workers", "0", **data.env()) as server,
    ):
        pid = server.process.pid
        state(server.port)
        crowd = Crowd(server.port, at_once=12)
        with Most(lambda: data.opened(pid)) as opened:
            crowd.come(*numbers)
        assert (crowd.requests, crowd.consumers) == numbers
        assert 1 <= opened.most <= BOUND, opened.most

        until(lambda: state(server.port)["busy"] == 0)
        first = state(server.port)
        assert first["bound"] == BOUND
        if kept.max_age == 0 and not kept.pool:
            until(lambda: data.opened(pid) == 0)
        at_rest = data.opened(pid)
        assert at_rest <= BOUND
        pooled = [name for name in first["threads"] if name.split("-")[0] in ("views", "consumers", "orm")]
        assert len(pooled) <= BOUND, first["threads"]

        began = time.monotonic()
        assert server.stop() == 0
        ending = time.monotonic() - began
        if postgres is not None:
            until(lambda: data.opened(pid) == 0)
        print(
            f"\n{kept}: {numbers[0]} requests and {numbers[1]} consumers in {crowd.seconds:.1f} s;"
            f" most open {opened.most} of {BOUND} in {opened.looks} looks; at rest {at_rest},"
            f" threads {len(pooled)}; after the end 0; it took {ending:.1f} s"
        )
