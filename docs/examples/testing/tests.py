# chat/tests.py, for `manage.py test`.
from django.test import TestCase
from greenroom.bridges.testing import (
    GreenroomLiveServerTestCase, GreenroomTestCase, SlowReader,
)

from .models import Entry


class GuestbookTests(GreenroomTestCase, TestCase):

    def test_an_entry_is_stored(self):
        Entry.objects.create(text="the test's own")
        with self.server.websocket("/ws/guestbook/") as client:
            client.send_text("hello")
            self.assertIn(": hello", client.receive_text())
        self.assertEqual(Entry.objects.count(), 2)

    async def test_the_same_in_a_coroutine(self):
        await Entry.objects.acreate(text="the test's own")
        async with self.server.websocket("/ws/guestbook/") as client:
            client.send_text("hello")
            self.assertIn(": hello", await client.receive_text())
        self.assertEqual(await Entry.objects.acount(), 2)


class SleepyTests(GreenroomTestCase, TestCase):
    virtual_clock = True

    def test_a_guest_who_falls_asleep(self):
        with self.server.websocket("/ws/guestbook/") as client:
            self.assertEqual(client.receive_text(timeout=61), "Still there?")


class LiveTests(GreenroomLiveServerTestCase):

    def test_over_a_real_socket(self):
        with SlowReader(self.live_server_ws_url + "/ws/guestbook/") as client:
            client.send_text("hello")
            self.assertIn(": hello", client.receive())
        self.assertEqual(Entry.objects.count(), 1)
