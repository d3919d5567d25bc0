# A Django project inside the test process, unless other tests have one; one Redis for the tests of
# this folder; layers are closed when a test is over.

import atexit
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from redis_server import RedisServer, running_redis

FOLDER = Path(tempfile.mkdtemp(prefix="greenroom-layers-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "greenroom.bridges.django",
        ],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}
        },
        LOGGING_CONFIG=None,
    )

import_module("greenroom.bridges.django")  # sets Django up


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
