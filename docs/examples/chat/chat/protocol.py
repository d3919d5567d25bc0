# What travels: frames to the browser, and messages between consumers.
#
# Both are plain typed records. A frame becomes JSON text whose "type" says
# which one it is; a message stays a Python object and never leaves the server.
import msgspec

from greenroom.actors import ActorRef


class Frame(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """What the server sends to a browser."""

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()


class Said(Frame, frozen=True):
    """A line of the conversation; *at* in seconds since 1970."""

    id: int
    author: str
    text: str
    at: float


class Welcome(Frame, frozen=True):
    """The socket is open: who you are, where you live, what was said before."""

    you: str
    path: str
    epoch: int
    history: list[Said]


class Restarted(Frame, frozen=True):
    """Your consumer crashed for *reason*; this is its next incarnation."""

    epoch: int
    reason: str


class Notice(Frame, frozen=True):
    """An answer to you alone. *you* is your name, if it has changed."""

    text: str
    you: str | None = None


class People(Frame, frozen=True):
    """Everybody in the room, you included."""

    names: list[str]


class Arrived(msgspec.Struct, frozen=True):
    """To the room: somebody has come in. Please tell *who* that you are here."""

    who: ActorRef
    name: str


class Here(msgspec.Struct, frozen=True):
    """Somebody is in the room, by this name."""

    who: ActorRef
    name: str


class Left(msgspec.Struct, frozen=True):
    """To the room: somebody has gone."""

    who: ActorRef
