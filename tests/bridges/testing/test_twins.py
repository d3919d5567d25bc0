# What a driver keeps of an error that no test has asked for: another of its kind, of plain data.

from typing import Any

import pytest

from greenroom.bridges.testing._journal import _twin_of


class Odd(Exception):
    """Is made in a way of its own."""

    def __new__(cls, one: int, two: int) -> "Odd":
        return super().__new__(cls)

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raised(error: BaseException) -> BaseException:
    """Return *error* with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def test_of_a_group() -> None:
    """
    A group of errors has a twin as well, with twins of what is in it.
    """
    inner: Any = ValueError("no room", object())
    error = raised(ExceptionGroup("two", [inner, ExceptionGroup("one", [KeyError("a")])]))
    twin = _twin_of(error)
    assert isinstance(twin, ExceptionGroup)
    assert twin.message == "two"
    first, second = twin.exceptions
    assert (type(first), first.args[0], type(first.args[1])) == (ValueError, "no room", str)
    assert isinstance(second, ExceptionGroup)
    assert twin.__traceback__ is None
    assert "raise error" in twin.__notes__[0]


@pytest.mark.parametrize("error", [Odd(1, 2)])
def test_of_what_can_not_be_made(error: BaseException) -> None:
    """
    What is made in a way of its own is told of in words.
    """
    twin = _twin_of(raised(error))
    assert (type(twin), str(twin)) == (RuntimeError, "Odd: 1 and 2")
