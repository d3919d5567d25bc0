# All processes of a project are asked at once, on trio: for what follows them for long, and must
# hold no thread.

from collections.abc import Mapping, Sequence
from pathlib import Path

import trio

from ...actors._lowlevel import LoopThread
from ._call import AGAIN_SECONDS, Call, sweep
from ._gather import doors_to_ask, packed
from ._gathered import Answer, Gathered
from ._local import LocalTree
from ._wire import mended


async def gather_async(
    question: Mapping[str, object],
    directories: Path | Sequence[Path],
    *,
    seconds: float = 1.0,
    only: str | None = None,
    local: Sequence[LocalTree] = (),
) -> Gathered:
    """
    Ask all processes of a project, as :func:`gather` does. A checkpoint.

    A cancellation leaves nothing open; who is asked stops looking for the answer.

    Raises:
        BadMessage: *question* is too long, or no JSON.
    """
    began = trio.current_time()
    data = packed(question, only)
    trees = [tree for tree in local if only in (None, tree.process.id)]
    found, trouble = doors_to_ask(directories, only, local)
    calls = [Call(door, data) for door in found]
    answers: list[Answer] = []
    try:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for tree in trees:
                    nursery.start_soon(_ask_local, tree, question, answers)
                for call in calls:
                    nursery.start_soon(_ask, call)
        answers += [each.outcome(seconds) for each in sweep(calls)]
    finally:
        for call in calls:
            call.close()
    heard = {each.process for each in answers}
    late = f"no answer within {seconds:.3g} s"
    answers += [Answer(tree.process, None, late) for tree in trees if tree.process not in heard]
    answers.sort(key=lambda each: (each.process.pid, each.process.tree))
    return Gathered(answers, len(answers), trio.current_time() - began, trouble)


async def _ask_local(
    tree: LocalTree, question: Mapping[str, object], answers: list[Answer]
) -> None:
    if tree.is_here:
        answers.append(Answer(tree.process, mended(await tree.answer(question))))
        return
    # The loop of another thread: its answer comes to this one.
    told = trio.Event()
    loop = LoopThread.current()
    said: list[dict[str, object]] = []

    def take(answer: dict[str, object]) -> None:
        said.append(answer)
        loop.call_soon(told.set)

    asked = tree.ask(question, take)
    if asked is None:
        answers.append(Answer(tree.process, None, "its loop has ended"))
        return
    try:
        await told.wait()
    except trio.Cancelled:
        tree.forget(asked)
        raise
    answers.append(Answer(tree.process, mended(said[0])))


async def _ask(call: Call) -> None:
    while not call.connect():
        if call.over:
            return
        await trio.sleep(AGAIN_SECONDS)
    if call.socket is None:
        return
    try:
        with trio.socket.from_stdlib_socket(call.socket.dup()) as stream:
            while call.left:
                call.sent(await stream.send(call.left))
            while not call.over:
                call.take(await stream.recv(1 << 18))
    except OSError as error:
        call.failed(error)
