# Runs in Django's folder of tests and stands for its runtests.py, which it runs: the same, but
# with async tests on trio, and with our handler where the tests ask for Django's.

import atexit
import importlib
import json
import os
import runpy
import sys
import unittest
from pathlib import Path
from typing import Any

import django
from django.conf import settings

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
    settings.GREENROOM = {"ASYNC_VIEWS": os.environ["GREENROOM_ASYNC_VIEWS"]}
    _setup(set_prefix)

    from djangotests.asyncio_on_trio import AsyncioOnTrio
    from djangotests.communicator import ApplicationCommunicator
    from djangotests.on_trio import serve_async_tests
    from greenroom.bridges.django import DjangoApplication
    from greenroom.bridges.django._on_trio import teach_asgiref

    teach_asgiref()
    serve_async_tests()
    translate(AsyncioOnTrio("asyncio"))
    record(Path(os.environ["GREENROOM_OUTCOME"]))
    asgi = importlib.import_module("django.core.asgi")
    testing = importlib.import_module("asgiref.testing")
    asgi.ASGIHandler = DjangoApplication  # type: ignore[attr-defined]
    testing.ApplicationCommunicator = ApplicationCommunicator  # type: ignore[attr-defined]


def translate(stand_in: object) -> None:
    """Have the tests' modules use *stand_in* for asyncio, once they have all been imported."""
    from django.test.runner import DiscoverRunner

    from greenroom.bridges.django import DjangoApplication

    run_suite = DiscoverRunner.run_suite

    def translated(self: DiscoverRunner, suite: Any, **kwargs: Any) -> Any:
        for name in _WITH_ASYNCIO:
            if name in sys.modules:
                module: Any = sys.modules[name]
                module.asyncio = stand_in
                if hasattr(module, "ASGIHandler"):  # it makes subclasses
                    module.ASGIHandler = DjangoApplication
        return run_suite(self, suite, **kwargs)

    DiscoverRunner.run_suite = translated  # type: ignore[method-assign]


def record(outcome: Path) -> None:
    """Write to *outcome*, at the end, how each test ended."""
    ended: dict[str, dict[str, None]] = {"passed": {}, "failed": {}, "skipped": {}}
    telling = {
        "addSuccess": "passed",
        "addExpectedFailure": "passed",
        "addFailure": "failed",
        "addError": "failed",
        "addUnexpectedSuccess": "failed",
        "addSkip": "skipped",
    }
    for method, how in telling.items():
        _tell(method, ended[how])
    add_sub_test = unittest.TestResult.addSubTest

    def sub_test(self: Any, test: Any, sub: Any, error: Any) -> None:
        if error is not None:
            ended["failed"][test.id()] = None
        add_sub_test(self, test, sub, error)

    unittest.TestResult.addSubTest = sub_test  # type: ignore[method-assign]

    def write() -> None:
        for name in ended["failed"]:
            ended["passed"].pop(name, None)
        outcome.write_text(json.dumps({how: list(names) for how, names in ended.items()}))

    atexit.register(write)


def _tell(method: str, names: dict[str, None]) -> None:
    original: Any = getattr(unittest.TestResult, method)

    def telling(self: Any, test: Any, *details: Any) -> None:
        names[test.id()] = None
        original(self, test, *details)

    setattr(unittest.TestResult, method, telling)


if __name__ == "__main__":
    main(sys.argv[1:])
