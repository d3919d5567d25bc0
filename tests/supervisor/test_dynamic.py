# What is Greenroom's own of children that come and go. OTP's cases are in tests/conformance.

from contextvars import ContextVar

from conformance.kit import Journal, member
from helpers import running, settle

from greenroom.actors import Actor, handles
from greenroom.supervisor import DynamicSpec, Options, current_root

PATH = "/residents/d"

_whose: ContextVar[str] = ContextVar("whose", default="the tree's")


async def test_classes_get_numbers() -> None:
    """
    A class that is added has a name with a number of its own.
    """

    class Session(Actor):
        pass

    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        assert [await d.add(Session) for _ in range(2)] == [
            f"{PATH}/session-1",
            f"{PATH}/session-2",
        ]


async def test_restarts_leak_nothing() -> None:
    """
    A thousand restarts of one child leave the tree with what one has.
    """
    options = Options(backoff_min_seconds=0)
    async with running(DynamicSpec(name="d"), options=options) as server:
        d = server.root.supervisor(PATH)
        await d.add(member(Journal(), "a", max_restarts=None))
        ref = server.root.find(f"{PATH}/a")
        for epoch in range(2, 1002):
            ref.cast({"type": "crash"})
            await settle(lambda epoch=epoch: d.children()[0].epoch == epoch)
        await settle(lambda: d.counts().active == 1)
        assert len(d._entries) == 1
        assert len(d._abandoned) == len(d._crashed) == 0
        assert len(d.children()[0].crashes) == 5


async def test_a_child_lives_in_the_context_of_its_tree() -> None:
    """
    A child has its tree for the current one, and nothing of the context of who added it.
    """

    class Curious(Actor):
        @handles("look")
        async def on_look(self, message: object) -> str:
            return f"{_whose.get()}, {current_root().state}"

    async with running(DynamicSpec(name="d")) as server:
        _whose.set("a request's")
        path = await server.root.supervisor(PATH).add(Curious)
        assert await server.root.find(path).call({"type": "look"}) == "the tree's, running"
