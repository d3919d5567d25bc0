# The live feed at the admin's own URL, behind the real trio worker with two workers.

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from e2e.conftest import MEMBER, SECONDS, STAFF, Served

from greenroom.bridges.inspection import gather
from greenroom.bridges.testing._event_decoder import EventDecoder

pytestmark = pytest.mark.slow

FEED = "/admin/greenroom/feed/"
COUNTER = "/residents/counter"


@pytest.fixture
def directory() -> Iterator[Path]:
    """
    Where the sockets are; by a short path, since that of a socket must be.
    """
    with TemporaryDirectory() as made:
        yield Path(made) / "d"


@contextmanager
def visitor(server: Served, who: tuple[str, str] | None = None) -> Iterator[httpx.Client]:
    """A client, logged in by the admin's form as *who*."""
    with httpx.Client(base_url=f"http://{server.host}", timeout=SECONDS) as client:
        if who is not None:
            page = client.get("/admin/login/").text
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
            assert token
            name, password = who
            form = {"csrfmiddlewaretoken": token[1], "username": name, "password": password}
            client.post("/admin/login/", data=form, headers={"referer": str(client.base_url)})
        yield client


@contextmanager
def feed(client: httpx.Client) -> Iterator[Iterator[dict[str, Any]]]:
    """The updates of the feed."""
    with client.stream("GET", FEED) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        decoder = EventDecoder("")
        yield (
            json.loads(event.data)
            for part in response.iter_raw()
            for event in decoder.feed(part)
            if event.event == "changed"
        )


def test_it_tells_of_all_processes(serve: Any, directory: Path, until: Any) -> None:
    """
    Whichever worker the stream is in, it tells what happens in each of them, and one that has
    ended is gone from it; who may not see the tree does not hear it.
    """
    options = json.dumps({"INSPECTION_DIR": str(directory)})
    with serve(
        "mysite.asgi:application", "--workers", "2", GREENROOM_TEST_OPTIONS=options
    ) as server:
        for who in (None, MEMBER):
            with visitor(server, who) as client:
                assert client.get(FEED).status_code == 403
        # One that is not counted here would be heard of below, and waited for in vain.
        until(lambda: len(gather({"ask": "tree"}, directory).answered) == 2)
        processes = [each.id for each in gather({"ask": "tree"}, directory, seconds=10).answered]
        with visitor(server, STAFF) as client, feed(client) as updates:
            next(updates)
            heard: set[str] = set()
            while heard != set(processes):
                for process in set(processes) - heard:
                    question = {
                        "ask": "act",
                        "action": "restart",
                        "path": COUNTER,
                        "by": "a test",
                        "reason": "",
                    }
                    gather(question, directory, seconds=10, only=process)
                told = next(updates)["processes"]
                heard |= {name for name, said in told.items() if COUNTER in said["paths"]}
        assert server.stop() == 0
        assert "Traceback" not in server.output
