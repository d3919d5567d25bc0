# docs/explanation/channels-pains.md: every pain has a line, and every test named there exists.

import ast
import re
from pathlib import Path

import pytest
from parity._cases import all_cases
from parity._servers import all_server_cases

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "channels-pains.md"
LINE = re.compile(r"\| (P\d+) \| (.+?) \| (\w+) \| (.+?) \| (.*?) \|")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w-]+)`")
PAINS = {found[1]: found for found in map(LINE.fullmatch, PAGE.read_text().splitlines()) if found}


def test_no_pain_is_missing() -> None:
    """
    Each of the twenty-five has one line.
    """
    assert list(PAINS) == [f"P{number}" for number in range(1, 26)]


@pytest.mark.parametrize("pain", PAINS)
def test_its_line_says_how_it_stands(pain: str) -> None:
    """
    What is solved, wholly or in part, names tests, which exist; what is not says why.
    """
    state, reason, shown = PAINS[pain].group(3, 4, 5)
    named = NAMED.findall(shown)

    assert state in {"solved", "partly", "not"}
    assert named or state == "not"
    assert len(reason) > 40
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def names_in(path: str) -> set[str]:
    """Return the names of the tests in a file, or of the cases that it runs."""
    if path == "tests/parity/test_parity.py":
        return set(all_cases())
    if path == "tests/parity/test_servers.py":
        return set(all_server_cases())
    file = ROOT / path
    if not file.exists():
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
