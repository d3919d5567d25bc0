# Large files in and out, streams and a socket of one project at once, in a real Chromium.

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e._browser import MARKS, Visit
from e2e._studio import Studio
from playwright.sync_api import Page, expect

pytestmark = [*MARKS, pytest.mark.slow]

MIB = 2**20
GROWTH = 8 * MIB
"""What a worker may take more at its peak; less than the smallest file here."""

sizes = pytest.mark.parametrize(
    "size",
    [pytest.param(20 * MIB, id="20"), pytest.param(200 * MIB, id="200", marks=pytest.mark.long)],
)


def make_file(folder: Path, size: int) -> tuple[Path, str]:
    """A file of which no block is like another; it and its digest."""
    found = hashlib.sha256()
    path = folder / f"large-{size}.bin"
    with path.open("wb") as file:
        for number in range(size // 65536):
            block = number.to_bytes(8, "big") * 8192
            found.update(block)
            file.write(block)
    return path, found.hexdigest()


def send(page: Page, path: Path) -> None:
    """Send a file with the form, as a person does."""
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Send").click()


@sizes
def test_a_file_in_and_out(visit: Visit, served: Studio, tmp_path: Path, size: int) -> None:
    """
    A large file goes in from the browser's form, is kept, and comes out again as it was; neither
    way passes through the worker's memory as such.
    """
    path, digest = make_file(tmp_path, size)
    small, _ = make_file(tmp_path, 4 * MIB)
    page = visit("/upload/")
    page.set_default_timeout(180_000)
    send(page, small)
    expect(page.locator("#size")).to_have_text(f"{4 * MIB}")
    served.get(f"/download/{page.locator('#pk').text_content()}/")

    memory = served.memory()
    send(page, path)
    expect(page.locator("#size")).to_have_text(f"{size}", timeout=180_000)
    grown_in = memory.grown()
    assert page.locator("#sha256").text_content() == digest

    memory = served.memory()
    with page.expect_download() as waiting:
        pk = page.locator("#pk").text_content()
        page.evaluate(f"location.href = '/download/{pk}/'")
    came = hashlib.sha256(waiting.value.path().read_bytes()).hexdigest()
    grown_out = memory.grown()

    assert came == digest
    figures = f"in +{grown_in / MIB:.1f} MiB, out +{grown_out / MIB:.1f} MiB"
    sys.stdout.write(f"{size // MIB} MiB: {figures}\n")
    assert max(grown_in, grown_out) < GROWTH


def test_streams_both_ways_and_a_socket(
    visit: Visit, served: Studio, tmp_path: Path, until: Any
) -> None:
    """
    Lines of an endless generator are shown as they come, also while a file goes up beside them and
    a consumer crashes and stays; the generator's finally runs when the page is closed.
    """
    before = served.closed().count("ticks")
    path, _ = make_file(tmp_path, 20 * MIB)
    page = visit("/live/")
    ticks = page.locator("#ticks li")
    expect(ticks.nth(2)).to_have_text("tick 3")

    page.locator("#file").set_input_files(path)
    page.locator("#send").click()
    expect(page.locator("#sent")).to_have_text(re.compile(rf"{20 * MIB} bytes, [1-9]\d* ticks"))
    shown = ticks.count()
    expect(ticks.nth(shown + 5)).to_have_text(f"tick {shown + 6}")
    assert served.closed().count("ticks") == before

    page.close()

    until(lambda: served.closed().count("ticks") == before + 1)


def test_a_consumer_beside_the_views(visit: Visit) -> None:
    """
    A consumer finds the visitor by the session cookie in its scope, and a crash keeps its socket.
    """
    page = visit("/admin/login/?next=/live/")
    page.locator("#id_username").fill("staff")
    page.locator("#id_password").fill("secret-staff")
    with page.expect_websocket() as waiting:
        page.get_by_role("button", name="Log in").click()
    lines = page.locator("#visits li")
    expect(lines).to_have_text(["welcome staff"])

    page.evaluate("socket.send('one')")
    page.evaluate("socket.send('crash')")
    page.evaluate("socket.send('two')")

    expect(lines).to_have_text(["welcome staff", "epoch 1: one", "epoch 2: two"])
    assert not waiting.value.is_closed()
    stranger = visit("/live/")
    expect(stranger.locator("#visits li")).to_have_text(["welcome stranger"])
