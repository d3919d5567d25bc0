# One browser tab in one room: one actor.
#
# Handlers written `def` run in a worker thread, so they may use Django's ORM.
# Handlers written `async def` run on trio, at the cost of no thread. One class
# may have both; only one of its handlers runs at a time, so no locks.
from greenroom.actors import WebsocketConsumer, handles

from .models import Message, Room
from .protocol import Arrived, Here, Left, Notice, People, Restarted, Said, Welcome

HISTORY = 50  # lines a newcomer is shown

HELP = """\
/name Ada      take another name
/crash         crash your own consumer: this socket stays open
/crash ticker  crash the market's ticker: it goes on where it was
/help          this list"""


class ChatConsumer(WebsocketConsumer):
    # What the next incarnation gets if this one crashes, as it was after the
    # last message that went well. The rest of `self` goes down with the crash,
    # for a class with restarted() sees to itself.
    keep = ["room_id", "group", "username", "people"]

    group = ""  # the group of everybody in the room, once we are let in

    def connect(self, message):
        """Let somebody in, once for each socket. `def`: it reads the database."""
        room = Room.objects.filter(slug=self.kwargs["room"]).first()
        if room is None:
            self.close()  # not accepted yet, so the handshake is refused
            return
        self.room_id = room.pk
        self.group = f"chat.{room.slug}"
        self.username = "Guest " + self.path.rpartition("/")[2]
        self.people = {self.path: self.username}
        self.accept()
        # Join before reading the history, or a line said in between is lost.
        self.join(self.group)
        self.join("market")  # the ticker's frames come through this socket too
        self.send(text=str(Welcome(self.username, self.path, self.epoch, self.history())))
        self.show_people()
        self.group_send_others(self.group, Arrived(self.ref, self.username))

    def receive(self, text):
        """Handle what the browser sent. `def`: it writes to the database."""
        command, _, rest = (text or "").strip().partition(" ")
        if command == "/name":
            self.rename(rest)
        elif command == "/help":
            self.send(text=str(Notice(HELP)))
        elif text == "/crash ticker":
            self.cast("/residents/ticker", {"type": "market.crash"})
        elif command == "/crash":
            raise RuntimeError("you asked for it")
        elif command:
            self.say(text.strip()[:1000])

    def restarted(self, reason):
        """A new incarnation, the same socket: tell the browser through it."""
        why = f"{type(reason).__name__}: {reason}"
        self.send(text=str(Restarted(self.epoch, why)))

    async def disconnect(self):
        """Say goodbye: runs once, however the connection ended."""
        if self.group:
            await self.group_send_others(self.group, Left(self.ref))

    # Who is here: consumers tell each other. These messages wake the actors,
    # one by one, and need no database, hence `async def`.

    @handles(Arrived)
    async def on_arrived(self, message: Arrived):
        self.people[message.who.path] = message.name
        await self.cast(message.who, Here(self.ref, self.username))
        await self.show_people()

    @handles(Here)
    async def on_here(self, message: Here):
        self.people[message.who.path] = message.name
        await self.show_people()

    @handles(Left)
    async def on_left(self, message: Left):
        self.people.pop(message.who.path, None)
        await self.show_people()

    # Helpers. Sending takes effect at the call, from a thread and on trio alike;
    # what it returns only waits for room, and only `async def` code can await it.

    def show_people(self):
        return self.send(text=str(People(sorted(self.people.values()))))

    def history(self):
        """The last lines of the room, the oldest first."""
        last = Message.objects.filter(room_id=self.room_id).order_by("-id")[:HISTORY]
        return [as_frame(line) for line in reversed(last)]

    def say(self, text):
        """Keep a line and show it to the room."""
        line = Message.objects.create(room_id=self.room_id, author=self.username, text=text)
        # A text to a group is encoded once and written straight to each socket:
        # no other consumer is woken for it.
        self.group_send(self.group, text=str(as_frame(line)))

    def rename(self, name):
        name = " ".join(name.split())[:24]
        if not name:
            self.send(text=str(Notice("Which name? Try /name Ada")))
            return
        self.username = name
        self.send(text=str(Notice(f"You are {name} now.", you=name)))
        self.group_send(self.group, Here(self.ref, name))


def as_frame(line: Message) -> Said:
    return Said(line.pk, line.author, line.text, line.sent_at.timestamp())
