# stop, escalate and restart by the type of the error; and what a spent budget does.

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import HandshakeRefused, virtual_clock
from greenroom.supervisor import Backoff, ChildSpec, Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Chat(WebsocketConsumer):
    """Raises what it is told to, in a handler or in a task."""

    supervise = {KeyError: "stop", OSError: "escalate", ValueError: "restart"}
    ends: list[int]

    async def receive(self, text):
        kind, _, where = text.partition(" ")
        error = {"key": KeyError, "os": OSError, "value": ValueError}[kind]("x")
        if where == "task":
            self.start_soon(self.fail, error)
        else:
            raise error

    async def fail(self, error):
        raise ExceptionGroup("of a nursery", [error])

    async def disconnect(self, code):
        self.ends.append(code)


class Worker(Actor):
    supervise = {KeyError: "stop", OSError: "escalate"}

    @handles("key")
    async def on_key(self, message):
        raise KeyError("x")

    @handles("os")
    async def on_os(self, message):
        raise OSError("x")


def chat() -> type[Chat]:
    return type("Chat", (Chat,), {"ends": []})


@pytest.mark.parametrize("where", ["", " task"])
async def test_stop_ends_a_connection(where: str) -> None:
    """
    stop: 1011 at the first crash, disconnect runs, no restart, and why is in the event.
    """
    kind = chat()
    async with running(chat=kind) as server, server.websocket("/chat") as ws:
        ws.send_text(f"key{where}")

        assert (await ws.closed()).code == 1011
        await settle(lambda: kind.ends == [1011])
        (crashed,) = happened(server, "slot.crashed")
        assert crashed.facts["directive"] == "stop"
        assert happened(server, "slot.restarted") == happened(server, "slot.gave_up") == []
        assert server.root.up


@pytest.mark.parametrize("where", ["", " task"])
async def test_escalate_takes_the_root_down(where: str) -> None:
    """
    escalate: the slot ends, its supervisor gives up, connections are refused with 503.
    """
    async with running(chat=chat()) as server:
        async with server.websocket("/chat") as other, server.websocket("/chat") as ws:
            path = ws.slot.path
            ws.send_text(f"os{where}")

            assert (await ws.closed()).code == 1011
            assert server.root.readiness() == [f"root is down, because {path} escalated"]
            assert other.slot.state == "running"
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        assert refused.value.status == 503


async def test_restart_is_what_happens_anyway() -> None:
    """
    restart: as an error that is not listed, within the budget, which is charged.
    """
    async with running(chat=chat()) as server, server.websocket("/chat") as ws:
        ws.send_text("value")
        await ws.wait_restarted(2)

        assert ws.slot.restarts_left == 2
        assert "directive" not in happened(server, "slot.crashed")[0].facts


@pytest.mark.parametrize(("message", "state"), [("key", "running"), ("os", "down")])
async def test_a_resident_stops_or_escalates(message: str, state: str) -> None:
    """
    A resident that its class wants stopped is down and readiness says so; or the root is down.
    """
    async with running(Worker) as server:
        ended = watch(server, "slot.ended")
        server.root.find("/residents/worker").cast({"type": message})
        await ended.until()

        assert server.root.state == state
        assert server.root.readiness()[-1] == "/residents/worker is not up"
        assert happened(server, "slot.gave_up") == happened(server, "slot.restarted") == []


async def test_a_temporary_actor_escalates_as_well() -> None:
    """
    A directive is about the error, not about restarts: "temporary" does not hide it.
    """
    kind = type("Chat", (chat(),), {"restart": "temporary"})
    async with running(chat=kind) as server, server.websocket("/chat") as ws:
        ws.send_text("os")

        assert (await ws.closed()).code == 1011
        assert server.root.state == "down"


@pytest.mark.parametrize("on_exceeded", ["close", "stop"])
async def test_on_exceeded_close(on_exceeded: str) -> None:
    """
    A consumer whose budget is spent closes with 1011: by "close", and "stop" is the same.
    """
    kind = type("Chat", (chat(),), {"max_restarts": 0, "on_exceeded": on_exceeded})
    async with running(chat=kind) as server, server.websocket("/chat") as ws:
        ws.send_text("value")

        assert (await ws.closed()).code == 1011
        assert len(happened(server, "slot.gave_up")) == 1
        assert server.root.up


async def pauses(options: Options, clock: MockClock, **settings: object) -> list[float]:
    """Return the pauses of a consumer that crashes five times."""
    settings = {"max_restarts": None, "max_seconds": 1000, "ends": []} | settings
    async with running(chat=type("Chat", (Chat,), settings), options=options) as server:
        async with server.websocket("/chat") as ws:
            for number in range(2, 7):
                ws.send_text("value")
                await ws.wait_restarted(number, timeout=100)
        return [float(str(e.facts["seconds"])) for e in happened(server, "slot.backing_off")]


async def test_a_seed_makes_the_same_pauses(clock: MockClock) -> None:
    """
    With the option seed the jitter is the same in each run; without one, or another, it is not.
    """
    first, second = await pauses(Options(seed=7), clock), await pauses(Options(seed=7), clock)

    assert first == second
    assert first != await pauses(Options(seed=8), clock)
    assert await pauses(Options(), clock) != await pauses(Options(), clock)


async def test_a_class_has_pauses_of_its_own(clock: MockClock) -> None:
    """
    backoff_* of the class override the tree's, each by itself.
    """
    own = {"backoff_min_seconds": 1, "backoff_max_seconds": 4, "backoff_jitter": 0}

    assert await pauses(Options(), clock, **own) == [1, 2, 4, 4]
    exact = Options(backoff_jitter=0)
    assert await pauses(exact, clock, backoff_max_seconds=0.15) == [0.1, 0.15, 0.15, 0.15]


async def test_a_spec_has_pauses_of_its_own(clock: MockClock) -> None:
    """
    A resident's ChildSpec(backoff=...) goes before its class and the tree.
    """

    class Bad(Actor):
        backoff_min_seconds = 1.0

        @handles("boom")
        async def on_boom(self, message):
            raise ValueError

    spec = ChildSpec(actor=Bad, max_restarts=None, max_seconds=100.0, backoff=Backoff(3, 3, 0))
    async with running(spec) as server:
        restarted = watch(server, "slot.restarted")
        began = trio.current_time()
        for _ in range(3):
            server.root.find("/residents/bad").cast({"type": "boom"})
        await restarted.until(3, seconds=60)

        assert round(trio.current_time() - began, 3) == 6
