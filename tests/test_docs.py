# The documentation can't drift: every public thing has an entry in the reference, every snippet
# runs, every conversation shown is what a consumer really says.
#
# Django is set up in other processes (docs_support/), so that this one stays without.

import functools
import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from docs_support.snippets import DOCS, LONGEST, ROOT, blocks, differences, pages

PAGES = [str(path.relative_to(ROOT)) for path in pages()]
REFERENCE = DOCS / "reference"
EXAMPLES = DOCS / "examples"
DEMO = EXAMPLES / "chat"


def run(script: str, *arguments: str) -> Any:
    """Run a program of docs_support/ with warnings as errors; return the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "tests" / "docs_support" / script), *arguments],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.cache
def played() -> dict[str, list[tuple[str, str]]]:
    """What is not as the pages say, by page."""
    return run("play.py", *PAGES)


@functools.cache
def listed() -> dict[str, Any]:
    """What the code offers, found by docs/_ext/entries.py."""
    return run("list_entries.py")


@pytest.mark.parametrize("page", PAGES)
def test_page_is_true(page: str) -> None:
    """
    The snippets of the page run, and its conversations, logs, trees and outputs are real.
    """
    problems = played()[page]

    assert not problems, "\n\n".join(f"{where}\n{problem}" for where, problem in problems)


@pytest.mark.parametrize("page", PAGES)
def test_snippets_are_short(page: str) -> None:
    """
    A Python snippet of more than ten lines is a file in docs/examples, included by literalinclude.
    """
    long = [
        block.where
        for block in blocks(ROOT / page)
        if block.language == "python" and len(block.text.splitlines()) > LONGEST
    ]

    assert long == []


@pytest.mark.parametrize("page", PAGES)
def test_included_files_exist(page: str) -> None:
    """
    Each file that a page includes or names in docs/examples is there.
    """
    text = (ROOT / page).read_text()
    included = re.findall(r"```\{(?:literalinclude|include)\} (\S+)", text)
    named = re.findall(r"`(docs/examples/[\w/.-]+)`", text)
    there = [(ROOT / page).parent / name for name in included] + [ROOT / name for name in named]

    assert [str(path) for path in there if not path.resolve().exists()] == []


def test_every_page_is_in_the_contents() -> None:
    """
    The table of contents in docs/index.md lists every page.
    """
    contents = ["index", *(DOCS / "index.md").read_text().splitlines()]
    names = [str(Path(page).relative_to("docs").with_suffix("")) for page in PAGES]

    assert [name for name in names if not any(fnmatch(name, line) for line in contents)] == []


def outputs() -> list[Any]:
    """The blocks that show what a program of docs/examples prints."""
    return [
        pytest.param(block, id=block.argument)
        for path in pages()
        for block in blocks(path)
        if block.marker == "output"
    ]


@pytest.mark.parametrize("block", outputs())
def test_program_prints_what_is_shown(block: Any) -> None:
    """
    A program of docs/examples prints what its page shows.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / block.argument)],
        cwd=EXAMPLES,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )

    assert differences(block.text, done.stdout) == ""


def test_every_public_name_has_an_entry() -> None:
    """
    Each name in an `__all__` stands in a {names} block of its package, in docs/reference.
    """
    missing = {
        package: sorted(set(names) - set(listed()["documented"].get(package, ())))
        for package, names in listed()["names"].items()
    }

    assert {package: names for package, names in missing.items() if names} == {}


def test_no_entry_is_of_a_name_that_is_gone() -> None:
    """
    Each name in a {names} block exists.
    """
    gone = {
        package: sorted(set(names) - set(listed()["names"].get(package, ())))
        for package, names in listed()["documented"].items()
    }

    assert {package: names for package, names in gone.items() if names} == {}


@pytest.mark.parametrize("kind", ["settings", "commands", "checks", "events"])
def test_every_entry_is_made_with_a_sentence(kind: str) -> None:
    """
    The page of settings, commands, checks or events is made from the code, and none lacks a text.
    """
    assert f"```{{{kind}}}" in (REFERENCE / f"{kind}.md").read_text()
    assert listed()[kind]
    assert [name for name, text in listed()[kind].items() if not text.strip()] == []


def test_every_check_can_be_provoked() -> None:
    """
    Each system check has a real message with a hint in the reference.
    """
    assert set(listed()["provoked"]) == set(listed()["checks"])
    assert [name for name, hint in listed()["provoked"].items() if not hint] == []


def test_every_close_code_has_an_entry() -> None:
    """
    Each close code that stands in the code has an entry in docs/reference/close-codes.md.
    """
    page = (REFERENCE / "close-codes.md").read_text()
    documented = {int(code) for code in re.findall(r"^\.\. closecode:: (\d+)", page, re.M)}

    assert set(listed()["close_codes"]) - documented == set()


def test_not_yet_is_said_where_it_is_used() -> None:
    """
    No page shows a name of what is not built: Channels' API, other protocols, other engines.
    """
    unbuilt = re.compile(r"JsonWebsocketConsumer|RedisEngine|MeshEngine")
    found = [
        f"{page}: {line}"
        for page in PAGES
        for line in (ROOT / page).read_text().splitlines()
        if unbuilt.search(line) and not page.endswith(("not-yet.md", "supervision.md"))
    ]

    assert found == []


def test_founding_example_is_the_same_everywhere() -> None:
    """
    The README, the introduction and the demo show the founding consumer in the same words.
    """
    founding = (EXAMPLES / "introduction" / "chat" / "consumers.py").read_text().strip()
    shown = next(block for block in blocks(ROOT / "README.md") if block.language == "python")

    assert (DEMO / "chat" / "founding.py").read_text().strip() == founding
    assert shown.text.removeprefix("# chat/consumers.py\n").strip() == founding
