# The root of the tree: order of start and stop, no leaks, refusing when it is not up.

import copy

import pytest
import trio
from helpers import happened, running, settle, task_names, watch
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer
from greenroom.actors._lowlevel import LoopThread
from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.testing import HandshakeRefused, virtual_clock
from greenroom.supervisor import ChildSpec, Options, Root, current_root


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def test_order() -> None:
    """
    Residents start before connections are taken; connections end before residents stop.
    """
    log: list[str] = []

    class Ticker(Actor):
        async def started(self):
            log.append(f"resident started, root {current_root().state}")

        async def stopped(self, reason):
            log.append("resident stopped")

    class Chat(WebsocketConsumer):
        async def connect(self, message):
            log.append(f"connected, root {current_root().state}")
            await self.accept()

        async def disconnect(self, message):
            log.append("disconnected")

    async with running(Ticker, chat=Chat, options=Options(close_seconds=0)) as server:
        ws = server.dial("/chat")
        await ws.handshake()

    assert log == [
        "resident started, root starting", "connected, root running", "disconnected",
        "resident stopped",
    ]  # fmt: skip
    kinds = [e.kind for e in server.root.events.recent(1000) if e.kind.startswith("root.")]
    assert kinds == ["root.started", "root.stopping", "root.stopped"]
    assert server.root.state == "stopped"


async def test_no_leak() -> None:
    """
    Children that crash, give up, end fatally and fail to stop: run() returns without a word.
    """

    class Bad(Actor):
        max_restarts = 0
        on_exceeded = "stop"

        async def started(self):
            self.start_soon(self.fail)

        async def fail(self):
            raise ValueError("soon")

        async def stopped(self, reason):
            raise KeyError("at the end")

    class Worse(Bad):
        async def fail(self):
            raise SystemExit(1)

    root = Root(LocalEngine(), children=[ChildSpec.of(Bad), ChildSpec.of(Worse)])
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        await settle(lambda: len(root.residents.parked()) == 2)
        assert root.up
        root.stop()
        await root.stopped.wait()

    assert root.events.counts()["slot.fatal"] == 1
    assert root.events.counts()["disconnect.failed"] == 2
    assert not any(name.startswith("greenroom") for name in task_names())


async def test_refusing() -> None:
    """
    A root that is not up takes no connection: 503 while it is down or stopping.
    """

    class Chat(WebsocketConsumer):
        pass

    async with running(chat=Chat) as server:
        server.root._state = "down"
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        assert (refused.value.status, refused.value.body) == (503, b"the supervisor is down\n")
        assert server.root.readiness() == ["root is down"]
        server.root._state = "running"
        async with server.websocket("/chat"):
            pass


async def test_a_cancelled_root_stops_in_order() -> None:
    """
    A cancellation of run() is an orderly stop too.
    """
    log: list[str] = []

    class Ticker(Actor):
        async def stopped(self, reason):
            await trio.lowlevel.checkpoint()
            log.append(reason)

    root = Root(LocalEngine(), children=[ChildSpec.of(Ticker)])
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        nursery.cancel_scope.cancel()

    assert log == ["shutdown"]
    assert root.state == "stopped"


async def test_a_root_that_is_cancelled_while_it_starts(clock: MockClock) -> None:
    """
    A root that is cancelled before its engine runs ends at once, and is stopped.
    """
    root = Root(LocalEngine())
    with trio.fail_after(3600), trio.CancelScope() as scope:
        scope.cancel()
        await root.run()

    assert scope.cancelled_caught
    assert root.state == "stopped"


async def test_shutdown_is_bounded(clock: MockClock) -> None:
    """
    Handlers that hang, disconnects that hang: the tree stops within its deadlines.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            await trio.sleep_forever()

        async def disconnect(self, message):
            await trio.sleep_forever()

    async with running(chat=Chat) as server:
        for _ in range(5):
            ws = server.dial("/chat")
            await ws.handshake()
            ws.send_text("hang")
        await settle(
            lambda: all(
                slot.facts.get("handling")
                for slot in server.root.snapshot().children[0].children[0].children
            )
        )
        began = trio.current_time()

    # Five for the handler, five for disconnect, five for the peer's half; all at once.
    assert trio.current_time() - began <= 20
    assert len(happened(server, "disconnect.failed")) == 5


async def test_the_tree_as_data_and_as_text() -> None:
    """
    snapshot() and render() show paths, states and what keeps the tree from being ready.
    """

    class Chat(WebsocketConsumer):
        pass

    class Ticker(Actor):
        pass

    async with running(Ticker, chat=Chat) as server, server.websocket("/chat"):
        tree = server.root.snapshot()
        assert tree.facts["ready"] is True
        assert [child.path for child in tree.children] == ["/connections", "/residents"]
        text = server.root.render()
        assert "Chat" in text
        assert "Ticker" in text
        taken = await trio.to_thread.run_sync(server.root.snapshot_blocking)
        assert [child.path for child in taken.children] == ["/connections", "/residents"]
        with pytest.raises(RuntimeError, match=r"for worker threads: use snapshot\(\)"):
            server.root.snapshot_blocking()


async def test_a_loop_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    snapshot_blocking() gives up when the loop is busy for too long.
    """
    root = Root(LocalEngine())
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            root.snapshot_blocking(timeout=0.001)
        except TimeoutError as error:
            raised.append(error)

    monkeypatch.setattr(LoopThread, "call_soon", lambda *args: None)
    await trio.to_thread.run_sync(ask)
    assert "did not answer within 0.001 s" in str(raised[0])


def test_a_root_is_made_inside_trio() -> None:
    """
    Outside trio a Root cannot be made.
    """
    with pytest.raises(RuntimeError):
        Root(LocalEngine())


async def test_two_children_of_one_name() -> None:
    """
    Two children with one name are refused when the root is made.
    """

    class Twin(Actor):
        pass

    with pytest.raises(ValueError, match="two children are named twin. Give one another name"):
        Root(LocalEngine(), children=[ChildSpec.of(Twin), ChildSpec.of(Twin)])


async def test_an_engine_that_fails_stops_the_tree() -> None:
    """
    An engine's own failure is the root's: residents are stopped, then it is raised.
    """
    log: list[str] = []
    fail = trio.Event()

    class Broken(LocalEngine):
        async def run(self, sink, *, task_status=trio.TASK_STATUS_IGNORED):
            task_status.started()
            await fail.wait()
            raise OSError("gone")

    class Ticker(Actor):
        async def stopped(self, reason):
            log.append(reason)

    root = Root(Broken(), children=[ChildSpec.of(Ticker)])
    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(root.run)
            fail.set()

    assert caught.group_contains(OSError, match="gone")
    assert log == ["shutdown"]
    assert root.state == "stopped"


async def test_current_root_is_of_its_tree() -> None:
    """
    Handlers, threads and groups of one tree see their own root.
    """
    roots: list[Root] = []

    class Chat(WebsocketConsumer):
        def receive(self, text):
            roots.append(current_root())
            current_root().groups.send("room", text="from the root")

        async def connect(self, message):
            await self.accept()
            await self.join("room")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("x")
        assert await ws.receive() == "from the root"
        assert roots == [server.root]


async def test_events_are_logged_while_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    """
    A crash is an error in the log, with its traceback; after the end nothing is logged.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            raise ValueError("no room")

    async with running(chat=Chat, options=Options()) as server, server.websocket("/chat") as ws:
        crashed = watch(server, "slot.crashed")
        ws.send_text("x")
        await crashed.until()

    records = [r for r in caplog.records if "slot.crashed" in r.message]
    assert len(records) == 1
    assert "ValueError: no room" in records[0].message
    assert records[0].exc_info is not None
    caplog.clear()
    server.root.events.emit("slot.crashed", "/x", exception=ValueError())
    assert caplog.records == []


async def test_what_will_not_stop_does_not_keep_the_rest(clock: MockClock) -> None:
    """
    A handler that no cancellation reaches is reported with its stack, residents stop all the
    same, and past the total deadline the process is told to leave by force.
    """
    entered, released, log = trio.Event(), trio.Event(), list[str]()

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            entered.set()
            with trio.CancelScope(shield=True):
                await released.wait()

    class Ticker(Actor):
        async def stopped(self, reason):
            log.append(f"ticker stopped after {trio.current_time() - began:g} s")

    def abandon(reason: str) -> None:
        log.append(reason)
        released.set()

    options = Options(total_shutdown_seconds=8, shutdown_seconds=1)
    async with running(Ticker, chat=Chat, options=options) as server:
        server.root._abandon = abandon
        ws = server.dial("/chat")
        await ws.handshake()
        ws.send_text("hang")
        await entered.wait()
        began = trio.current_time()

    (stuck,) = happened(server, "slot.unkillable")
    (overdue,) = happened(server, "root.overdue")
    assert "receive" in str(stuck.facts["stack"])
    assert "receive" in str(overdue.facts["stack"])
    assert log == [
        "ticker stopped after 6 s",
        f"not stopped within 8 s, left by force: {ws.slot.path}",
    ]


async def test_residents_share_what_is_left(clock: MockClock) -> None:
    """
    A resident that will not stop leaves its siblings their share of the total deadline.
    """
    released, log = trio.Event(), list[str]()

    class Good(Actor):
        async def stopped(self, reason):
            log.append("good")

    class Bad(Actor):
        async def started(self):
            self.start_soon(self.hang)

        async def hang(self):
            with trio.CancelScope(shield=True):
                await released.wait()

    options = Options(total_shutdown_seconds=8, shutdown_seconds=4)
    async with running(Good, Bad, options=options) as server:
        server.root._abandon = lambda reason: released.set()
        began = trio.current_time()

    assert log == ["good"]
    assert [event.path for event in happened(server, "slot.unkillable")][-1] == "/residents/bad"
    assert trio.current_time() - began == 9


async def test_a_copied_scope_has_the_same_tree() -> None:
    """
    A deep copy of what holds the root, as a middleware makes it of a scope, holds the same root.
    """
    root = Root(LocalEngine())

    assert copy.deepcopy({"state": {"root": root}})["state"]["root"] is root
