# The page that lists the scenarios, against the tests that play them; and what those may know.

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STANDARD = sys.stdlib_module_names
PAGE = ROOT / "docs" / "reference" / "scenarios.md"


def listed() -> set[str]:
    """The numbers in the first column of the page's first table."""
    table = PAGE.read_text().partition("## Different on purpose")[0]
    numbers: set[str] = set()
    for cell in re.findall(r"^\| ([N0-9][N0-9, to]*) \|", table, re.M):
        for part in cell.split(", "):
            first, _, last = part.partition(" to ")
            if last:
                numbers |= {str(number) for number in range(int(first), int(last) + 1)}
            else:
                numbers.add(first.lower())
    return numbers


def played() -> set[str]:
    """The numbers in the names of the tests."""
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    return set(re.findall(r"def test_(n?\d+)_", tests))


def test_every_scenario_of_the_page_is_played() -> None:
    """
    Each number of the page has a test.
    """
    assert listed() - played() == set()


def test_every_scenario_is_on_the_page() -> None:
    """
    Each numbered test stands on the page.
    """
    assert played() - listed() == set()


SCENARIOS = sorted(set(Path(__file__).parent.glob("test_*.py")) - {Path(__file__)})
KNOWN = {"conformance.kit", "pytest", "trio", "trio.testing"}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_scenarios_know_the_kit_alone(path: Path) -> None:
    """
    A scenario imports no library under test, nor a helper that does, so that it can run on any.
    """
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    strange = {name for name in imported - KNOWN if name.partition(".")[0] not in STANDARD}

    assert strange == set()
