# Runs in Django's folder of tests and stands for its runtests.py, which it runs: the same, but
# with async tests on trio, and with our handler where the tests ask for Django's.

import importlib
import runpy
import sys
from typing import Any

import django

_WITH_ASYNCIO = ("asgi.tests", "asgi.urls", "cache.tests_async", "decorators.tests")
"""Test modules that wait with asyncio's own functions."""

_setup = django.setup


def main(arguments: list[str]) -> None:
    """Run Django's runtests.py with *arguments*."""
    django.setup = setup
    sys.path.insert(0, ".")
    sys.argv = ["runtests.py", *arguments]
    runpy.run_path("runtests.py", run_name="__main__")


def setup(set_prefix: bool = True) -> None:
    """Set Django up, then put ours in the place of what its tests use."""
    _setup(set_prefix)

    from djangotests.asyncio_on_trio import AsyncioOnTrio
    from djangotests.communicator import ApplicationCommunicator
    from djangotests.on_trio import serve_async_tests

    from greenroom.bridges.django import DjangoApplication
    from greenroom.bridges.django._on_trio import teach_asgiref

    teach_asgiref()
    serve_async_tests()
    translate(AsyncioOnTrio("asyncio"))
    asgi = importlib.import_module("django.core.asgi")
    testing = importlib.import_module("asgiref.testing")
    asgi.ASGIHandler = DjangoApplication  # type: ignore[attr-defined]
    testing.ApplicationCommunicator = ApplicationCommunicator  # type: ignore[attr-defined]


def translate(stand_in: object) -> None:
    """Have the tests' modules use *stand_in* for asyncio, once they have all been imported."""
    from django.test.runner import DiscoverRunner

    run_suite = DiscoverRunner.run_suite

    def translated(self: DiscoverRunner, suite: Any, **kwargs: Any) -> Any:
        for name in _WITH_ASYNCIO:
            if name in sys.modules:
                sys.modules[name].asyncio = stand_in  # type: ignore[attr-defined]
        return run_suite(self, suite, **kwargs)

    DiscoverRunner.run_suite = translated  # type: ignore[method-assign]


if __name__ == "__main__":
    main(sys.argv[1:])
