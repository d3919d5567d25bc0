# What an operator can have done to a tree, each act in a real one; see bridges/inspection/_act.py.

from typing import Any

import pytest
import trio
from helpers import happened, settle, watch
from helpers import running as running_with

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.inspection import Inspector
from greenroom.bridges.inspection._act import ACTS
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import Budget, ChildSpec, DynamicSpec, Options, SupervisorSpec
from greenroom.supervisor._way_out import WayOut


class Room(WebsocketConsumer):
    async def receive(self, text: str) -> None:
        if text == "crash":
            raise KeyError("sold out")
        self.send(text=text)


class Greeter(Actor):
    @handles("greet")
    async def greet(self, message: object) -> str:
        return "hello"

    @handles("crash")
    async def crash(self, message: object) -> None:
        raise KeyError("sold out")


def running(*residents: object, **consumers: Any) -> Any:
    """Serve *consumers* beside *residents*; peers that say nothing are waited for by nobody."""
    return running_with(*residents, options=Options(close_seconds=0), **consumers)


SHOP = SupervisorSpec(
    name="shop",
    children=[ChildSpec(actor=Greeter, name="a"), ChildSpec(actor=Greeter, name="b")],
)


async def act(server: ServerDriver, action: str, path: str = "", **fields: Any) -> dict[str, Any]:
    """Have something done; return the answer."""
    question = {"ask": "act", "action": action, "by": "ada", **fields}
    if path:
        question["path"] = path
    return await Inspector(server.root).answer(question)


def refusal(answer: dict[str, Any], code: str = "refused") -> str:
    """Return the text of an answer that must be an error with *code*."""
    assert answer["error"]["code"] == code, answer
    return answer["error"]["text"]


async def opened(server: ServerDriver, count: int) -> list[Any]:
    """Open so many sockets."""
    sockets = [server.dial("/room") for _ in range(count)]
    await settle(lambda: server.root.connections.open == count)
    return sockets


# -- actors ------------------------------------------------------------------------------------


async def test_restart_of_an_actor() -> None:
    """
    A restart begins the next incarnation under the same reference, and says its epoch.
    """
    async with running(SHOP) as server:
        ref = server.root.find("/residents/shop/a")
        answer = await act(server, "restart", "/residents/shop/a", reason="stuck")
        assert answer == {"done": {"touched": 1, "epoch": 2}}
        assert await ref.call({"type": "greet"}) == "hello"
        [event] = happened(server, "slot.restarting", "/residents/shop/a")
        assert event.facts["reason"] == "restarted: stuck (by ada)"


async def test_restart_of_a_branch() -> None:
    """
    COUNTED: a restart of a supervisor starts all below it anew, and says how many that were.
    """
    async with running(SHOP) as server:
        before = server.root.find("/residents/shop/a")
        assert await act(server, "restart", "/residents/shop") == {"done": {"touched": 2}}
        assert not before.alive
        assert await server.root.find("/residents/shop/a").call({"type": "greet"}) == "hello"


async def test_stop_and_start() -> None:
    """
    What was stopped stays down, is told to be started, and runs again when it is.
    """
    async with running(SHOP) as server:
        assert await act(server, "stop", "/residents/shop/a") == {"done": {"touched": 1}}
        assert "start it" in refusal(await act(server, "restart", "/residents/shop/a"))
        assert "start it" in refusal(await act(server, "suspend", "/residents/shop/a"))
        assert await act(server, "start", "/residents/shop/a") == {"done": {"touched": 1}}
        assert "runs already" in refusal(await act(server, "start", "/residents/shop/a"))
        assert await server.root.find("/residents/shop/a").call({"type": "greet"}) == "hello"


async def test_stop_of_a_branch_and_its_start() -> None:
    """
    COUNTED: a supervisor is stopped and started with all below it.
    """
    async with running(SHOP) as server:
        assert await act(server, "stop", "/residents/shop") == {"done": {"touched": 2}}
        assert await act(server, "start", "/residents/shop") == {"done": {"touched": 2}}


async def test_stop_of_what_nobody_can_start() -> None:
    """
    NO TRAP: connections are disconnected, and what is as old as its process is drained with it.
    """
    async with running(SHOP, room=Room) as server:
        [socket] = await opened(server, 1)
        for path in ("/connections/room/1", "/connections/room", "/connections"):
            assert "disconnect" in refusal(await act(server, "stop", path))
        for path in ("/residents", "/"):
            for action in ("stop", "restart", "start"):
                assert "drain" in refusal(await act(server, action, path)), (action, path)
        assert "one by one" in refusal(await act(server, "restart", "/connections/room"))
        socket.disconnect()


async def test_a_dynamic_child_is_forgotten_when_it_is_stopped() -> None:
    """
    A child that comes and goes can be stopped, and not started again.
    """
    async with running(DynamicSpec(name="jobs")) as server:
        path = await server.root.supervisor("/residents/jobs").add(Greeter)
        assert await act(server, "stop", path) == {"done": {"touched": 1}}
        refusal(await act(server, "start", path), "not-found")


async def test_suspend_and_resume() -> None:
    """
    What is suspended handles nothing until it is resumed.
    """
    async with running(SHOP) as server:
        path = "/residents/shop/a"
        done = await act(server, "suspend", path, arguments={"seconds": 600})
        assert done == {"done": {"touched": 1}}
        assert server.root.suspensions.until(path) is not None
        assert await act(server, "resume", path) == {"done": {"touched": 1}}
        assert await server.root.find(path).call({"type": "greet"}) == "hello"
        assert "nothing is suspended" in refusal(await act(server, "resume", path))


async def test_a_suspension_ends_by_itself(autojump_clock: trio.testing.MockClock) -> None:
    """
    It goes on when its seconds are over, and an operator who forgot it did no harm.
    """
    async with running(SHOP) as server:
        suspended = watch(server, "slot.unsuspended", "/residents/shop/a")
        await act(server, "suspend", "/residents/shop/a", arguments={"seconds": 30})
        await suspended.until(seconds=60)


async def test_suspend_a_branch() -> None:
    """
    COUNTED: each actor below a supervisor, or on a route, is suspended, and resumed.
    """
    async with running(SHOP, room=Room) as server:
        sockets = await opened(server, 3)
        assert await act(server, "suspend", "/residents/shop") == {"done": {"touched": 2}}
        assert await act(server, "suspend", "/connections/room") == {"done": {"touched": 3}}
        assert await act(server, "resume", "/") == {"done": {"touched": 5}}
        assert "branch" in refusal(await act(server, "suspend", "/"))
        for each in sockets:
            each.disconnect()


async def test_reset_a_budget() -> None:
    """
    The restarts so far are forgotten; where the budget is the supervisor's, that is said.
    """
    own = SupervisorSpec(name="own", children=[Greeter], budget=Budget.CHILD)
    async with running(SHOP, own) as server:
        crashed = watch(server, "slot.restarted", "/residents/own/greeter")
        server.root.find("/residents/own/greeter").cast({"type": "crash"})
        await crashed.until()
        assert await act(server, "reset-budget", "/residents/own/greeter") == {
            "done": {"touched": 1}
        }
        [event] = happened(server, "slot.budget_reset")
        assert event.facts["forgiven"] == 1
        text = refusal(await act(server, "reset-budget", "/residents/shop/a"))
        assert "/residents/shop" in text
        assert await act(server, "reset-budget", "/residents/shop") == {"done": {"touched": 1}}


async def test_wake() -> None:
    """
    What backs off below a branch begins at once; nothing to wake is refused.
    """
    own = SupervisorSpec(name="own", children=[Greeter], budget=Budget.CHILD)
    async with running(own) as server:
        assert "nothing is parked" in refusal(await act(server, "wake", "/residents/own"))
        paused = watch(server, "slot.backing_off")
        again = watch(server, "slot.restarted")
        server.root.find("/residents/own/greeter").cast({"type": "crash"})
        await again.until()  # the first restart is at once
        server.root.find("/residents/own/greeter").cast({"type": "crash"})
        await paused.until()
        assert await act(server, "wake", "/residents/own") == {"done": {"touched": 1}}
        await again.until(2)


# -- connections -------------------------------------------------------------------------------


async def test_disconnect_one() -> None:
    """
    One connection ends with the code and the text that were asked for; the others stay.
    """
    async with running(SHOP, room=Room) as server:
        async with server.websocket("/room") as one, server.websocket("/room") as other:
            arguments = {"code": 4403, "text": "go"}
            answer = await act(server, "disconnect", "/connections/room/1", arguments=arguments)
            assert answer == {"done": {"touched": 1}}
            assert (await one.closed()).code == 4403
            other.send_text("here")
            assert await other.receive_text() == "here"
        ended = happened(server, "slot.ended", "/connections/room/1")
        assert ended[0].facts["reason"] == "disconnected: by ada"


async def test_disconnect_what_is_none() -> None:
    """
    NO TRAP: a route is more than one connection, an actor is none, and nothing is not found.
    """
    async with running(SHOP, room=Room) as server:
        await opened(server, 1)
        assert "disconnect-path" in refusal(await act(server, "disconnect", "/connections/room"))
        assert "stop it" in refusal(await act(server, "disconnect", "/residents/shop/a"))
        refusal(await act(server, "disconnect", "/connections/room/99"), "not-found")


@pytest.mark.parametrize("path", ["/connections/room", "/connections"])
async def test_disconnect_a_route(path: str) -> None:
    """
    COUNTED: all connections of a route, or all there are, end; more than one step of them, too.
    """
    async with running(room=Room) as server:
        await opened(server, 450)
        answer = await act(server, "disconnect-path", path)
        assert answer == {"done": {"touched": 450}}
        await settle(lambda: server.root.connections.open == 0)
        refusal(await act(server, "disconnect-path", "/connections/room"), "not-found")
        assert "route" in refusal(await act(server, "disconnect-path", "/residents"))


async def test_disconnect_a_user_without_django() -> None:
    """
    Where nobody knows users, the fact `user` of a connection is what counts.
    """

    class Named(Room):
        async def connect(self) -> None:
            self.accept()

    async with running(named=Named) as server:
        await opened_named(server)
        answer = await act(server, "disconnect-user", user="7")
        assert answer == {"done": {"touched": 0, "unread": 0}}


async def opened_named(server: ServerDriver) -> None:
    """Open one socket of no user."""
    server.dial("/named")
    await settle(lambda: server.root.connections.open == 1)


# -- the process, and looking ------------------------------------------------------------------


async def test_drain_without_a_way_out() -> None:
    """
    NO TRAP: a process whose server offers no end is left as it is.
    """
    async with running(SHOP) as server:
        assert "hypercorn" in refusal(await act(server, "drain"))
        assert server.root.up


async def test_drain_of_the_only_process(autojump_clock: trio.testing.MockClock) -> None:
    """
    NO TRAP: who is not replaced ends only if that is said; then its server ends it, once.
    """
    async with running(SHOP) as server:
        left = trio.Event()

        async def leave() -> None:
            left.set()

        server.root.bridged[WayOut] = WayOut(leave, replaced=False)
        assert "for_good" in refusal(await act(server, "drain"))
        answer = await act(server, "drain", arguments={"for_good": True})
        assert answer["done"]["replaced"] is False
        assert not left.is_set()  # the answer comes first
        await left.wait()


async def test_drain_of_one_of_several(autojump_clock: trio.testing.MockClock) -> None:
    """
    A process that is replaced needs no further word, and says how long it has at most.
    """
    async with running(SHOP, room=Room) as server:
        [socket] = await opened(server, 1)
        left = trio.Event()

        async def leave() -> None:
            left.set()

        server.root.bridged[WayOut] = WayOut(leave, replaced=True)
        done = (await act(server, "drain"))["done"]
        seconds = server.root.options.total_shutdown_seconds
        assert done == {"touched": 1, "seconds": seconds, "replaced": True}
        await left.wait()
        socket.disconnect()


async def test_trace() -> None:
    """
    What is handled below a traced place is told, until the trace is ended.
    """
    async with running(SHOP) as server:
        arguments = {"seconds": 600, "per_second": 5}
        answer = await act(server, "trace", "/residents/shop", arguments=arguments)
        assert answer == {"done": {"touched": 2}}
        handled = watch(server, "actor.handled", "/residents/shop/a")
        await server.root.find("/residents/shop/a").call({"type": "greet"})
        await handled.until()
        assert await act(server, "untrace", "/residents/shop") == {"done": {"touched": 1}}
        assert "nobody traces" in refusal(await act(server, "untrace", "/residents/shop"))


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("restart", {"seconds": 1}),
        ("suspend", {"seconds": 0}),
        ("suspend", {"seconds": 86_401}),
        ("suspend", {"seconds": "60"}),
        ("suspend", {"seconds": True}),
        ("suspend", {"seconds": float("inf")}),
        ("suspend", {"ask": 1}),
        ("trace", {"seconds": 601}),
        ("trace", {"per_second": 0}),
        ("disconnect", {"code": 1005}),
        ("disconnect", {"code": 999}),
        ("disconnect", {"code": "1000"}),
        ("disconnect", {"text": "x" * 124}),
        ("disconnect", {"text": "é" * 100}),
        ("disconnect", {"text": None, "force": True}),
    ],
)
async def test_strict(action: str, arguments: dict[str, Any]) -> None:
    """
    STRICT: an argument that is unknown, or out of range, is refused by name, and nothing is done.
    """
    async with running(SHOP, room=Room) as server:
        await opened(server, 1)
        path = "/connections/room/1"
        text = refusal(await act(server, action, path, arguments=arguments), "bad-question")
        assert "Got: " in text
        assert server.root.connections.open == 1
        assert server.root.suspensions.until(path) is None
        assert happened(server, "admin.action") == []


@pytest.mark.parametrize("action", [name for name, each in ACTS.items() if each.aim == "path"])
@pytest.mark.parametrize("path", ["/nowhere", "/residents/shop/c", "/connections/room/9", "x"])
async def test_nothing_there(action: str, path: str) -> None:
    """
    Whatever is to be done to a place that is not there is not found, or refused, and no fault.
    """
    async with running(SHOP, room=Room) as server:
        code = (await act(server, action, path))["error"]["code"]
        assert code in ("not-found", "refused")


async def test_requests_and_tasks_are_refused(autojump_clock: trio.testing.MockClock) -> None:
    """
    What is run once has nothing that could be restarted or suspended, and says so.
    """
    from greenroom.supervisor import TaskPoolSpec

    async with running(TaskPoolSpec(name="tasks")) as server:
        pool = server.root.task_pool("/residents/tasks")
        pool.start(trio.sleep_forever, name="one")
        await settle(lambda: server.root.supervisor("/residents/tasks").counts().active == 1)
        path = "/residents/tasks/one"
        for action in ("restart", "suspend", "wake", "reset-budget", "trace"):
            assert refusal(await act(server, action, path)), action
        assert await act(server, "stop", path) == {"done": {"touched": 0}}
