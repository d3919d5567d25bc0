# What an operator does by hand: fresh budgets, woken pauses, restarts in place.

from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorNotFound,
    ActorRef,
    ActorStopped,
    Renewed,
    SelfWait,
    StartFailed,
    WebsocketConsumer,
    handles,
)
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import InvalidState, Options, SupervisorSpec, current_root

PATH = "/residents/worker"
SLOW = Options(backoff_min_seconds=1000, backoff_max_seconds=1000, backoff_jitter=0)


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Worker(Actor):
    """Notes what happens to it, in a list that belongs to its class."""

    lines: list[str]
    restart = "permanent"
    fails = False

    async def restarted(self, reason):
        self.lines.append(f"restarted {reason}" if isinstance(reason, Renewed) else "after a crash")

    async def started(self):
        if self.epoch > 1 and type(self).fails:
            raise OSError("no disk")
        self.lines.append(f"+{self.epoch}")

    async def stopped(self, reason):
        self.lines.append(f"-{self.epoch} {reason}")

    @handles("crash")
    async def on_crash(self, message):
        raise ValueError("boom")

    @handles("epoch")
    async def on_epoch(self, message):
        return self.epoch

    @handles("busy")
    async def on_busy(self, message):
        try:
            await trio.sleep(message["seconds"])
        finally:
            self.lines.append("busy no more")

    @handles("stop")
    async def on_stop(self, message):
        self.stop("enough")

    @handles("itself")
    async def on_itself(self, message):
        await current_root().restart(self.path)


def worker(**options: Any) -> type[Worker]:
    """Return a class with a list of its own."""
    return type("Worker", (Worker,), {"lines": [], **options})


async def crash(server: ServerDriver, times: int, path: str = PATH) -> None:
    """Have what is at *path* crash, wait a moment, and so on."""
    for _ in range(times):
        server.root.find(path).cast({"type": "crash"})
        await trio.sleep(1)


def left(server: ServerDriver, path: str = PATH) -> tuple[str, int | None]:
    """Return what is at *path* does, and what is left of its budget."""
    node = server.root.snapshot().find(path)
    assert node is not None
    return node.state, node.restarts_left


# -- budgets -----------------------------------------------------------------------------


async def test_a_fresh_budget(clock: MockClock) -> None:
    """
    The budget of what runs is fresh at once; one event says so, and how much was forgiven.
    """
    async with running(worker(max_seconds=3600)) as server:
        await crash(server, 2)
        assert left(server) == ("running", 1)
        server.root.reset_budget(PATH)
        assert left(server) == ("running", 3)
        [event] = happened(server, "slot.budget_reset")
        assert (event.path, event.facts["forgiven"]) == (PATH, 2)
        await crash(server, 3)
        assert left(server) == ("running", 0)


async def test_a_fresh_budget_while_it_waits(clock: MockClock) -> None:
    """
    Backing off and parked it gets one, too, and goes on waiting.
    """
    async with running(worker(max_restarts=2, max_seconds=3600), options=SLOW) as server:
        await crash(server, 2)
        assert left(server) == ("backing off", 0)
        server.root.reset_budget(PATH)
        assert left(server) == ("backing off", 2)
        await trio.sleep(1)
        assert left(server) == ("backing off", 2)
        server.root.wake(PATH)
        await crash(server, 1)  # the first pause of a fresh budget takes no time
        assert left(server) == ("running", 1)


async def test_a_fresh_budget_of_what_is_parked(clock: MockClock) -> None:
    """
    What is parked stays parked; the end of its rest is not put off.
    """
    async with running(worker(max_restarts=0), options=Options(park_seconds=30)) as server:
        await crash(server, 1)
        server.root.reset_budget(PATH)
        assert left(server)[0] == "parked"
        await trio.sleep(28.5)
        assert left(server)[0] == "parked"
        await trio.sleep(1)
        assert left(server)[0] == "running"


async def test_a_fresh_budget_of_a_supervisor(clock: MockClock) -> None:
    """
    Children that are counted together have one budget: that of their supervisor, by its path.
    """
    s = SupervisorSpec(name="s", children=[worker()], max_restarts=2, max_seconds=3600)
    async with running(s) as server:
        path = "/residents/s/worker"
        await crash(server, 2, path)
        assert left(server, path) == ("running", 0)
        with pytest.raises(ValueError, match=r"in common .* reset_budget\('/residents/s'\)"):
            server.root.reset_budget(path)
        assert left(server, path) == ("running", 0)
        server.root.reset_budget("/residents/s")
        assert left(server, path) == ("running", 2)
        [event] = happened(server, "supervisor.budget_reset")
        assert event.facts["forgiven"] == 2


# -- pauses ------------------------------------------------------------------------------


async def test_wake_what_backs_off(clock: MockClock) -> None:
    """
    What backs off begins at once, and what was left of its budget is left.
    """
    async with running(worker(max_seconds=3600), options=SLOW) as server:
        await crash(server, 2)
        assert left(server) == ("backing off", 1)
        began = trio.current_time()
        server.root.wake(PATH)
        assert await server.root.find(PATH).call({"type": "epoch"}) == 3
        assert trio.current_time() == began
        assert left(server) == ("running", 1)
        [event] = happened(server, "slot.woken")
        assert event.facts["was"] == "backing off"


async def test_wake_what_is_parked(clock: MockClock) -> None:
    """
    What is parked begins at once, with a fresh budget; the tree is ready again.
    """
    async with running(worker(max_restarts=1, max_seconds=3600)) as server:
        await crash(server, 2)
        assert server.root.readiness() == [f"{PATH} is not up"]
        server.root.wake(PATH)
        assert await server.root.find(PATH).call({"type": "epoch"}) == 3
        assert left(server) == ("running", 1)
        assert server.root.readiness() == []
        [event] = happened(server, "slot.woken")
        assert event.facts["was"] == "parked"


async def test_wake_a_supervisor(clock: MockClock) -> None:
    """
    A nested supervisor that rests, or backs off, starts its children at once, with a new budget.
    """
    for on_exceeded, was in (("park", "parked"), ("escalate", "backing off")):
        s = SupervisorSpec(
            name="s", children=[worker()], max_restarts=0, max_seconds=3600, on_exceeded=on_exceeded
        )
        async with running(s, options=SLOW) as server:
            for _ in range(2 if was == "backing off" else 1):
                await crash(server, 1, "/residents/s/worker")
            assert left(server, "/residents/s")[0] == was
            began = trio.current_time()
            server.root.wake("/residents/s")
            await settle(lambda: left(server, "/residents/s")[0] == "running")
            assert trio.current_time() == began
            assert left(server, "/residents/s/worker") == ("running", 0)
            [event] = happened(server, "supervisor.woken")
            assert event.facts["was"] == was


async def test_wake_a_consumer(clock: MockClock) -> None:
    """
    A consumer that backs off goes on at once on its open socket, with the frames that waited.
    """

    class Talk(WebsocketConsumer):
        async def receive(self, text):
            if text == "boom":
                raise ValueError("boom")
            await self.send(text=f"{self.epoch}: {text}")

    async with running(options=SLOW, talk=Talk) as server:
        async with server.websocket("/talk") as socket:
            for text in ("boom", "boom", "hello"):
                socket.send_text(text)
            await trio.sleep(1)
            assert left(server, "/connections/talk/1")[0] == "backing off"
            server.root.wake("/connections/talk/1")
            assert await socket.receive() == "3: hello"


async def test_woken_and_suspended(clock: MockClock) -> None:
    """
    A suspension stands: what is woken begins, and handles nothing until it is over.
    """
    async with running(worker(max_restarts=0)) as server:
        await crash(server, 1)
        server.root.suspensions.begin(PATH, 100)
        server.root.wake(PATH)
        await trio.sleep(1)
        assert left(server)[0] == "suspended"
        began = trio.current_time()
        assert await server.root.find(PATH).call({"type": "epoch"}, timeout=200) == 2
        assert trio.current_time() - began == pytest.approx(99)


async def test_refused(clock: MockClock) -> None:
    """
    REFUSED: what neither rests nor backs off is not woken; nor is anything done to nobody.
    """
    s = SupervisorSpec(name="s", children=[worker()])
    async with running(worker(), s) as server:
        root = server.root
        for path in (PATH, "/residents/s", "/residents/s/worker"):
            with pytest.raises(InvalidState, match=f"{path} is running: only what is parked"):
                root.wake(path)
        await root.residents.stop_child("worker")
        for path in (PATH, "/residents/nobody", "/connections"):
            for act in (root.wake, root.reset_budget):
                with pytest.raises(ActorNotFound):
                    act(path)
            with pytest.raises(ActorNotFound):
                await root.restart(path)
        with pytest.raises(TypeError, match="is a supervisor, and this is for actors"):
            await root.restart("/residents/s")
        with pytest.raises(ValueError, match="timeout must be 0 seconds or more"):
            await root.restart("/residents/s/worker", timeout=-1)
        assert happened(server, "slot.woken") == []
        assert happened(server, "slot.restarting") == []


# -- restarts ----------------------------------------------------------------------------


async def test_kept(clock: MockClock) -> None:
    """
    KEPT: reference and mailbox stand, no budget is charged; the next one is told why.
    """
    cls = worker()
    async with running(cls) as server:
        ref = server.root.find(PATH)
        server.root.suspensions.begin(PATH, 10)
        assert [ref.cast({"type": "epoch"}) for _ in range(2)] == [True, True]
        assert await server.root.restart(PATH, "a new configuration") == 2
        node = server.root.snapshot().find(PATH)
        assert node is not None
        assert (node.mailbox, node.restarts_left, node.crashes) == ((2, 256), 3, ())
        assert await ref.call({"type": "epoch"}, timeout=20) == 2
        assert cls.lines == [
            "+1",
            "-1 a new configuration",
            f"restarted {PATH} was restarted: a new configuration",
            "+2",
        ]
        [event] = happened(server, "slot.restarting")
        assert event.facts == {"reason": "a new configuration"}
        assert len(happened(server, "slot.restarted")) == 1


@pytest.mark.parametrize("kind", ["permanent", "transient", "temporary"])
async def test_of_any_kind(clock: MockClock, kind: str) -> None:
    """
    Also a temporary child has another incarnation, if an operator says so.
    """
    async with running(worker(restart=kind)) as server:
        assert await server.root.restart(PATH) == 2
        assert await server.root.restart(PATH) == 3
        assert server.root.residents.counts().active == 1


async def test_the_three_stages(clock: MockClock) -> None:
    """
    A handler that ends within shutdown_seconds ends by itself; another one is cancelled then.
    """
    for seconds, taken in ((3, 3), (60, 5)):
        cls = worker(shutdown_seconds=5)
        async with running(cls) as server:
            ref = server.root.find(PATH)
            ref.cast({"type": "busy", "seconds": seconds})
            ref.cast({"type": "epoch"})
            await trio.sleep(0.5)
            began = trio.current_time() - 0.5
            assert await server.root.restart(PATH) == 2
            assert trio.current_time() - began == pytest.approx(taken + (0.5 if taken == 5 else 0))
            assert cls.lines[1:3] == ["busy no more", "-1 restarted by hand"]
            assert left(server) == ("running", 3)


async def test_a_thread_is_told(clock: MockClock) -> None:
    """
    A `def` handler learns by Stale that it is to end, and then the next one begins.
    """

    class Threaded(Actor):
        @handles("work")
        def on_work(self, message):
            current_root().from_thread(trio.sleep_forever, timeout=60)

    async with running(Threaded) as server:
        ref = server.root.find("/residents/threaded")
        ref.cast({"type": "work"})
        await settle(lambda: server.root.pool.statistics().parked)
        assert await server.root.restart("/residents/threaded") == 2
        assert happened(server, "slot.crashed") == []


class Chat(WebsocketConsumer):
    """Knows a name, and tells of its end."""

    ends: list[int]

    async def connect(self, message):
        self.name = "Anonymous"
        await self.accept()

    async def receive(self, text):
        if text == "slow":
            await trio.sleep(3)
        await self.send(text=f"{self.epoch} {self.name}: {text}")

    async def disconnect(self, code):
        self.ends.append(code)


async def test_a_consumer_with_its_socket_open(clock: MockClock) -> None:
    """
    A consumer begins anew on its open socket, frames wait in order; disconnect() runs at the end.
    """
    cls = type("Chat", (Chat,), {"ends": []})
    async with running(chat=cls) as server:
        async with server.websocket("/chat") as socket:
            socket.send_text("slow")
            socket.send_text("b")
            await trio.sleep(1)
            assert await server.root.restart("/connections/chat/1") == 2
            assert [await socket.receive() for _ in range(2)] == [
                "1 Anonymous: slow",
                "2 Anonymous: b",
            ]
            assert cls.ends == []
            assert left(server, "/connections/chat/1") == ("running", 3)
        await settle(lambda: not server.root.connections.open)
        assert len(cls.ends) == 1


async def test_a_stop_in_the_same_moment(clock: MockClock) -> None:
    """
    A consumer that is to stop while it begins anew ends, and disconnect() runs all the same.
    """
    cls = type("Chat", (Chat,), {"ends": []})
    async with running(chat=cls) as server:
        async with server.websocket("/chat"), trio.open_nursery() as nursery:
            ref = server.root.find("/connections/chat/1")

            async def ask() -> None:
                with pytest.raises(ActorStopped, match="enough"):
                    await server.root.restart(ref.path)

            nursery.start_soon(ask)
            await settle(lambda: happened(server, "slot.restarting"))
            ref.stop("enough")
        await settle(lambda: not server.root.connections.open)
        assert len(cls.ends) == 1


async def test_joined(clock: MockClock) -> None:
    """
    JOINED: whoever asks while a handler holds it up, or it makes room, gets the same incarnation.
    """
    cls = worker()
    async with running(cls) as server:
        epochs: list[int] = []

        async def ask() -> None:
            epochs.append(await server.root.restart(PATH))

        server.root.find(PATH).cast({"type": "busy", "seconds": 2})
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert epochs == [2, 2, 2]
        assert len(happened(server, "slot.restarting")) == 1
        assert await server.root.find(PATH).call({"type": "epoch"}) == 2


async def test_what_waits_begins_at_once(clock: MockClock) -> None:
    """
    Parked or backing off, it begins at once; that is a wake, and no restart more.
    """
    for times, was in ((2, "backing off"), (4, "parked")):
        async with running(worker(max_seconds=3600), options=Options(backoff_jitter=0)) as server:
            for n in range(times):
                server.root.find(PATH).cast({"type": "crash"})
                await settle(lambda n=n: len(happened(server, "slot.crashed")) == n + 1)
                await trio.sleep(0.05 if n + 1 == times else 5)
            assert left(server)[0] == was
            began = trio.current_time()
            assert await server.root.restart(PATH) == times + 1
            assert trio.current_time() == began
            assert happened(server, "slot.restarting") == []
            assert len(happened(server, "slot.woken")) == 1


async def test_suspended(clock: MockClock) -> None:
    """
    A suspended actor begins anew at once, and is as suspended as before.
    """
    async with running(worker()) as server:
        server.root.suspensions.begin(PATH, 100)
        began = trio.current_time()
        assert await server.root.restart(PATH) == 2
        assert trio.current_time() == began
        assert left(server)[0] == "suspended"
        assert await server.root.find(PATH).call({"type": "epoch"}, timeout=200) == 2
        assert trio.current_time() - began == pytest.approx(100)


async def test_stopping(clock: MockClock) -> None:
    """
    What is stopping has no further incarnation; a stop that comes meanwhile goes before.
    """

    class Last(Worker):
        lines = []

        async def stopped(self, reason):
            await trio.sleep(2)

    async with running(Last) as server:
        path = "/residents/last"
        server.root.find(path).stop("enough")
        await trio.sleep(1)
        with pytest.raises(InvalidState, match="is stopping: it has no further incarnation"):
            await server.root.restart(path)
    async with running(worker()) as server:
        ref = server.root.find(PATH)
        ref.cast({"type": "busy", "seconds": 2})
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(ActorStopped, match="enough"):
                    await server.root.restart(PATH)

            nursery.start_soon(ask)
            await trio.sleep(0.5)
            ref.stop("enough")


async def test_its_first_start(clock: MockClock) -> None:
    """
    What has never served is not restarted: its start is under way, and its supervisor waits.
    """

    class Slow(WebsocketConsumer):
        async def connect(self, message):
            await trio.sleep(2)
            await self.accept()

    async with running(slow=Slow) as server:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                await trio.sleep(1)
                with pytest.raises(InvalidState, match="is starting: wait until it serves"):
                    await server.root.restart("/connections/slow/1")

            nursery.start_soon(ask)
            async with server.websocket("/slow"):
                assert left(server, "/connections/slow/1") == ("running", 3)


async def test_a_start_that_hangs(clock: MockClock) -> None:
    """
    A later start that hangs is given up for another one; who does not wait that long is told.
    """

    class Hangs(Worker):
        lines = []
        times = 1

        async def started(self):
            await super().started()
            if self.epoch == 2:
                await trio.sleep_forever()

    path = "/residents/hangs"
    async with running(Hangs) as server:
        with pytest.raises(StartFailed, match="does not serve within 10 s, it is starting"):
            await server.root.restart(path, timeout=10)
        assert await server.root.restart(path) == 3
        assert left(server, path) == ("running", 3)


async def test_a_start_that_fails(clock: MockClock) -> None:
    """
    A new incarnation that crashes in its start has crashed: charged, and told to who asked.
    """
    cls = worker(max_seconds=3600)
    async with running(cls, options=SLOW) as server:
        await crash(server, 1)
        cls.fails = True
        with pytest.raises(StartFailed, match="its new incarnation has crashed: OSError: no disk"):
            await server.root.restart(PATH)
        assert left(server) == ("backing off", 1)


async def test_a_crash_meanwhile(clock: MockClock) -> None:
    """
    A handler that raises while it is waited for was asked to end: on record, but not charged.
    """

    class Fails(Worker):
        lines = []
        max_seconds = 3600

        @handles("fail")
        async def on_fail(self, message):
            await trio.sleep(2)
            raise ValueError("boom")

    path = "/residents/fails"
    async with running(Fails, options=SLOW) as server:
        await crash(server, 1, path)
        server.root.find(path).cast({"type": "fail"})
        await trio.sleep(1)
        began = trio.current_time()
        assert await server.root.restart(path) == 3
        assert trio.current_time() - began == pytest.approx(1)
        assert left(server, path) == ("running", 2)
        assert len(happened(server, "slot.crashed")) == 2


class Lingers(Worker):
    """Has a task that takes two seconds to end."""

    lines = []

    async def started(self):
        self.start_soon(self.linger)

    async def linger(self):
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 2):
                await trio.sleep_forever()


async def test_a_crash_just_before(clock: MockClock) -> None:
    """
    Asked for while a crash is being cleaned up, the next one begins without a pause.
    """
    path = "/residents/lingers"
    async with running(Lingers, options=SLOW) as server:
        await crash(server, 1, path)
        await trio.sleep(5)
        server.root.find(path).cast({"type": "crash"})
        await trio.sleep(1)
        began = trio.current_time()
        assert await server.root.restart(path) == 3
        assert trio.current_time() - began == pytest.approx(1)


async def test_a_crash_just_before_is_its_groups(clock: MockClock) -> None:
    """
    Where siblings go with each other, a crash is theirs, also if somebody asks for a restart.
    """
    s = SupervisorSpec(name="s", children=[worker(), Lingers], strategy="one_for_all")
    async with running(s) as server:
        path = "/residents/s/lingers"
        server.root.find(path).cast({"type": "crash"})
        await trio.sleep(1)
        assert await server.root.restart(path) == 2
        assert await server.root.find("/residents/s/worker").call({"type": "epoch"}) == 2


async def test_not_by_itself(clock: MockClock) -> None:
    """
    A handler can't wait for the end of its own incarnation.
    """

    class Refuser(Worker):
        lines = []

        @handles("itself")
        async def on_itself(self, message):
            with pytest.raises(SelfWait):
                await current_root().restart(self.path)
            return "refused"

    async with running(Refuser) as server:
        assert await server.root.find("/residents/refuser").call({"type": "itself"}) == "refused"


async def test_in_a_group_that_restarts(clock: MockClock) -> None:
    """
    A member that waits for its group's restart is waited for, and begins once.
    """
    a, b = worker(), type("Other", (worker(),), {})
    s = SupervisorSpec(
        name="s", children=[a, b], strategy="one_for_all", max_restarts=9, max_seconds=3600
    )
    async with running(s, options=Options(backoff_min_seconds=20, backoff_jitter=0)) as server:
        path = "/residents/s/other"
        await crash(server, 2, "/residents/s/worker")
        assert left(server, path)[0] == "waiting"
        began = trio.current_time()
        assert await server.root.restart(path) == 3
        assert trio.current_time() - began == pytest.approx(19)
        assert happened(server, "slot.restarting") == []


@pytest.mark.parametrize("first", ["by hand", "group"])
async def test_a_group_meanwhile(clock: MockClock, first: str) -> None:
    """
    A restart by hand and that of a group, at once: no member is lost, and both are waited for.
    """

    class Slow(Worker):
        lines = []

        async def stopped(self, reason):
            await trio.sleep(1)

    a, b = worker(), Slow
    s = SupervisorSpec(
        name="s", children=[a, b], strategy="one_for_all", max_restarts=9, max_seconds=3600
    )
    async with running(s) as server:
        sibling: ActorRef = server.root.find("/residents/s/slow")

        async def ask() -> None:
            await server.root.restart("/residents/s/slow")

        steps = [lambda: server.start_soon(ask), lambda: server.start_soon(crash, server, 1, path)]
        path = "/residents/s/worker"
        restarted = watch(server, "supervisor.restarted")
        for step in steps if first == "by hand" else reversed(steps):
            step()
            await trio.sleep(0.5)
        await restarted.until(seconds=100)
        counts = server.root.supervisor("/residents/s").counts()
        assert (counts.active, counts.specs) == (2, 2)
        assert sibling.alive
        assert await server.root.find(path).call({"type": "epoch"}) == 2
        assert happened(server, "slot.unkillable") == []


async def test_who_waits_for_a_reply_is_told_that_the_actor_lives_on(clock: MockClock) -> None:
    """
    A call that a restart by hand cuts off fails with the truth: the reference stays good.
    """
    async with running(worker(shutdown_seconds=1)) as server:
        ref = server.root.find(PATH)

        async def ask() -> None:
            with pytest.raises(ActorStopped, match=r"to begin anew \(new key\)") as cut:
                await ref.call({"type": "busy", "seconds": 100}, timeout=500)
            assert cut.value.again

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1)
            await server.root.restart(PATH, reason="new key")
        assert await ref.call({"type": "epoch"}) == 2


@pytest.mark.parametrize("crashes", [0, 1])
async def test_two_restarts_on_the_heels_of_each_other(clock: MockClock, crashes: int) -> None:
    """
    Who waits for a restart that another follows at once is told of the epoch, and of no old crash.
    """

    class Slow(Actor):
        restart = "permanent"

        async def started(self):
            await trio.sleep(1)

        @handles("fault")
        async def on_fault(self, message):
            raise ValueError("boom")

    path, epochs = "/residents/slow", []
    async with running(Slow) as server:
        for _ in range(crashes):
            server.root.find(path).cast({"type": "fault"})
            await trio.sleep(5)

        async def restart() -> None:
            epochs.append(await server.root.restart(path))

        for _ in range(10):  # in which order trio has them go on is left to chance
            async with trio.open_nursery() as nursery:
                nursery.start_soon(restart)
                await trio.sleep(0.5)  # the next one is in its started()
                nursery.start_soon(restart)
        assert epochs == [crashes + 1 + 2 * (nth // 2 + 1) for nth in range(20)]


async def test_a_thread_that_obeys_a_restart_has_not_crashed() -> None:
    """
    The caller of a `def` handler that was told to stop, and did, is told of the restart.
    """

    class Threaded(Actor):
        restart = "permanent"

        @handles("wait")
        def on_wait(self, message):
            current_root().from_thread(trio.sleep_forever, timeout=100)

    path = "/residents/threaded"
    async with running(Threaded) as server:

        async def ask() -> None:
            with pytest.raises(ActorStopped, match=r"to begin anew \(new key\)"):
                await server.root.find(path).call({"type": "wait"}, timeout=100)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await settle(lambda: server.root.find(path)._target._life.busy_with)
            await settle(lambda: server.root._errands._running)
            assert await server.root.restart(path, reason="new key") == 2
