# What the package offers: `__all__`, the names that are there at run time, and their docstrings.
#
# Looked at from a second process: importing greenroom.bridges.django sets Django up, which the test
# process leaves to those tests that want it.

import ast
import json
import os
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = sorted(CONFIG["tool"]["setuptools"]["packages"])

# Modules that Django looks up by name, and so do without an underscore.
DJANGO_NAMES = {"apps", "admin", "urls", "checks", "models", "views", "settings"}


@cache
def offered() -> dict[str, dict[str, Any]]:
    """Return what tests/look_at_names.py found, by package."""
    here = ROOT / "tests"
    done = subprocess.run(
        [sys.executable, str(here / "look_at_names.py"), *PACKAGES],
        env={
            **os.environ,
            "PYTHONPATH": str(here / "typing"),
            "DJANGO_SETTINGS_MODULE": "user_settings",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_what_is_there(package: str) -> None:
    """
    `__all__` lists exactly the public names of the package; ruff keeps it in order.
    """
    names = offered()[package]

    assert sorted(names["all"]) == sorted(names["public"])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_documented(package: str) -> None:
    """
    Every public class, function, method and property has a docstring of its own.
    """
    assert offered()[package]["undocumented"] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_say_where_to_find_them(package: str) -> None:
    """
    No public name is also defined under the same name in two packages with another meaning.
    """
    here = offered()[package]["public"]
    clashes = {
        name: other
        for other in PACKAGES
        for name, identity in offered()[other]["public"].items()
        if name in here and here[name] != identity
    }

    assert clashes == {}


def test_other_modules_are_private() -> None:
    """
    A module that is not a package starts with an underscore, unless Django looks it up by name.
    """
    public = [
        str(path.relative_to(ROOT))
        for folder in ("actors", "supervisor", "bridges")
        for path in (ROOT / folder).rglob("*.py")
        if not path.name.startswith("_")
        if not (
            path.is_relative_to(ROOT / "bridges" / "django")
            and (
                path.stem in DJANGO_NAMES
                or path.parent.name in {"commands", "migrations", "templatetags"}
            )
        )
        if not path.is_relative_to(ROOT / "bridges" / "channels")  # its names are Channels' own
        if not (path.parent.name == "testing" and path.stem in {"engine_suite", "pytest_plugin"})
    ]

    assert public == []


def test_packages_hold_no_code() -> None:
    """
    An __init__.py imports, lists and documents names; definitions stand in modules.
    """
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr, ast.If)
    code = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("actors", "supervisor", "bridges")
        for path in (ROOT / folder).rglob("__init__.py")
        for node in ast.parse(path.read_text()).body
        if not isinstance(node, allowed)
    ]

    assert code == []
