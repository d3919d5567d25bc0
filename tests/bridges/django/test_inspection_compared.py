# The comparison with other tools is true: each row has a test that exists, or says why the thing
# is absent; what it names is there, and what is there is named.

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.contrib.admin import AdminSite
from helpers import running

from greenroom.bridges.django import urls
from greenroom.bridges.django._codenames import CODENAMES
from greenroom.bridges.django.console._actions import ACTIONS
from greenroom.bridges.django.console._all_urls import console_patterns
from greenroom.bridges.django.management.commands.actors import Command
from greenroom.bridges.inspection import Inspector
from greenroom.bridges.inspection._inspector import QUESTIONS
from greenroom.bridges.metrics import ProcessMetrics, exposition
from greenroom.supervisor import EVENTS, Options

TESTS = Path(__file__).resolve().parents[2]
PAGE = TESTS.parent / "docs" / "reference" / "inspection-compared.md"
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
ABSENT = re.compile(r"\*\*absent\*\*( as [\w ]+| for [\w ]+)?[:,] \w.{20,}")


def rows() -> list[tuple[int, list[str]]]:
    """The rows of the tables: the number of the line, and the three cells."""
    found: list[tuple[int, list[str]]] = []
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        if line.startswith("|") and not line.startswith("|---") and not line.endswith("| test |"):
            found.append((number, [cell.strip() for cell in line.strip("|").split("|")]))
    return found


def named(pattern: str) -> set[str]:
    """What the second cells name in one way."""
    return {name for _, cells in rows() for name in re.findall(pattern, cells[1])}


@cache
def functions(path: Path) -> frozenset[str]:
    """The tests of a file."""
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def endpoints() -> Iterator[str]:
    """What a project has that includes our URLs, in the words of the page."""
    for pattern in urls.urlpatterns:
        route = str(pattern.pattern)
        words = re.sub(r"<\w+:(\w+)>", lambda match: match[1].upper(), route)
        words = words.replace("ACTION", "NAME")
        if words != "api/REST":  # where there is nothing
            yield f"{'POST' if words.endswith('/NAME') else 'GET'} {words}"


def pages() -> set[str]:
    """The pages of the console, by the names of their URLs."""
    names = {str(pattern.name) for pattern in console_patterns(AdminSite())}
    ours = {name for name in names if not re.match("greenroom_api|.*_changelist$", name)}
    return {name.removeprefix("greenroom_").replace("_", "-") for name in ours}


async def metrics() -> set[str]:
    """The names of all metrics that a scrape may give."""
    async with running() as server:
        answer = await Inspector(server.root).answer({"ask": "metrics"})
    _, text = exposition([ProcessMetrics("1", answer["metrics"])], 0.1)
    return {
        *(each["name"] for each in answer["metrics"]),
        *re.findall(r"^# TYPE (\w+) ", text.decode(), re.M),
    }


def test_each_row_has_a_test_or_a_reason() -> None:
    """
    A row has three cells: something, and a test that shows it or a sentence why it is absent.
    """
    assert len(rows()) > 250
    for number, cells in rows():
        assert len(cells) == 3, number
        what, here, tests = cells
        assert what, number
        assert here, number
        if not tests:
            assert here.startswith("**absent**"), f"line {number}: no test, and not absent"
        if here.startswith("**absent**"):
            assert ABSENT.match(here), f"line {number}: absent, and not said why"
        assert TEST.sub("", tests).strip() == "", f"line {number}: {tests}"


def test_each_test_exists() -> None:
    """
    Each test that the page names, in its rows and above them, exists.
    """
    found = TEST.findall(PAGE.read_text())
    assert len(found) > 300
    missing = [
        f"{file}::{name}"
        for file, name in found
        if not (TESTS / file).exists() or name not in functions(TESTS / file)
    ]
    assert missing == []


def test_events() -> None:
    """
    The rows name each kind of event that there is, and no other.
    """
    assert named(r"\{event\}`([^`]+)`") == set(EVENTS)


async def test_metrics() -> None:
    """
    The rows name each metric that there is, and no other.
    """
    there = {name.removesuffix("_total") for name in await metrics()}
    assert {name.removesuffix("_total") for name in named(r"`(greenroom_\w+)`")} == there


def test_permissions() -> None:
    """
    The rows name each permission that there is, and no other.
    """
    assert named(r"`greenroom\.(\w+)`") == set(CODENAMES)


def test_questions_and_actions() -> None:
    """
    The rows name each question and each action that there is, and no other.
    """
    assert named(r"question `([\w-]+)`") == set(QUESTIONS)
    assert named(r"action `([\w-]+)`") == set(ACTIONS)


def test_pages() -> None:
    """
    The rows name each page that the console has, and no other.
    """
    assert named(r"page `([\w-]+)`") == pages()


def test_endpoints() -> None:
    """
    The rows name each URL that a project gets by including ours, and no other.
    """
    assert named(r"`((?:GET|POST) [^`]+)`") == set(endpoints())


@pytest.mark.parametrize("option", sorted(named(r"`manage\.py actors (--[\w-]+)`")))
def test_options_of_the_command(option: str) -> None:
    """
    Each option of `manage.py actors` that a row names is one.
    """
    assert option in Command().create_parser("manage.py", "actors").format_help()


def test_settings() -> None:
    """
    Each setting that a row names is one.
    """
    assert named(r"\{setting\}`(\w+)`") <= {each.name.upper() for each in Options.described()}
