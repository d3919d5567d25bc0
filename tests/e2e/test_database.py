# Database connections of a real server, counted by the operating system.

import http.client
from pathlib import Path
from typing import Any

import pytest
from trio_websocket import open_websocket_url

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc: run it on Linux"),
]


def open_database_files(pid: int) -> int:
    """Count the descriptors of process *pid* that lead to a SQLite file."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += ".sqlite3" in str(entry.readlink())
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


async def test_no_connection_stays_open(serve: Any, until: Any) -> None:
    """
    After views and `def` handlers have used the ORM, idle threads hold no connection.
    """
    with serve("mysite.asgi:application", "--workers", "0") as server:
        for number in range(20):
            url = f"ws://{server.host}/ws/notes/"
            async with open_websocket_url(url) as socket:
                await socket.send_message(f"note {number}")
                assert await socket.get_message() == str(number + 1)
        for _ in range(20):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", "/notes/")
            assert b"note 19" in connection.getresponse().read()
            connection.close()

        until(lambda: open_database_files(server.process.pid) == 0)
