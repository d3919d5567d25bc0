# The reference of the JSON API names what there is.

import re
from pathlib import Path

from greenroom.bridges.django._codenames import CODENAMES
from greenroom.bridges.django.console._api_audit import AUDIT_PARAMETERS
from greenroom.bridges.django.console._api_reply import STATUS
from greenroom.bridges.django.console._api_table import ENDPOINTS, VERSION

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "http-api.md"
ROW = re.compile(r"^\| `([a-z-]+)[^`]*` \|.*\|(.*)\|$", re.M)


def test_each_endpoint_stands_there_with_its_parameters() -> None:
    """
    The table of the page has each endpoint, with the parameters that it has and no other.
    """
    page = PAGE.read_text()
    rows = {name: set(re.findall(r"`([a-z]+)`", cell)) for name, cell in ROW.findall(page)}
    known = {each.name: {one.name for one in each.parameters} for each in ENDPOINTS.values()}
    known["audit"] = {each.name for each in AUDIT_PARAMETERS}

    assert f"/api/v{VERSION}/" in page
    for name, parameters in known.items():
        # The path of an actor stands in its first cell.
        assert rows[name] == parameters - ({"path"} if name == "actors" else set()), name


def test_each_error_stands_there_with_its_status() -> None:
    """
    The page has every code of an error, in the row of its status.
    """
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    for code, status in STATUS.items():
        (row,) = [line for line in rows if f"`{code}`" in line]
        assert str(status) in row.split("|")[1]


def test_permissions_for_reading_stand_there() -> None:
    """
    The page names each permission that reading may need.
    """
    page = PAGE.read_text()

    assert [each for each in CODENAMES if each.startswith("view_") and each not in page] == []
