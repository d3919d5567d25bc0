# GreenroomLiveServerTestCase under a real headless Chromium.

from pathlib import Path

import pytest
from e2e._browser import CHROMIUM, MARKS, QUIET
from projects import Project

pytestmark = [*MARKS, pytest.mark.slow]

TESTS = """
    import os
    from greenroom.bridges.testing import GreenroomLiveServerTestCase
    from playwright.sync_api import expect, sync_playwright
    from notes.models import Note

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"   # Playwright runs a loop in this thread

    SCRIPT = '''url => new Promise((done, failed) => {
        const socket = new WebSocket(url)
        socket.onmessage = event => done(event.data)
        socket.onerror = failed
        socket.onopen = () => socket.send("from a browser")
    })'''

    class Browser(GreenroomLiveServerTestCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            playwright = cls.enterClassContext(sync_playwright())
            cls.browser = playwright.chromium.launch(executable_path=%r, args=%r)
            cls.addClassCleanup(cls.browser.close)

        def look(self):
            page = self.browser.new_page()
            page.goto(self.live_server_url + "/count/")
            expect(page.locator("body")).to_have_text(str(Note.objects.count()))
            said = page.evaluate(SCRIPT, self.live_server_ws_url + "/ws/")
            self.assertEqual(said, f"{Note.objects.count()}: from a browser")
            page.close()

        def test_socket_and_data(self):
            Note.objects.create(text="mine")
            self.look()
            self.assertEqual(Note.objects.count(), 2)

        def test_again_from_nothing(self):
            self.look()
            self.assertEqual(Note.objects.count(), 1)
    """ % (CHROMIUM, QUIET)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with SQLite in memory."""
    return Project(tmp_path)


def test_a_browser(project: Project) -> None:
    """
    A page sees what the test wrote, its socket writes, and each test begins with nothing.
    """
    project.passed(project.manage_test(TESTS), 2)
