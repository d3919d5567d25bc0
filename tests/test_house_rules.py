# Rules of the house that no linter knows. docs/explanation says why they are kept.

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    path for folder in ("actors", "supervisor", "bridges") for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

LINES_PER_FILE = 400
LINES_PER_FUNCTION = 60
REASON = "Over 400 lines because"


def test_files_are_short() -> None:
    """
    A file has at most 400 lines, or says why not within its first fifteen.
    """
    long = [
        f"{path.relative_to(ROOT)}: {len(lines)} lines"
        for path in MODULES
        if len(lines := path.read_text().splitlines()) > LINES_PER_FILE
        if REASON not in "\n".join(lines[:15])
    ]

    assert long == []


def test_functions_are_short() -> None:
    """
    A function of the package has at most sixty lines, its docstring not counted.
    """
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if (lines := lines_of_code(node)) > LINES_PER_FUNCTION
    ]

    assert long == []


def lines_of_code(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines from the first statement after the docstring to the last."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_states_its_fact(path: Path) -> None:
    """
    Each test has a docstring that says what holds, as a sentence.
    """
    silent = [
        f"{node.name} (line {node.lineno})"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").rstrip().endswith((".", "?", "!"))
    ]

    assert silent == []
