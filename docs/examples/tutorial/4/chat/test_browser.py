import os

from playwright.sync_api import expect, sync_playwright

from greenroom.bridges.testing import GreenroomLiveServerTestCase

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs a loop in this thread


class BrowserTests(GreenroomLiveServerTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        playwright = cls.enterClassContext(sync_playwright())
        # Without CHROMIUM it is the one that Playwright has installed.
        cls.browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        cls.addClassCleanup(cls.browser.close)

    def enter(self, room):
        page = self.browser.new_page()
        page.goto(f"{self.live_server_url}/chat/")
        page.get_by_label("What room would you like to enter?").fill(room)
        page.get_by_role("button", name="Enter").click()
        page.wait_for_url(f"**/chat/{room}/")
        page.wait_for_function("socket.readyState === WebSocket.OPEN")
        return page

    def say(self, page, text):
        page.get_by_label("Message").fill(text)
        page.get_by_role("button", name="Send").click()

    def test_two_in_one_room_see_each_others_messages(self):
        ann, ben = self.enter("lobby"), self.enter("lobby")
        self.say(ann, "Hello")
        expect(ann.locator("#log")).to_have_value("Hello\n")
        expect(ben.locator("#log")).to_have_value("Hello\n")

    def test_two_in_different_rooms_do_not(self):
        ann, eve = self.enter("lobby"), self.enter("kitchen")
        self.say(ann, "Hello")
        expect(ann.locator("#log")).to_have_value("Hello\n")
        self.say(eve, "Is it quiet here?")
        expect(eve.locator("#log")).to_have_value("Is it quiet here?\n")
