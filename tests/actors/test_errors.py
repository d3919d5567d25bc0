# How errors are told in one line, whatever they are.

import pytest

from greenroom.actors._errors import described, refuse_unless_seconds


class Unspeakable(ValueError):
    """Its text can't be made, and by something that is no Exception."""

    def __str__(self) -> str:
        raise SystemExit("no text")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no room"), "ValueError: no room"),
        (ValueError(), "ValueError"),
        (Unspeakable(), "Unspeakable: (its text cannot be shown)"),
        (
            ExceptionGroup("g", [ExceptionGroup("h", [KeyError("a")]), ValueError("b")]),
            "ExceptionGroup: g (2 sub-exceptions), first: KeyError: 'a'",
        ),
    ],
)
def test_an_error_in_one_line(error: BaseException, told: str) -> None:
    """
    Type and text, of a group the first error inside as well; never an error about it.
    """
    assert described(error) == told


@pytest.mark.parametrize("value", ["5", None, True])
def test_seconds_are_numbers(value: object) -> None:
    """
    What is no number is named, with what was expected.
    """
    with pytest.raises(TypeError, match="timeout must be a number of seconds. Got: "):
        refuse_unless_seconds("timeout", value)


@pytest.mark.parametrize("value", [-1, float("nan")])
def test_seconds_are_not_negative(value: float) -> None:
    """
    A negative number, and what is not a number, are refused.
    """
    with pytest.raises(ValueError, match="timeout must be 0 seconds or more"):
        refuse_unless_seconds("timeout", value)
