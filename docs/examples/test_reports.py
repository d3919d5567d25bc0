# Tests of docs/examples/reports.py, for pytest with pytest-trio (trio_mode = true).
import hashlib

import pytest
from greenroom.bridges.testing import serve, virtual_clock

from reports import Approval, Export, Report, Upload


@pytest.fixture
def clock():
    """Waits take no time: pytest-trio runs the test on this clock."""
    return virtual_clock()


async def test_report():
    async with serve(Report.as_asgi()) as server:
        answer = await server.http("GET", "/?year=2026")
        assert (answer.status, answer.body) == (200, b'{"year":2026,"rows":3}')
        assert (await server.http("GET", "/")).status == 400


async def test_approval(clock):
    async with serve(Approval.as_asgi()) as server:
        async with server.request("POST", "/") as request:
            await request.no_answer(5)  # the handler has returned, and nobody has decided
            server.root.groups.send("approvals", {"type": "decided", "by": "ann", "what": "yes"})
            assert await request.begun() == 200
            assert await request.read() == b"ann says yes\n"
        assert (await server.http("POST", "/")).status == 202


async def test_export():
    async with serve(Export.as_asgi()) as server, server.request("GET", "/") as request:
        assert await request.begun() == 200
        assert await request.receive() == b"row,0\n"
        assert await request.read() == b"row,1\nrow,2\n"


async def test_upload(capsys):
    key = [("authorization", "Bearer secret")]
    async with serve(Upload.as_asgi()) as server:
        async with server.request("POST", "/", headers=key, body=None) as request:
            request.send_part(b"one")
            request.send_part(b"two", last=True)
            assert await request.begun() == 201
            assert hashlib.sha256(b"onetwo").hexdigest() in (await request.read()).decode()
        assert (await server.http("POST", "/", body=b"x")).status == 401
        async with server.request("POST", "/", headers=key, body=None) as request:
            request.send_part(b"one")
            request.leave()
    assert capsys.readouterr().out.split("\n")[0] == "upload: answered"
