import json
from importlib import import_module

from greenroom.bridges.testing import serve

TOKEN = "a-token-that-nobody-guesses"


async def test_ops(monkeypatch, tmp_path):
    monkeypatch.setenv("OPS_TOKEN", TOKEN)
    monkeypatch.setenv("OPS_DIRECTORY", str(tmp_path / "run"))
    application = import_module("ops").application
    bearer = [("authorization", f"Bearer {TOKEN}")]
    async with serve(application) as server:
        assert (await server.http("GET", "/ops/api/v1/tree")).status == 401
        answer = await server.http("GET", "/ops/api/v1/tree?path=/residents", headers=bearer)
        (said,) = json.loads(answer.body)["answers"]
        assert [row["path"] for row in said["answer"]["rows"]] == ["/residents/clock"]
        page = await server.http("GET", "/ops/", headers=bearer)
        assert b"/residents" in page.body
