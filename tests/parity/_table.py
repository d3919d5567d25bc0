# docs/reference/channels-parity.md, from what the two layers of the suite have observed.

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from parity._cases import Different, all_cases
from parity._plain import plain
from parity._rows import ROWS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "channels-parity.md"
SERVED = "## Under real servers"

INTRODUCTION = """\
# Channels and greenroom.bridges.channels, case by case

Made by `scripts/parity_table.py`; do not edit it.

Each case is one small function that is run twice: with Channels 4.3.2 and channels_redis 4.3.0
on asyncio, and with `greenroom.bridges.channels` on trio. What is observed, messages, return
values, errors and their texts, is compared to the last character. "Same" means equal; where it is
meant to differ, the test asserts what each of the two does, and the reason stands here.

"sync, async" are the two colours of consumer, which Channels has written twice.

In this first part consumers are called as test communicators call them: without a tree, so that an
exception ends them as in Channels. How they are supervised is seen [below](#under-real-servers).
"""

SERVED_INTRODUCTION = f"""\
{SERVED}

The same application under `hypercorn -k asyncio` and `hypercorn -k trio`: what a client
sees, what `disconnect()` is told, and which groups are left behind.
"""


def verdict(name: str, stock: Any, ours: Any, different: Different | None) -> str:
    """
    Return what the table says of a case.

    Raises:
        AssertionError: It is neither the same nor different as declared.
    """
    if different is None:
        assert ours == stock, f"{name}: Channels {stock!r}, Greenroom {ours!r}"
        return "same"
    declared = (
        plain(different.stock, "channels"),
        plain(different.ours, "greenroom.bridges.channels"),
    )
    assert (stock, ours) == declared, f"{name}: {stock!r}, {ours!r}, declared {declared!r}"
    assert stock != ours, f"{name} is the same now: take the declaration away"
    return f"different: {different.because}"


def first_part(both: Mapping[str, Any]) -> str:
    """The page up to the real servers, from what `results` returns."""
    lines: dict[str, dict[tuple[str, str], list[str]]] = {row: {} for row in ROWS}
    cases = all_cases().values()
    for one in cases:
        stock, ours = (both[library].observed(one.name) for library in ("stock", "greenroom"))
        key = (one.fact, verdict(one.name, stock, ours, one.different))
        lines[one.row].setdefault(key, []).append(one.colour)
    declared = sum(one.different is not None for one in cases)
    counted = f"{len(cases)} cases, {len(cases) - declared} the same, {declared} different.\n"
    tables = [
        f"## {row}: {title}\n\n"
        + _table((_with(fact, colours), said) for (fact, said), colours in lines[row].items())
        for row, title in ROWS.items()
    ]
    return "\n".join([INTRODUCTION, counted, *tables])


def second_part(cases: Iterable[Any], both: Mapping[str, Mapping[str, Any]]) -> str:
    """The rest of the page, from what `server_results` returns."""
    rows = [
        (
            f"{one.row}: {one.fact}",
            verdict(one.name, both["stock"][one.name], both["greenroom"][one.name], one.different),
        )
        for one in cases
    ]
    same = sum(said == "same" for _, said in rows)
    counted = f"{len(rows)} cases, {same} the same, {len(rows) - same} different.\n"
    return "\n".join([SERVED_INTRODUCTION, counted, _table(rows)])


def written() -> tuple[str, str]:
    """The two parts of the page as they are on disk."""
    text = PAGE.read_text()
    at = text.index(SERVED)
    return text[:at], text[at:]


def _with(fact: str, colours: list[str]) -> str:
    named = ", ".join(sorted(filter(None, colours), reverse=True))
    return f"{fact} ({named})" if named else fact


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {_cell(fact)} | {_cell(said)} |" for fact, said in rows]
    return "\n".join(["| Case | Result |", "|---|---|", *lines]) + "\n"


def _cell(text: str) -> str:
    parts = text.replace("|", "\\|").split("`")  # every second one is code
    parts[::2] = [part.replace("*", "\\*").replace("_", "\\_") for part in parts[::2]]
    return "`".join(parts)
