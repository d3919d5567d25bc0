# Handlers that may run beside each other: @concurrent, and @handles(..., concurrent=).

from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorStopped,
    CallFailed,
    Disconnected,
    WebsocketConsumer,
    concurrent,
    handles,
)
from greenroom.supervisor import NodeSnapshot

PATH = "/residents/worker"


class Worker(Actor):
    """Each job begins, waits for its gate and ends; all of it is noted."""

    log: list[str] = []
    gates: dict[str, trio.Event] = {}
    keep = ["kept"]
    kept = 0

    @handles("job", concurrent=2)
    async def job(self, message: dict[str, Any]) -> str:
        return await self.work(message["name"])

    @handles("keyed", concurrent=2, per_key="room")
    async def keyed(self, message: dict[str, Any]) -> str:
        return await self.work(message["name"])

    async def work(self, name: str) -> str:
        self.log.append(f"+{name}")
        try:
            await self.gates.setdefault(name, trio.Event()).wait()
        except trio.Cancelled:
            self.log.append(f"!{name}")
            raise
        if name.startswith("bad"):
            raise ValueError(name)
        self.kept += 1
        self.log.append(f"-{name}")
        return f"{name} done"

    @handles("epoch")
    async def tell(self, message: object) -> int:
        return self.epoch


@pytest.fixture(autouse=True)
def fresh() -> None:
    Worker.log, Worker.gates = [], {}


def open_gate(name: str) -> None:
    Worker.gates.setdefault(name, trio.Event()).set()


def job(name: str, room: str = "") -> dict[str, object]:
    return {"type": "keyed" if room else "job", "name": name, "room": room}


def node(server: Any) -> NodeSnapshot:
    return next(each for each in server.root.snapshot().walk() if each.path == PATH)


async def test_bounded() -> None:
    """
    As many run as may; the next waits, and behind it all the rest, in the mailbox.
    """
    async with running(Worker) as server:
        ref = server.root.find(PATH)
        for name in ("a", "b", "c", "d"):
            ref.cast(job(name))
        await settle(lambda: node(server).facts.get("handling") and len(Worker.log) == 2)

        assert sorted(Worker.log) == ["+a", "+b"]
        assert node(server).facts["concurrent"] == ["'job'", "'job'"]
        assert node(server).mailbox == (1, 256)
        open_gate("b")
        await settle(lambda: "+c" in Worker.log)
        assert Worker.log[2:] == ["-b", "+c"]
        for name in ("a", "c", "d"):
            open_gate(name)
        await settle(lambda: node(server).facts["handled"] == 4)
        assert "concurrent" not in node(server).facts


async def test_other_handlers_run_beside_it() -> None:
    """
    A handler that is not marked runs while jobs wait, and a call is answered by what it returns.
    """
    async with running(Worker) as server, trio.open_nursery() as nursery:
        ref = server.root.find(PATH)
        answers: list[object] = []

        async def ask(name: str) -> None:
            answers.append(await ref.call(job(name)))

        nursery.start_soon(ask, "a")
        await settle(lambda: Worker.log == ["+a"])
        assert await ref.call({"type": "epoch"}) == 1
        open_gate("a")
        await settle(lambda: answers)

        assert answers == ["a done"]


async def test_crash() -> None:
    """
    What one raises crashes the incarnation: the other is cancelled, both are consumed, and the
    callers of both are told at once; what waits goes on.
    """
    async with running(Worker) as server, trio.open_nursery() as nursery:
        ref = server.root.find(PATH)
        told: dict[str, Exception] = {}

        async def ask(name: str) -> None:
            try:
                await ref.call(job(name))
            except Exception as error:
                told[name] = error

        nursery.start_soon(ask, "other")
        await settle(lambda: Worker.log == ["+other"])
        nursery.start_soon(ask, "bad")
        await settle(lambda: Worker.log == ["+other", "+bad"])
        ref.cast(job("next"))
        ref.cast({"type": "ignored"})
        restarted = watch(server, "slot.restarted", PATH)
        open_gate("bad")
        await restarted.until()
        await settle(lambda: "+next" in Worker.log)

        assert Worker.log == ["+other", "+bad", "!other", "+next"]
        assert {type(error) for error in told.values()} == {CallFailed}
        assert str(told["bad"]).endswith("ValueError: bad")
        (crash,) = happened(server, "slot.crashed", PATH)
        assert crash.facts["message"] == "call 'job'"
        open_gate("next")


async def test_in_order() -> None:
    """
    Messages of one key never overlap and keep their order; other keys pass them by.
    """
    async with running(Worker) as server:
        ref = server.root.find(PATH)
        for name, room in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")):
            ref.cast(job(name, room))
        await settle(lambda: len(Worker.log) == 2)

        assert sorted(Worker.log) == ["+a1", "+b1"]
        assert node(server).facts["waiting_for_key"] == 2
        for name in ("a2", "a3", "b1", "a1"):
            open_gate(name)
        await settle(lambda: "-a3" in Worker.log)
        of_a = [each for each in Worker.log if "a" in each]
        assert of_a == ["+a1", "-a1", "+a2", "-a2", "+a3", "-a3"]


async def test_not_begun() -> None:
    """
    After a crash what waited for its key is handled by the next incarnation, in order.
    """
    async with running(Worker) as server:
        ref = server.root.find(PATH)
        for name in ("bad", "a2", "a3"):
            ref.cast(job(name, "a"))
        ref.cast(job("b1", "b"))
        await settle(lambda: len(Worker.log) == 2)
        for name in ("a2", "a3", "bad"):
            open_gate(name)
        await settle(lambda: "-a3" in Worker.log)

        assert sorted(Worker.log[:2]) == ["+b1", "+bad"]
        assert Worker.log[2:] == ["!b1", "+a2", "-a2", "+a3", "-a3"]
        assert await ref.call({"type": "epoch"}) == 2


class Chat(WebsocketConsumer):
    """Each frame takes until its gate opens."""

    ends: list[str] = []

    @concurrent(3)
    async def receive(self, text: str) -> None:
        await Worker.gates.setdefault(text, trio.Event()).wait()
        self.ends.append(text)
        await self.send(text=text)

    async def disconnect(self, code: int) -> None:
        self.ends.append(str(code))


@pytest.mark.parametrize("how", ["peer", "stop"])
async def test_drained(how: str) -> None:
    """
    The end of the peer, and a stop, let what runs finish; then `disconnect` runs.
    """
    Chat.ends = []
    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ended = watch(server, "slot.ended")
        for text in ("a", "b"):
            ws.send_text(text)
        await settle(lambda: set(Worker.gates) == {"a", "b"})
        if how == "peer":
            ws.disconnect(4001)
        else:
            server.root.find(ws.slot.path).stop()
        await trio.testing.wait_all_tasks_blocked()
        assert Chat.ends == []
        for text in ("b", "a"):
            open_gate(text)
        await ended.until()

    assert sorted(Chat.ends[:2]) == ["a", "b"]
    assert Chat.ends[2:] == ["4001" if how == "peer" else "1000"]


@pytest.mark.parametrize("how", ["peer", "own close"])
async def test_a_crash_while_the_end_waits(how: str) -> None:
    """
    DRAINED: who crashes while the end waits for him can't take the end away: no restart follows.
    """

    class Crashing(Chat):
        ends: list[str] = []

        @concurrent(3)
        async def receive(self, text: str) -> None:
            if text == "close":
                await self.close(4001)
            await Worker.gates.setdefault(text, trio.Event()).wait()
            raise ValueError(text)

    async with running(chat=Crashing) as server, server.websocket("/chat") as ws:
        ended = watch(server, "slot.ended")
        for text in ("a", "close" if how == "own close" else "b"):
            ws.send_text(text)
        await settle(lambda: len(Worker.gates) == 2)
        if how == "peer":
            ws.disconnect(4001)
        await trio.testing.wait_all_tasks_blocked()
        open_gate("a")
        await ended.until()
        assert Crashing.ends == ["4001"]
        (crash,) = happened(server, "slot.crashed")
        assert crash.facts["message"] == "text frame of 1"
        assert happened(server, "slot.restarted") == []


async def test_frames_answer_out_of_order() -> None:
    """
    Frames run beside each other: the second is answered while the first still waits.
    """
    Chat.ends = []
    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        for text in ("slow", "fast"):
            ws.send_text(text)
        open_gate("fast")
        assert await ws.receive_text() == "fast"
        open_gate("slow")
        assert await ws.receive_text() == "slow"


async def test_cancelled_by_the_end_of_the_connection() -> None:
    """
    With `cancel_on_disconnect` the end of the peer cancels all of them, and nothing crashes.
    """
    ends: list[str] = []

    class Hurried(WebsocketConsumer):
        cancel_on_disconnect = True

        @concurrent(2)
        async def receive(self, text: str) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ends.append(text)

        async def disconnect(self) -> None:
            ends.append("disconnect")

    async with running(chat=Hurried) as server:
        async with server.websocket("/chat") as ws:
            for text in ("a", "b"):
                ws.send_text(text)
            await settle(lambda: len(ws.slot.facts.get("concurrent", ())) == 2)
        assert sorted(ends[:2]) == ["a", "b"]
        assert ends[2:] == ["disconnect"]
        assert happened(server, "slot.crashed") == []


async def test_disconnected_ends_it_quietly() -> None:
    """
    `Disconnected` that one raises of its own accord ends the slot, and is no crash.
    """

    class Leaver(WebsocketConsumer):
        @concurrent(2)
        async def receive(self, text: str) -> None:
            raise Disconnected(self.path, 1000)

    async with running(chat=Leaver) as server, server.websocket("/chat") as ws:
        ws.send_text("bye")
        await ws.closed()
        assert happened(server, "slot.crashed") == []


async def test_resumed(autojump_clock: MockClock) -> None:
    """
    An error that the class resumes fails its call alone; the others run on.
    """

    class Robust(Worker):
        supervise = {ValueError: "resume"}

    async with running(Robust) as server:
        ref = server.root.find("/residents/robust")
        ref.cast(job("other"))
        open_gate("bad")
        with pytest.raises(CallFailed):
            await ref.call(job("bad"))
        assert "!other" not in Worker.log
        assert await ref.call({"type": "epoch"}) == 1
        assert len(happened(server, "slot.resumed")) == 1


async def test_a_stop_fails_the_calls_that_run() -> None:
    """
    Past the deadline of a stop what runs is cancelled, and its caller is told.
    """

    class Impatient(Worker):
        shutdown_seconds = 0

    async with running(Impatient) as server, trio.open_nursery() as nursery:
        ref = server.root.find("/residents/impatient")
        told: list[Exception] = []

        async def ask() -> None:
            try:
                await ref.call(job("a"))
            except Exception as error:
                told.append(error)

        nursery.start_soon(ask)
        await settle(lambda: Worker.log == ["+a"])
        ref.stop()
        await settle(lambda: told and len(Worker.log) == 2)
        assert type(told[0]) is ActorStopped
        assert Worker.log == ["+a", "!a"]
