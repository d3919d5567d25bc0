# `python manage.py test`: the consumers tested in process, without a server, on a
# clock whose waits take no time.
import functools
import json

import trio
from django.test import TestCase, TransactionTestCase

from greenroom.bridges.testing import HandshakeRefused, serve, virtual_clock
from mysite.asgi import application

from .models import Message, Room


def on_trio(test):
    """Run an `async def` test on trio, under the virtual clock."""

    @functools.wraps(test)
    def run(self):
        trio.run(test, self, clock=virtual_clock())

    return run


async def frame(socket, kind):
    """Skip to the next frame of this type, and return it."""
    while True:
        got = json.loads(await socket.receive_text())
        if got["type"] == kind:
            return got


class ChatTests(TransactionTestCase):
    # Handlers see the database from threads of their own, so what a test writes has
    # to be committed: TransactionTestCase, not TestCase.

    def setUp(self):
        self.room = Room.objects.create(slug="attic", title="Attic")

    @on_trio
    async def test_a_line_is_kept_and_shown_to_the_room(self):
        async with (
            serve(application) as server,
            server.websocket("/ws/chat/attic/") as ada,
            server.websocket("/ws/chat/attic/") as bob,
        ):
            # Accepted is not yet in the room: what is said before the welcome is in its history.
            await frame(bob, "welcome")
            ada.send_text("/name Ada")
            ada.send_text("hello")
            for socket in (ada, bob):
                said = await frame(socket, "said")
                self.assertEqual([said["author"], said["text"]], ["Ada", "hello"])
        kept = await trio.to_thread.run_sync(lambda: list(Message.objects.values_list("text")))
        self.assertEqual(kept, [("hello",)])

    @on_trio
    async def test_a_crash_keeps_the_socket_and_the_name(self):
        async with serve(application) as server, server.websocket("/ws/chat/attic/") as ada:
            ada.send_text("/name Ada")
            ada.send_text("/crash")
            ada.send_text("still here")

            restarted = await frame(ada, "restarted")
            self.assertEqual(restarted["epoch"], 2)
            self.assertEqual((await frame(ada, "said"))["author"], "Ada")
            self.assertEqual(ada.slot.crashes[0].exception, "RuntimeError")

    @on_trio
    async def test_a_crash_of_any_other_kind_does_so_too(self):
        async with serve(application) as server, server.websocket("/ws/chat/attic/") as ada:
            ada.send_text("/help")
            await frame(ada, "notice")  # so connect is over: a crash in it would end the socket
            ada.crash(OSError("the disk is full"))

            await ada.wait_restarted()

            self.assertEqual((await frame(ada, "restarted"))["reason"], "OSError: the disk is full")

    @on_trio
    async def test_people_come_and_go(self):
        async with serve(application) as server, server.websocket("/ws/chat/attic/") as ada:
            self.assertEqual(len((await frame(ada, "people"))["names"]), 1)
            async with server.websocket("/ws/chat/attic/"):
                self.assertEqual(len((await frame(ada, "people"))["names"]), 2)
            self.assertEqual(len((await frame(ada, "people"))["names"]), 1)

    @on_trio
    async def test_a_room_that_is_not_there_refuses(self):
        async with serve(application) as server:
            with self.assertRaises(HandshakeRefused):
                async with server.websocket("/ws/chat/cellar/"):
                    pass


class LobbyTests(TestCase):
    def test_a_room_of_any_name_can_be_opened(self):
        for title in ("Blue room", "Кухня", "!"):
            response = self.client.post("/", {"title": title}, follow=True)

            self.assertEqual(response.context["room"].title, title)
