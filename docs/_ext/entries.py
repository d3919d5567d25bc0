# What must have an entry in the reference, found in the code itself.
#
# Used by the Sphinx extension beside it, which writes the entries, and by tests/test_docs.py,
# which looks for them. Imports no Sphinx. Django must have been set up.

import ast
import importlib
import pkgutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMMANDS = "greenroom.bridges.django.management.commands"


def packages() -> list[str]:
    """Every package that offers names, as pyproject.toml lists them."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = config["tool"]["setuptools"]["packages"]
    return [name for name in listed if getattr(importlib.import_module(name), "__all__", ())]


def public_names(package: str) -> list[str]:
    """The names that a package offers, without those that its parent offers, too."""
    module = importlib.import_module(package)
    parent = importlib.import_module(package.rpartition(".")[0])
    return [
        name for name in module.__all__ if getattr(parent, name, None) is not getattr(module, name)
    ]


def settings() -> list[str]:
    """The names of the setting GREENROOM."""
    from greenroom.supervisor import Options

    return [option.name.upper() for option in Options.described()]


def commands() -> list[str]:
    """The management commands."""
    folder = importlib.import_module(COMMANDS).__path__
    return [module.name for module in pkgutil.iter_modules(folder)]


def checks() -> dict[str, str]:
    """The system checks: id and meaning."""
    return importlib.import_module("greenroom.bridges.django.checks").CHECKS


def events() -> dict[str, str]:
    """The kinds of events and their meaning."""
    return importlib.import_module("greenroom.supervisor").EVENTS


def close_codes() -> set[int]:
    """The close codes of RFC 6455 and its registry that stand in the code as numbers."""
    return {code for code, _ in _codes()}


def where_is_close_code(code: int) -> list[str]:
    """The files in which *code* stands."""
    return sorted({where for found, where in _codes() if found == code})


def _codes() -> Iterator[tuple[int, str]]:
    for folder in ("actors", "supervisor", "bridges"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.parts[-2] == "testing":
                continue  # what a driver's client sends is the test's choice
            tree = ast.parse(path.read_text())
            for node in _without(tree, "check_close"):
                value = node.value if isinstance(node, ast.Constant) else None
                if type(value) is int and 1000 <= value <= 1015:
                    yield value, str(path.relative_to(ROOT))


def _without(tree: ast.AST, function: str) -> Iterator[ast.AST]:
    # check_close() lists what may be sent by a user; it sends nothing.
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef) and node.name == function:
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def named_on_page(page: Path) -> dict[str, list[str]]:
    """What the `{names}` blocks of a reference page list, by package."""
    found: dict[str, list[str]] = {}
    package = None
    for line in page.read_text().splitlines():
        if line.startswith("```{names} "):
            package = line.removeprefix("```{names} ").strip()
        elif line.startswith("```"):
            package = None
        elif package and line and not line.startswith(":"):
            found.setdefault(package, []).append(line.split()[0])
    return found
