# Where hypercorn 0.18 serving by itself and the connection handler differ: the table in
# docs/explanation/plain-asgi.md, as tests. Each fails on the day that its row is not true any
# more, so that the row goes too. More of them stand where their subjects are, with the same marks.

from collections import Counter
from collections.abc import Iterator

import pytest
from e2e._server import Server, ask, dial, in_thread

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for those that do not end it."""
    with Server("sockets:application") as server:
        server.fresh = server.facts()
        yield server


async def test_codes_and_reasons_arrive(server: Server) -> None:
    """
    `disconnect` is told the code that the client closes with, also where hypercorn says 1006.
    """
    async with dial(server, "/echo") as socket:
        await socket.aclose(4001, "bye")

    await in_thread(server.until_count, "echo disconnect 4001", 1)


@pytest.mark.handler
async def test_a_socket_costs_one_task(server: Server) -> None:
    """
    The actor runs in the server's own task, and nothing beside it.
    """
    async with dial(server, "/echo") as socket:
        await ask(socket, "hi")
        expected = {"trio._highlevel_serve_listeners._run_handler": 1}
        await in_thread(
            server.until,
            "one task",
            lambda: Counter(server.facts()["tasks"]) - Counter(server.fresh["tasks"]) == expected,
        )


@pytest.mark.plain_asgi
async def test_a_socket_costs_four_tasks(server: Server) -> None:
    """
    Limit: hypercorn's task, the actor in another of hypercorn's, and a reader and a writer.
    """
    async with dial(server, "/echo") as socket:
        await ask(socket, "hi")
        path = (await in_thread(server.slot, "echo"))["path"]
        expected = {
            "trio._highlevel_serve_listeners._run_handler": 1,
            "hypercorn.trio.task_group._handle": 1,
            f"{path} reader": 1,
            f"{path} writer": 1,
        }
        await in_thread(
            server.until,
            "four tasks",
            lambda: Counter(server.facts()["tasks"]) - Counter(server.fresh["tasks"]) == expected,
        )
