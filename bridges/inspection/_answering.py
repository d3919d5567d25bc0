# A process answers what others ask it over its socket: one question a connection.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_answering.py:
#   BOUNDED   a question has a size and a time; so many are answered at once, others wait.
#   OWN       who asks has the same user, or is root; others are not read from.
#   GONE      when it ends, its socket is gone.

import os
import socket
import struct
from pathlib import Path

import trio

from ._directory import door_of, prepare
from ._identity import this_process
from ._inspector import Inspector, error
from ._wire import MOST_ANSWER, MOST_QUESTION, BadMessage, Unpacker, pack

AT_ONCE = 8
"""Questions that are answered at a time."""
ASK_SECONDS = 5.0
"""How long a question may take to come, and an answer to be taken."""
ANSWER_SECONDS = 30.0
"""How long an answer may take to be found."""

_CREDENTIALS = struct.Struct("3i")  # pid, user, group: see unix(7)


async def answer_others(
    inspector: Inspector,
    directory: Path,
    *,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> None:
    """
    Answer until it is cancelled. A checkpoint.

    Raises:
        NoDirectory: *directory* can't be used.
        OSError: The socket can't be made there.
    """
    prepare(directory)
    path = door_of(directory, this_process())
    path.unlink(missing_ok=True)
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        before = os.umask(0o177)
        try:
            await listener.bind(os.fspath(path))
        finally:
            os.umask(before)
        try:
            listener.listen(128)
            task_status.started(path)
            limit = trio.CapacityLimiter(AT_ONCE)
            async with trio.open_nursery() as nursery:
                while True:
                    await limit.acquire_on_behalf_of(token := object())
                    peer, _ = await listener.accept()
                    nursery.start_soon(_one, inspector, peer, limit, token)
        finally:
            path.unlink(missing_ok=True)


async def _one(
    inspector: Inspector, peer: trio.socket.SocketType, limit: trio.CapacityLimiter, token: object
) -> None:
    try:
        with peer:
            if _may_ask(peer):
                await _answer(inspector, peer)
    except OSError:
        pass  # whoever asked has gone
    finally:
        limit.release_on_behalf_of(token)


async def _answer(inspector: Inspector, peer: trio.socket.SocketType) -> None:
    with trio.move_on_after(ASK_SECONDS) as asking:
        question = await _question(peer)
    if asking.cancelled_caught:
        return
    if isinstance(question, str):
        answer = error("bad-question", question)
    else:
        answer = error("timeout", f"no answer was found within {ANSWER_SECONDS:g} s")
        with trio.move_on_after(ANSWER_SECONDS):
            answer = await inspector.answer(question)
    try:
        data = pack({"process": this_process().as_dict(), "answer": answer}, MOST_ANSWER)
    except BadMessage as refusal:
        refused = error("failed", f"the answer is too long: {refusal}")
        data = pack({"process": this_process().as_dict(), "answer": refused}, MOST_ANSWER)
    with trio.move_on_after(ASK_SECONDS):
        while data:
            data = data[await peer.send(data) :]


async def _question(peer: trio.socket.SocketType) -> dict[str, object] | str:
    unpacker = Unpacker(MOST_QUESTION)
    while True:
        data = await peer.recv(65_536)
        if not data:
            raise ConnectionResetError("it has asked nothing")
        try:
            question = unpacker.feed(data)
        except BadMessage as refusal:
            return str(refusal)
        if question is not None:
            return question


def _may_ask(peer: trio.socket.SocketType) -> bool:
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True  # the directory is its user's alone all the same
    raw = peer.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return user in (0, os.getuid())
