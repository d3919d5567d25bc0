# Django's admin in a real Chromium, on SQLite and on PostgreSQL, with whitenoise for its files.

import re
from typing import Any

import pytest
from e2e._browser import MARKS, Visit
from e2e._studio import Studio
from playwright.sync_api import Page, expect

pytestmark = [*MARKS, pytest.mark.slow]


def log_in(visit: Visit, name: str = "staff", password: str = "", path: str = "/admin/") -> Page:
    """Log in to the admin."""
    page = visit(path)
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(password or f"secret-{name}")
    page.get_by_role("button", name="Log in").click()
    return page


def add_artist(page: Page, name: str, *titles: str, active: bool = True) -> None:
    """Add an artist with pieces, in the admin's form."""
    page.goto("/admin/works/artist/add/")
    page.locator("#id_name").fill(name)
    page.locator("#id_active").set_checked(active)
    for number, title in enumerate(titles):
        if number:
            page.locator(".add-row a, .add-row button").click()  # Django 6.1 has a button
        page.locator(f"#id_pieces-{number}-title").fill(title)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".success")).to_contain_text(f"“{name}” was added successfully")


def rows(page: Page) -> Any:
    """The rows of the list that is shown."""
    return page.locator("#result_list tbody tr")


def test_logging_in_and_out(visit: Visit) -> None:
    """
    A wrong password is refused, the right one lets in, and after the logout the admin is closed.
    """
    page = log_in(visit, password="wrong")
    expect(page.locator(".errornote")).to_contain_text("Please enter the correct username")
    page.locator("#id_password").fill("secret-staff")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#user-tools")).to_contain_text("staff")

    page.get_by_role("button", name="Log out").click()

    expect(page.locator("#content")).to_contain_text("Thanks for spending")
    page.goto("/admin/works/artist/")
    expect(page.locator("#id_username")).to_be_visible()


def test_adding_changing_and_deleting(visit: Visit) -> None:
    """
    What is added with its inline forms can be changed, has a history, and can be deleted.
    """
    page = log_in(visit)
    add_artist(page, "Ada", "First", "Second")
    page.get_by_role("link", name="Ada", exact=True).last.click()
    expect(page.locator("#id_pieces-1-title")).to_have_value("Second")

    page.locator("#id_name").fill("Ada L.")
    page.locator("#id_pieces-0-DELETE").check()
    page.locator("#id_pieces-1-title").fill("Second, again")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".success")).to_contain_text("changed successfully")
    expect(page.locator("#id_pieces-0-title")).to_have_value("Second, again")

    page.get_by_role("link", name="History").click()
    expect(page.locator("#change-history")).to_contain_text("Changed Name")
    expect(page.locator("#change-history")).to_contain_text("Deleted piece “First”")

    page.go_back()
    page.locator("a.deletelink").click()
    expect(page.locator("#content")).to_contain_text("Second, again")
    page.get_by_role("button", name="Yes, I").click()
    expect(page.locator(".success")).to_contain_text("deleted successfully")


def test_searching_filtering_and_an_action(visit: Visit) -> None:
    """
    The list can be searched and filtered, and an action changes what was chosen in it.
    """
    page = log_in(visit)
    for name in ("Blue One", "Blue Two", "Red One"):
        add_artist(page, name, active=name != "Blue Two")
    page.goto("/admin/works/artist/")

    page.locator("#searchbar").fill("Blue")
    page.get_by_role("button", name="Search").click()
    expect(rows(page)).to_have_count(2)
    page.goto("/admin/works/artist/?q=Blue&active__exact=1")
    expect(rows(page)).to_have_count(1)

    rows(page).locator("input.action-select").check()
    page.locator("select[name=action]").select_option(label="Retire the selected artists")
    page.locator("#changelist-form [name=index]").first.click()

    expect(page.locator(".success")).to_have_text("1 retired.")
    expect(rows(page)).to_have_count(0)


def test_a_file_in_the_admin(visit: Visit, served: Studio) -> None:
    """
    A file field takes a file, shows its link, and clears it.
    """
    page = log_in(visit)
    page.goto("/admin/works/artist/add/")
    page.locator("#id_name").fill("With a file")
    page.locator("#id_pieces-0-title").fill("Filed")
    content = {"name": "é.txt", "mimeType": "text/plain", "buffer": b"content of a file"}
    page.locator("#id_pieces-0-file").set_input_files(content)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".success")).to_contain_text("added successfully")

    link = page.locator(".file-upload a").first
    kept = served.folder / "media" / (link.text_content() or "")
    assert kept.read_bytes() == b"content of a file"

    page.locator("[name=pieces-0-file-clear]").check()
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".success")).to_contain_text("changed successfully")
    expect(page.locator(".file-upload a")).to_have_count(0)


def test_changing_the_password(visit: Visit) -> None:
    """
    Who changes the password stays logged in, and comes in with the new one only.
    """
    page = log_in(visit, "other")
    page.get_by_role("link", name="Change password").click()
    page.locator("#id_old_password").fill("secret-other")
    page.locator("#id_new_password1").fill("a-new-secret-1")
    page.locator("#id_new_password2").fill("a-new-secret-1")
    page.get_by_role("button", name="Change my password").click()
    expect(page.locator("#content")).to_contain_text("Your password was changed")
    page.goto("/admin/")
    expect(page.locator("#user-tools")).to_contain_text("other")

    again = log_in(visit, "other")
    expect(again.locator(".errornote")).to_be_visible()
    again.locator("#id_password").fill("a-new-secret-1")
    again.get_by_role("button", name="Log in").click()
    expect(again.locator("#user-tools")).to_contain_text("other")


def test_static_files_through_whitenoise(visit: Visit) -> None:
    """
    The admin looks as it should: its hashed files come from whitenoise, for ever, and compressed.
    """
    page = visit("/admin/")
    style = page.locator("link[rel=stylesheet]").first.get_attribute("href") or ""
    assert re.fullmatch(r"/static/admin/css/base\.[0-9a-f]{12}\.css", style)

    answer = page.request.get(style)
    assert answer.headers["cache-control"] == "max-age=315360000, public, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    part = page.request.get(style, headers={"Range": "bytes=0-9", "Accept-Encoding": "identity"})
    assert (part.status, len(part.body())) == (206, 10)
    again = page.request.get(style, headers={"If-Modified-Since": answer.headers["last-modified"]})
    assert again.status == 304

    page.goto("/")
    expect(page.locator("body")).to_have_css("background-color", "rgb(1, 2, 3)")
    header = visit("/admin/").locator("#header")
    expect(header).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
