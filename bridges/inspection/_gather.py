# All processes of a project are asked at once, by whoever can open their sockets: a thread of one
# of them, a command, another server. Who has not answered by the deadline is named as silent.

import json
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ._directory import Door, doors
from ._wire import MOST_ANSWER, MOST_QUESTION, BadMessage, Unpacker, pack


@dataclass(frozen=True, slots=True)
class Said:
    """What one process has said."""

    process: str
    """Which one: host, pid and start."""
    pid: int
    answer: dict[str, Any] | None = None
    """Its answer; None if it has given none."""
    silent: str = ""
    """Why it has not; "" if it has."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all of them have said."""

    said: Sequence[Said]
    """In the order of their pids."""
    seconds: float
    """How long that took."""

    @property
    def answered(self) -> list[Said]:
        """Those that have answered."""
        return [each for each in self.said if each.answer is not None]

    @property
    def silent(self) -> list[Said]:
        """Those that have not."""
        return [each for each in self.said if each.answer is None]


def gather(
    question: Mapping[str, object],
    directory: Path,
    *,
    seconds: float = 1.0,
    only: int | None = None,
) -> Gathered:
    """
    Ask all processes of *directory* and wait for their answers. For threads: it blocks.

    Args:
        question: As the Inspector takes it.
        directory: Where their sockets are.
        seconds: How long all of it may take.
        only: The pid of the only one to ask.

    Raises:
        BadMessage: *question* is too long.
    """
    began = time.monotonic()
    data = pack(dict(question), MOST_QUESTION)
    asked = [_Asked(door, data) for door in doors(directory) if only in (None, door.pid)]
    until = began + seconds
    with selectors.DefaultSelector() as selector:
        for each in asked:
            each.begin(selector)
        while selector.get_map() and (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data.go_on(selector)
    said = [each.said(f"no answer within {seconds:g} s") for each in asked]
    return Gathered(said, time.monotonic() - began)


class _Asked:
    """One process that was asked."""

    def __init__(self, door: Door, data: bytes) -> None:
        self.door = door
        self._data = data
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._unpacker = Unpacker(MOST_ANSWER + 4096)
        self._message: dict[str, Any] | None = None
        self._trouble = ""

    def begin(self, selector: selectors.BaseSelector) -> None:
        """Connect, and ask as soon as that may be."""
        self._socket.setblocking(False)
        try:
            self._socket.connect(str(self.door.path))
        except BlockingIOError:  # its backlog is full
            self._trouble = "it takes no more questions"
            self._socket.close()
            return
        except OSError as error:
            self._trouble = f"it can't be reached: {error.strerror}"
            self._socket.close()
            return
        selector.register(self._socket, selectors.EVENT_WRITE, self)

    def go_on(self, selector: selectors.BaseSelector) -> None:
        """Send or receive what can be now."""
        try:
            if self._data:
                self._data = self._data[self._socket.send(self._data) :]
                if not self._data:
                    selector.modify(self._socket, selectors.EVENT_READ, self)
                return
            data = self._socket.recv(1 << 18)
            self._message = self._unpacker.feed(data) if data else None
            if data and self._message is None:
                return
            if not data:
                self._trouble = "it has ended meanwhile"
        except BlockingIOError:
            return
        except OSError as error:
            self._trouble = f"it has ended meanwhile: {error.strerror}"
        except BadMessage as error:
            self._trouble = f"it said what can't be read: {error}"
        selector.unregister(self._socket)
        self._socket.close()

    def said(self, late: str) -> Said:
        """Return what came of it, *late* if nothing did."""
        with suppress(OSError):
            self._socket.close()
        name = f"{socket.gethostname()}:{self.door.pid}:{self.door.started}"
        if self._message is None:
            return Said(name, self.door.pid, None, self._trouble or late)
        answer: object = self._message.get("answer")
        if not isinstance(answer, dict):
            return Said(name, self.door.pid, None, f"it said {json.dumps(self._message)[:100]}")
        return Said(name, self.door.pid, cast("dict[str, Any]", answer))
