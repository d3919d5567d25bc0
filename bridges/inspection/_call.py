# One process is asked over its socket: what is sent, what has come, and what that means. No waiting
# here; _gather.py waits in a thread, _gather_async.py on trio.

import errno
import os
import socket
from contextlib import suppress
from typing import Any, cast

from ._directory import Door
from ._door import is_own, pid_of
from ._gathered import Answer
from ._identity import ProcessId, started_of
from ._kernel import Sight, in_words, seen_between
from ._wire import MOST_ANSWER, BadMessage, Unpacker

AGAIN_SECONDS = 0.02
"""After which one that takes no more questions is tried again."""
_ROOM = 4096  # for what is around an answer
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_ENDED = "it has ended meanwhile"


class Call:
    """
    One question to one process.

    Args:
        door: Its socket.
        question: What is asked, packed.
    """

    def __init__(self, door: Door, question: bytes) -> None:
        self.door = door
        self.left = question
        """What of the question is not sent yet."""
        self.socket: socket.socket | None = None
        self.over = False
        """Whether nothing more will come of it."""
        self.is_nobody = False
        """Whether nobody listens there any more."""
        self._came = 0
        self._unpacker = Unpacker(MOST_ANSWER + _ROOM)
        self._message: dict[str, Any] | None = None
        self._trouble = ""
        self._is_visible = False  # whether its number means the same process here
        self._before: Sight | None = None

    def connect(self) -> bool:
        """Connect, without waiting; say whether that has worked, or it is ``over``."""
        try:
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            self._end(f"this process can open no more sockets: {error.strerror}")
            return False
        one.setblocking(False)
        try:
            one.connect(os.fspath(self.door.path))
        except BlockingIOError:  # its queue is full
            one.close()
            self._trouble = "it takes no more questions: its queue is full"
            self._look()
            return False
        except (ConnectionRefusedError, FileNotFoundError):
            one.close()
            self.is_nobody = True
            self._end("it has ended")
            return False
        except OSError as error:
            one.close()
            self._end(f"it can't be reached: {error.strerror}")
            return False
        if not is_own(one):
            one.close()
            self._end("somebody else's process listens there")
            return False
        self._trouble = ""
        self.socket = one
        self._is_visible = pid_of(one) == self.door.pid
        self._look()
        return True

    def sent(self, size: int) -> None:
        """Take note that so many bytes were sent."""
        self.left = self.left[size:]

    def take(self, data: bytes) -> None:
        """Take what has come; nothing if the other end is closed."""
        if not data:
            self._end(f"{_ENDED}, or may not be asked")
            return
        self._came += len(data)
        try:
            self._message = cast("dict[str, Any] | None", self._unpacker.feed(data))
        except BadMessage as error:
            self._end(f"it said what can't be read: {error}")
            return
        if self._message is not None:
            self._end("")

    def failed(self, error: OSError) -> None:
        """Take note that the connection is broken, or that this process can't go on with it."""
        why = "this process can open no more files" if error.errno in _FULL else _ENDED
        self._end(f"{why}: {error.strerror}")

    def close(self) -> None:
        """Give the socket back."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def outcome(self, seconds: float) -> Answer:
        """Return what came of it within *seconds*, and close."""
        self.close()
        door = self.door
        message = self._message or {}
        answer, said = message.get("answer"), message.get("process")
        host = cast("dict[str, Any]", said).get("host") if isinstance(said, dict) else None
        here = host if isinstance(host, str) else socket.gethostname()
        process = ProcessId(here, door.pid, door.start, door.tree)
        if isinstance(answer, dict):
            return Answer(process, cast("dict[str, Any]", answer))
        why = self._trouble or self._late(seconds)
        if self._message is not None:
            why = f"it said what is no answer: {str(self._message)[:100]}"
        seen: dict[str, object] = {}
        if self._before is not None:
            seen = seen_between(self._before, Sight.of(door.pid))
        if words := in_words(seen):
            why = f"{why}; {words}"
        return Answer(process, None, why, seen, door.heartbeat)

    def _late(self, seconds: float) -> str:
        if self._came:
            return f"no whole answer within {seconds:g} s, only {self._came} bytes of it"
        return f"no answer within {seconds:.3g} s"

    def _look(self) -> None:
        """See what the kernel says of it, if that is the same process as here."""
        visible = self._is_visible or self.socket is None
        if visible and self._before is None and started_of(self.door.pid) == self.door.start:
            self._before = Sight.of(self.door.pid)

    def _end(self, trouble: str) -> None:
        self._trouble = trouble
        self.over = True
        self.close()


def sweep(calls: list[Call]) -> list[Call]:
    """Take away the sockets at which nobody listens; return the calls of the others."""
    for each in calls:
        if each.is_nobody:
            with suppress(OSError):
                each.door.path.unlink(missing_ok=True)
    return [each for each in calls if not each.is_nobody]
