# A Django project inside the test process, unless other tests have one; one Redis for the tests of
# this folder; layers are closed when a test is over.

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_inside import configure
from redis_server import RedisServer, running_redis

configure()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def make_layer(redis_server: RedisServer) -> Iterator[Callable[..., Any]]:
    """Make layers that share a prefix which nobody else has."""
    layers: list[Any] = []
    prefix = f"t{uuid.uuid4().hex[:8]}"

    def make(layer_class: type, **config: Any) -> Any:
        layer = layer_class(**{"hosts": [redis_server.url], "prefix": prefix, **config})
        layers.append(layer)
        return layer

    yield make
    for layer in layers:
        layer.close_soon()
