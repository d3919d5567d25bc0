# The end of a server whose async views refuse to end.

from pathlib import Path

import pytest
from e2e._asyncs import FOLDER, Asyncs
from e2e.conftest import serve_project

pytestmark = pytest.mark.slow


def test_what_refuses_to_end_on_asyncio(tmp_path: Path) -> None:
    """
    A task and a stream that no cancellation ends do not keep the server up; they are named.
    """
    settings = 'GREENROOM = {"SHUTDOWN_SECONDS": 1.0}'
    with serve_project(
        "asyncsite.asgi:application",
        "--graceful-timeout",
        "0",
        folder=FOLDER,
        ASYNCS_FOLDER=str(tmp_path),
        ASYNCS_SETTINGS=settings,
    ) as served:
        server = Asyncs(served, tmp_path)
        with server.reader("/asyncio/stubborn/") as client:
            client.until(b"the beginning")
            assert served.stop() == 0, served.output
        server.close()

    assert "a stubborn task does not end, though it was cancelled: refuses (" in served.output
    assert "GET '/asyncio/stubborn/' does not end, though it was cancelled" in served.output
