# What is told only to those who may see tracebacks: tracebacks, stacks, and the text of exceptions,
# which is the last line of a traceback, and as a rule says what the message or the state was
# (`KeyError: 'what a user wrote'`). The names of exceptions are told to whoever may see the tree.
# Pure.
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_hidden.py:
#   HIDDEN    none of them is left, wherever it stands in an answer.
#   NOTHING ELSE  what is no exception's text stays as it is.

import re
from collections.abc import Mapping
from typing import cast

SECRET = frozenset({"traceback", "stack", "stacks"})
"""What is left out whole."""

_ERRORS = frozenset({"error", "exception"})
"""Facts that say what was raised, as ``ValueError: sold out``."""
_ENDS = frozenset({"reason", "outcome", "state_problem"})
"""What says how something ended, in words that may have an exception in them."""
_ENDED = re.compile(
    r"((?:crashed|failed to start|could not describe itself): [^:]*): .*", re.DOTALL
)


def without_secrets(value: object) -> object:
    """Return *value* with nothing in it that only those may see who may see tracebacks."""
    if isinstance(value, Mapping):
        found = cast("Mapping[str, object]", value)
        is_crash = "exception" in found and "text" in found
        return {
            name: None if name in SECRET or (is_crash and name == "text") else _told(name, each)
            for name, each in found.items()
        }
    if isinstance(value, list):
        return [without_secrets(each) for each in cast("list[object]", value)]
    return value


def without_text(said: str) -> str:
    """Return *said*, how something ended, without the text of an exception."""
    return _ENDED.sub(r"\1", said)


def _told(name: str, value: object) -> object:
    if name == "facts" and isinstance(value, Mapping):
        facts = cast("Mapping[str, object]", value)
        value = {each: _fact(each, fact) for each, fact in facts.items()}
    if name in _ENDS and isinstance(value, str):
        return without_text(value)
    return without_secrets(value)


def _fact(name: str, fact: object) -> object:
    return fact.partition(": ")[0] if name in _ERRORS and isinstance(fact, str) else fact
