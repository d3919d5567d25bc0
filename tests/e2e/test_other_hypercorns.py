# A hypercorn that Greenroom does not know, or that lacks what it needs: it is left alone, and
# serves by itself.

from collections.abc import Iterator

import pytest
from e2e._server import Server, ask, dial, in_thread

pytestmark = pytest.mark.slow

OTHERS = {
    "version": "hypercorn 0.99.0 is unknown to this Greenroom",
    "event": "(hypercorn.events: RawData(data, address)):",
    "method": "(hypercorn.trio.tcp_server: async TCPServer.protocol_send(self, event)):",
    "parameter": "TCPServer(app, config, context, state, stream)):",
    "wrapper": "(hypercorn.trio.worker_context: EventWrapper(), ",
    "module": "(hypercorn.trio.tcp_server):",
    "protocols": "(hypercorn.protocol.h11: H11Protocol.send, hypercorn.protocol.ws_stream):",
}


@pytest.fixture(params=OTHERS)
def other(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server]]:
    """A server whose hypercorn is another one, and what is said of it."""
    environment = {"OTHER_HYPERCORN": request.param}
    with Server("other_hypercorns:application", env=environment) as server:
        yield OTHERS[request.param], server


async def test_it_serves_by_itself(other: tuple[str, Server]) -> None:
    """
    Greenroom can be imported, one warning names what is missing, and requests and sockets work.
    """
    reason, server = other
    assert (await in_thread(server.facts))["pid"]
    async with dial(server, "/echo") as socket:
        assert await ask(socket, "hello") == "hello"

    assert "Traceback" not in server.output
    said = server.output.splitlines()
    warnings = [line for line in said if "connections are left as they are" in line]
    assert len(warnings) == 1
    assert reason in warnings[0]
