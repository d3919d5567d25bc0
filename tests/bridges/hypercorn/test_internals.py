# What is needed of hypercorn's inside, taken away piece by piece. That a server goes on without
# is seen in tests/e2e/test_other_hypercorns.py.

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest
from django.core.checks import WARNING

from greenroom.bridges.django.checks import check_hypercorn
from greenroom.bridges.hypercorn import _internals
from greenroom.bridges.hypercorn._internals import (
    NEEDED,
    NEEDED_FOR_QUIC,
    find,
    missing,
    problem,
    unknown,
)

ALL = {**NEEDED, **NEEDED_FOR_QUIC}
LINES = [(module, line) for module, lines in ALL.items() for line in lines]
CALLED = [(module, line) for module, line in LINES if "(" in line]
AWAITED = [(module, line) for module, line in LINES if line.startswith("async ")]


def put(monkeypatch: pytest.MonkeyPatch, module: str, line: str, what: object) -> None:
    """Have *what* stand where *line* of *module* says; nothing, if it is None."""
    name = line.removeprefix("async ").partition("(")[0]
    owner, dot, last = name.rpartition(".")
    place: Any = importlib.import_module(module)
    if dot and what is None:
        monkeypatch.setattr(place, owner, type(owner, (), {}))
    elif dot:
        monkeypatch.setattr(place, owner, type(owner, (), {last: what}))
    elif what is None:
        monkeypatch.delattr(place, last)
    else:
        monkeypatch.setattr(place, last, what)


def function(parameters: str) -> object:
    """A function with these parameters that is not async."""
    made: dict[str, object] = {}
    exec(f"def function({parameters}): pass", made)
    return made["function"]


def test_what_is_installed_lacks_nothing() -> None:
    """
    The hypercorn that is tested with is a known one, with everything that is needed.
    """
    assert problem() == ""
    assert problem(needs=NEEDED_FOR_QUIC) == ""


@pytest.mark.parametrize(("module", "line"), LINES)
def test_named(module: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What is missing is named, whichever it is, beside the version and what that means.
    """
    put(monkeypatch, module, line, None)

    said = missing("0.18.7", {module: [line]})
    assert said.startswith(f"hypercorn 0.18.7 lacks what Greenroom needs of it ({module}: {line})")
    assert "may end the server" in said


@pytest.mark.parametrize("module", ALL)
def test_a_module_that_is_gone_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A module that can't be imported is named, and not each thing in it.
    """
    monkeypatch.setitem(sys.modules, module, None)

    assert f"({module}): " in missing("0.18.7", {module: ALL[module]})


@pytest.mark.parametrize(("module", "line"), CALLED)
def test_another_parameter_is_named(
    module: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What takes one parameter more than it did is as good as missing.
    """
    put(monkeypatch, module, line, function("self, event, something_new"))

    assert f"{module}: {line}" in missing("0.18.7", {module: [line]})


@pytest.mark.parametrize(("module", "line"), AWAITED)
def test_what_is_awaited_no_more_is_named(
    module: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What was async and is not is as good as missing.
    """
    put(monkeypatch, module, line, function(line.partition("(")[2].rstrip(")")))

    assert f"{module}: {line}" in missing("0.18.7", {module: [line]})


def test_no_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A module, a name, a signature or a metaclass that raises is missing, and that is all.
    """

    class Trap(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise ZeroDivisionError(name)

    class Meta(type):
        @property
        def __signature__(cls) -> object:
            raise ZeroDivisionError

        def __getattribute__(cls, name: str) -> object:
            if name == "run":
                raise ZeroDivisionError
            return super().__getattribute__(name)

    class TCPServer(metaclass=Meta):
        pass

    monkeypatch.setitem(sys.modules, "hypercorn.events", Trap("hypercorn.events"))
    monkeypatch.setattr("hypercorn.trio.tcp_server.TCPServer", TCPServer)
    said = problem("0.18.0")

    assert "hypercorn.events: Closed(), hypercorn.events: Event, " in said
    assert "and 7 more): " in said


def test_no_hypercorn_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where it is not installed, that is said and nothing is raised.
    """

    def version(name: str) -> str:
        raise _internals.PackageNotFoundError(name)

    monkeypatch.setattr(_internals, "version", version)

    assert problem().startswith("hypercorn of no version is unknown")


@pytest.mark.parametrize("installed", ["0.17.3", "0.180.0", "0.19.0", "1.0"])
def test_unknown_versions(installed: str) -> None:
    """
    A version that nobody has looked at is unknown, however much it has of what is needed.
    """
    assert f"hypercorn {installed} is unknown" in unknown(installed)
    assert problem(installed) == unknown(installed)


def test_the_system_check_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    W003 is there when connections can't be replaced, in the words of the warning.
    """
    assert check_hypercorn() == []

    monkeypatch.delattr("hypercorn.events.RawData")
    (message,) = check_hypercorn()

    assert (message.id, message.level) == ("greenroom.W003", WARNING)
    assert message.msg == f"{problem()}."
    assert "hypercorn.events: RawData(data, address)" in message.msg


def test_what_is_not_found_has_no_instances() -> None:
    """
    A class that hypercorn does not have is one of which nothing is an instance.
    """
    assert not isinstance(object(), find("hypercorn.nowhere", "Nothing"))
    assert not isinstance(object(), find("hypercorn.events", "Nothing"))
    assert find("hypercorn.events", "RawData").__name__ == "RawData"
