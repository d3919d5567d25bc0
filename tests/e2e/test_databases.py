# Transactions, and what becomes of connections when something goes wrong, on a real server with
# SQLite and with PostgreSQL.

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from e2e._databases import BOUND, POOLS, Database, Kept, ask, database, state
from e2e._postgres import Postgres
from e2e.conftest import Served, serve_project
from trio_websocket import WebSocketConnection, open_websocket_url

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc: run it on Linux"),
]

Until = Callable[[Callable[[], bool]], None]
POSTGRES = [Kept("postgres", 0), Kept("postgres", None), Kept("postgres", pool=True)]


class Site(NamedTuple):
    """A server, and the database behind it."""

    server: Served
    data: Database

    @property
    def port(self) -> int:
        return self.server.port

    def socket(self, path: str = "ws/") -> Any:
        return open_websocket_url(f"ws://127.0.0.1:{self.port}/{path}")

    def count(self, text: str) -> int:
        return json.loads(ask(self.port, f"/db/count/?text={text}")[1])["count"]


@pytest.fixture(scope="module", params=[Kept("sqlite", 60), *POSTGRES], ids=str)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """One server for all that does not end it."""
    kept: Kept = request.param
    postgres: Any = request.getfixturevalue("postgres") if kept.engine == "postgres" else None
    with (
        database(kept, postgres, tmp_path_factory.mktemp("databases")) as data,
        serve_project("mysite.databases:application", **data.env()) as server,
    ):
        yield Site(server, data)


async def told(socket: WebSocketConnection, text: str) -> Any:
    await socket.send_message(text)
    return await socket.get_message()


async def test_on_commit_tells_of_what_is_there(site: Site, until: Until) -> None:
    """
    What a view and a handler write is told to a group and a resident, who find it there.
    """
    async with site.socket() as listener:
        assert await told(listener, "join") == "joined"
        assert ask(site.port, "/db/write/?text=by-a-view")[0] == 200
        assert await listener.get_message() == "written by-a-view"
        async with site.socket() as writer:
            assert await told(writer, "write by-a-handler") == "wrote True"
        assert await listener.get_message() == "written by-a-handler"
    until(lambda: ["by-a-view", 1] in state(site.port)["told"])
    until(lambda: ["by-a-handler", 1] in state(site.port)["told"])


async def test_nothing_is_told_of_what_was_rolled_back(site: Site) -> None:
    """
    A view and a handler that raise inside a transaction leave no row, and nobody hears of one.
    """
    async with site.socket() as listener:
        assert await told(listener, "join") == "joined"
        assert ask(site.port, "/db/write/?text=rolled-back&fail")[0] == 500
        async with site.socket() as writer:
            await writer.send_message("fail rolled-back")
            assert await told(writer, "count rolled-back") == "counted 0"  # after its restart
        assert ask(site.port, "/db/write/?text=after")[0] == 200
        assert await listener.get_message() == "written after"
    assert not [text for text, _ in state(site.port)["told"] if text == "rolled-back"]


async def test_a_transaction_left_open_is_rolled_back_and_reported(site: Site) -> None:
    """
    The log names who has left it open; its row is gone, and the thread serves the next.
    """
    for _ in range(2 * BOUND):
        assert ask(site.port, "/db/open/")[0] == 200
    site.server.wait_for("GET '/db/open/' ended inside a transaction on database 'default'")
    async with site.socket() as socket:
        assert await told(socket, "open left-by-a-handler") == "opened"
        assert await told(socket, "count left-by-a-handler") == "counted 0"
    site.server.wait_for("#1 receive ended inside a transaction on database 'default'")
    assert (site.count("left-open"), site.count("left-by-a-handler")) == (0, 0)


async def test_no_crash_leaves_a_connection(site: Site, until: Until) -> None:
    """
    After twenty handlers and twenty views that raised there are as few connections as before.
    """
    for number in range(20):
        assert ask(site.port, f"/db/write/?text=crash-{number}&fail")[0] == 500
        async with site.socket() as socket:
            await socket.send_message("fail crash")
            assert await told(socket, "touch") == "touched 0"
    until(lambda: state(site.port)["busy"] == 0)
    facts = state(site.port)
    threads = [name for name in facts["threads"] if name.rpartition("-")[0] in POOLS]
    assert facts["most"] <= BOUND
    assert facts["now"] <= len(threads) <= BOUND
    assert site.data.opened(facts["pid"]) <= BOUND


@pytest.mark.parametrize("site", POSTGRES, ids=str, indirect=True)
async def test_connections_survive_a_restart_of_the_database(
    site: Site, postgres: Postgres
) -> None:
    """
    When PostgreSQL has restarted, a thread loses one job at most, and then works again.
    """
    async with site.socket() as first, site.socket("ws/async/") as second:
        for _ in range(BOUND):
            assert ask(site.port, "/db/write/?text=before")[0] == 200
            assert await told(first, "touch") == "touched 0"
            assert await told(second, "before") == "counted 1"

        postgres.restart()

        views = [ask(site.port, "/db/write/?text=restarted")[0] for _ in range(4 * BOUND)]
        assert views.count(500) <= BOUND
        assert views[-4:] == [200] * 4
        assert site.count("restarted") == views.count(200)
    async with site.socket() as writer:
        for _ in range(BOUND):
            await writer.send_message("touch")
        assert await writer.get_message() == "touched 0"


def test_too_few_connections_are_told_in_one_line(
    postgres: Postgres, tmp_path: Path, until: Until
) -> None:
    """
    A job that gets no connection from the pool in time fails with psycopg's own words.
    """
    with database(Kept("postgres", pool=True), postgres, tmp_path) as data:
        data.settings["OPTIONS"]["pool"] |= {"max_size": 1, "timeout": 0.2}
        with serve_project("mysite.databases:application", **data.env()) as server:
            # Once the one connection is made, and is given back, there is no need of any time.
            until(lambda: ask(server.port, "/db/count/?text=none")[0] == 200)
            until(lambda: state(server.port)["busy"] == 0)
            assert ask(server.port, "/db/hold/")[0] == 500
            server.wait_for("PoolTimeout: couldn't get a connection after 0.20 sec")
            until(lambda: state(server.port)["busy"] == 0)
            assert ask(server.port, "/db/write/?text=again")[0] == 200
