# Consumers of HTTP among the routes of a real project: the ORM in their threads, views beside them.

from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.test_database import open_database_files

from greenroom.bridges.testing._event_decoder import EventDecoder

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc: run it on Linux"),
]


def test_the_orm_in_consumers(serve: Any, until: Any) -> None:
    """
    def handlers store and read, a feed tells of it, views see it, and no connection stays open.
    """
    with serve("mysite.consumed:application", "--workers", "0") as server:
        address = f"http://{server.host}"
        with httpx.Client(base_url=address, timeout=30) as client:
            with client.stream("GET", "/api/feed/") as feed:
                decoder, parts = EventDecoder(), feed.iter_raw()
                (first,) = decoder.feed(next(parts))
                assert (first.data, first.event) == ("0", "count")
                for number in range(20):
                    answer = client.post("/api/notes/", content=f"note {number}")
                    assert (answer.status_code, answer.json()) == (201, {"count": number + 1})
                    events = decoder.feed(next(parts))
                    assert [event.data for event in events] == [f"note {number}"]
            assert client.get("/api/notes/").json() == [f"note {number}" for number in range(20)]
            assert "note 19" in client.get("/notes/").text
            assert client.get("/nowhere/").status_code == 404
        until(lambda: open_database_files(server.process.pid) == 0)
