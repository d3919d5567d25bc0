import json

from django.test import SimpleTestCase

from greenroom.bridges.testing import GreenroomTestCase


class ChatTests(GreenroomTestCase, SimpleTestCase):
    def test_who_is_in_the_room_hears_it(self):
        with (
            self.server.websocket("/ws/chat/lobby/") as ann,
            self.server.websocket("/ws/chat/lobby/") as ben,
            self.server.websocket("/ws/chat/kitchen/") as eve,
        ):
            ann.send_text('{"message": "Hello"}')
            self.assertEqual(json.loads(ann.receive_text()), {"message": "Hello"})
            self.assertEqual(json.loads(ben.receive_text()), {"message": "Hello"})
            eve.receive_nothing()

    def test_what_is_no_json_closes_nothing(self):
        with self.server.websocket("/ws/chat/lobby/") as ann:
            ann.send_text("this is no JSON")
            ann.wait_crash(json.JSONDecodeError)
            ann.send_text('{"message": "Still here"}')
            self.assertEqual(json.loads(ann.receive_text()), {"message": "Still here"})
