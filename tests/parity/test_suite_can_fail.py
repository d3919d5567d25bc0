# The suite sees mistakes: some made on purpose in Channels itself, each with the cases for it.

import pytest
from parity._results import run_one
from parity._wrong import MISTAKES

pytestmark = pytest.mark.slow


def test_each_mistake_is_seen_by_its_cases() -> None:
    """
    With a mistake in the library, the cases that look at it observe something else.
    """
    run = run_one("wrong")
    names = [f"{mistake.name}: {name}" for mistake in MISTAKES for name in mistake.cases]

    assert list(run.lines) == names, run.output
    assert [name for name, line in run.lines.items() if line["right"] == "null"] == []
    assert [name for name, line in run.lines.items() if line["right"] == line["wrong"]] == []
