# A tree answers what others ask it over its socket: one question a connection.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_answering.py:
#   BOUNDED   a question has a size and a time; so many are answered at once, others wait.
#   MEANT     what is for another process, as one of another machine, is not answered, nor done.
#   OWN       who asks has the same user, or is root; others are not read from.
#   GONE      when it ends, its socket is gone.
#   LEFT      an answer that nobody waits for any more is not looked for any longer.

import errno
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import trio

from ._directory import NoDirectory, first_usable
from ._door import OwnDoor, is_own
from ._inspector import error
from ._local import LocalTree
from ._wire import MOST_ANSWER, MOST_QUESTION, BadMessage, Unpacker, pack

PEERS = 64
"""Who may be connected at a time; others wait to be accepted."""
ASK_SECONDS = 5.0
"""How long a question may take to come, and an answer to be taken."""
AGAIN_SECONDS = 10.0
"""After which a socket that could not be had is tried again."""

_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

logger = logging.getLogger("greenroom.inspection")


async def answer_others(
    tree: LocalTree,
    directory: Path,
    *,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> None:
    """
    Answer for *tree* until it is cancelled. A checkpoint.

    Raises:
        NoDirectory: *directory* can't be used.
        OSError: The socket can't be made there.
    """
    door = OwnDoor(directory, tree.process)
    while True:
        with await door.open() as listener:
            try:
                tree.door = door
                task_status.started(door.path)
                task_status = trio.TASK_STATUS_IGNORED
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_accept, tree, listener)
                    await door.beat()  # until its name has gone
                    nursery.cancel_scope.cancel()
            finally:
                tree.door = None
                door.close()
        logger.info(
            "the socket of the inspection, %s, was taken away; there is a new one", door.path
        )


async def answer_through_all(
    tree: LocalTree,
    directories: Sequence[Path],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """
    Answer for *tree* in the first of *directories* that can be used, until cancelled.

    Whatever goes wrong is logged, once, and tried again. It counts as started when it was tried
    for the first time. A checkpoint.
    """
    told = ""
    while True:
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(answer_others, tree, first_usable(directories))
                tree.why_no_door = ""
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
        except Exception as problem:  # noqa: BLE001 - it is logged, and the tree goes on
            told = tree.why_no_door = _tell_once(problem, told)
        task_status.started()
        task_status = trio.TASK_STATUS_IGNORED
        await trio.sleep(AGAIN_SECONDS)


def _tell_once(problem: Exception, told: str) -> str:
    """Log *problem*, unless *told* is just that; return its text."""
    while isinstance(problem, ExceptionGroup):
        problem = cast("ExceptionGroup[Exception]", problem).exceptions[0]
    text = str(problem) or type(problem).__name__
    if text == told:
        return text
    if isinstance(problem, NoDirectory):
        logger.warning("no other process can look into this tree: %s", problem)
    else:
        logger.error("who answers other processes has crashed; he is tried again", exc_info=problem)
    return text


async def _accept(tree: LocalTree, listener: trio.socket.SocketType) -> None:
    limit = trio.CapacityLimiter(PEERS)
    async with trio.open_nursery() as nursery:
        while True:
            await limit.acquire_on_behalf_of(token := object())
            try:
                peer, _ = await listener.accept()
            except OSError as problem:
                limit.release_on_behalf_of(token)
                if problem.errno not in _FULL:
                    raise
                await trio.sleep(1)  # descriptors are short; connections end meanwhile
                continue
            nursery.start_soon(_one, tree, peer, limit, token)


async def _one(
    tree: LocalTree, peer: trio.socket.SocketType, limit: trio.CapacityLimiter, token: object
) -> None:
    try:
        with peer:
            if is_own(peer):
                await _answer(tree, peer)
    except OSError:
        pass  # whoever asked has gone
    except Exception:
        logger.exception("a question could not be answered")
    finally:
        limit.release_on_behalf_of(token)


async def _answer(tree: LocalTree, peer: trio.socket.SocketType) -> None:
    question: dict[str, object] | str | None = None
    with trio.move_on_after(ASK_SECONDS):
        question = await _question(peer)
    if question is None:
        return
    if isinstance(question, str):
        answer: dict[str, Any] | None = error("bad-question", question)
    elif (meant := question.pop("to", None)) not in (None, tree.process.id):
        answer = error("not-found", f"this is process {tree.process.id}, not {str(meant)[:100]}")
    else:
        answer = await _while_it_waits(tree, peer, question)
    if answer is None:
        return
    data = memoryview(_packed(tree, answer))  # what is left is not copied each time
    with trio.move_on_after(ASK_SECONDS):
        while data:
            data = data[await peer.send(data) :]


def _packed(tree: LocalTree, answer: dict[str, Any]) -> bytes:
    process = tree.process.as_dict()
    try:
        return pack({"process": process, "answer": answer}, MOST_ANSWER)
    except BadMessage as refusal:
        answer = error("failed", f"the answer is too long: {refusal}. Ask for less of it.")
    except (TypeError, ValueError) as fault:
        logger.exception("an answer is no JSON")
        answer = error("failed", f"the answer is no JSON: {fault}")
    return pack({"process": process, "answer": answer}, MOST_ANSWER)


async def _question(peer: trio.socket.SocketType) -> dict[str, object] | str | None:
    unpacker = Unpacker(MOST_QUESTION)
    while True:
        data = await peer.recv(65_536)
        if not data:
            return None  # it has asked nothing
        try:
            question = unpacker.feed(data)
        except BadMessage as refusal:
            return str(refusal)
        if question is not None:
            return question


async def _while_it_waits(
    tree: LocalTree, peer: trio.socket.SocketType, question: dict[str, object]
) -> dict[str, Any] | None:
    """Return the answer; None if whoever asked has left before."""
    answer: dict[str, Any] | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_until_it_leaves, peer, nursery.cancel_scope)
        answer = await tree.answer(question)
        nursery.cancel_scope.cancel()
    return answer


async def _until_it_leaves(peer: trio.socket.SocketType, scope: trio.CancelScope) -> None:
    try:
        while await peer.recv(4096):
            pass  # it has asked already
    except OSError:
        pass  # it is gone as well
    scope.cancel()
