# The page about metrics and the alerts beside it name what a process really gives.

import re
from pathlib import Path

from helpers import running

from greenroom.bridges.inspection import Inspector

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "how-to" / "health-and-metrics.md"
ALERTS = DOCS / "examples" / "alerts.yml"
OWN = {"greenroom_process_up", "greenroom_scrape_seconds"}
"""What an exposition adds to what the processes say."""


async def given() -> dict[str, set[str]]:
    """The metrics of a process, each with the labels that it has been seen with."""
    async with running() as server:
        answer = await Inspector(server.root).answer({"ask": "metrics"})
    return {
        each["name"]: {label for sample in each["samples"] for label in sample["labels"]}
        for each in answer["metrics"]
    }


def named(path: Path) -> set[str]:
    return set(re.findall(r"\bgreenroom_[a-z_]+", path.read_text()))


async def test_alerts_are_about_what_there_is() -> None:
    """
    Each metric in the alerts is one that a process gives.
    """
    assert named(ALERTS) - OWN - set(await given()) == set()
    assert len(named(ALERTS)) > 5


async def test_the_page_names_each_metric() -> None:
    """
    The page names each metric that there is, and none that there is not.
    """
    metrics = set(await given())
    page = named(PAGE)

    assert metrics - page == set()
    assert page - metrics - OWN == set()
