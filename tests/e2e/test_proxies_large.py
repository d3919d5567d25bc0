# Large uploads and downloads through the proxies, and what they cost the worker in memory. The
# printed configurations, but for nginx's limit of uploads.

import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from e2e._memory import Memory

pytestmark = pytest.mark.slow

MIB = 2**20
BLOCK = 65536
GROWTH = 7 * MIB
"""What a worker may take more at its peak; less than the smallest body here."""

sizes = pytest.mark.parametrize(
    "size",
    [pytest.param(8 * MIB, id="8"), pytest.param(200 * MIB, id="200", marks=pytest.mark.long)],
)


@pytest.fixture(scope="module")
def changes() -> dict[str, str]:
    """
    Let all of it through nginx.
    """
    return {"client_max_body_size 50m": "client_max_body_size 1g"}


def blocks(size: int) -> Iterator[bytes]:
    """What is sent, either way: no block is like another."""
    return (n.to_bytes(8, "big") * (BLOCK // 8) for n in range(size // BLOCK))


def digest(size: int) -> str:
    """What came must have this one."""
    whole = hashlib.sha256()
    for block in blocks(size):
        whole.update(block)
    return whole.hexdigest()


def upload(door: Any, size: int, *, chunked: bool = False) -> dict[str, Any]:
    """Send as much; return what the view has seen."""
    headers = {} if chunked else {"Content-Length": f"{size}"}
    with closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=60)) as client:
        client.request("POST", "/digest/", blocks(size), headers, encode_chunked=chunked)
        response = client.getresponse()
        assert response.status == 200
        return json.loads(response.read())


def download(door: Any, size: int) -> dict[str, Any]:
    """Ask for as much; return what has come."""
    with closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=60)) as client:
        client.request("GET", f"/download/?blocks={size // BLOCK}")
        response = client.getresponse()
        assert response.status == 200
        came, found = 0, hashlib.sha256()
        while data := response.read(BLOCK):
            came += len(data)
            found.update(data)
        return {"size": came, "sha256": found.hexdigest()}


@pytest.fixture
def memory(door: Any) -> Memory:
    """
    The worker's, after it has done all of it once in small.
    """
    download(door, 4 * MIB)
    upload(door, 4 * MIB, chunked=True)
    return Memory(upload(door, 4 * MIB)["pid"])


@sizes
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_upload(door: Any, memory: Memory, size: int, chunked: bool) -> None:
    """
    A large body reaches the view whole, and does not pass through the worker's memory as such.
    """
    seen = upload(door, size, chunked=chunked)
    grown = memory.grown()

    assert (seen["size"], seen["sha256"]) == (size, digest(size))
    assert grown < GROWTH


@sizes
def test_a_download(door: Any, memory: Memory, size: int) -> None:
    """
    A large stream of a view reaches the client whole, and is never whole in the worker's memory.
    """
    came = download(door, size)
    grown = memory.grown()

    assert came == {"size": size, "sha256": digest(size)}
    assert grown < GROWTH
