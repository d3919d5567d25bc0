# The engine of one process passes the suite, and reaches nobody.

import trio

from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.testing.engine_suite import EngineSuite, Recorder


class TestLocalEngine(EngineSuite):
    """
    LocalEngine keeps every promise that concerns one process.
    """

    def make_engine(self) -> LocalEngine:
        return LocalEngine()


async def test_reaches_nobody() -> None:
    """
    What one local engine publishes arrives neither in itself nor in another one.
    """
    one, other = LocalEngine(), LocalEngine()
    recorders = [Recorder(), Recorder()]
    async with trio.open_nursery() as nursery:
        for engine, recorder in zip([one, other], recorders, strict=True):
            await nursery.start(engine.run, recorder)
            engine.subscribe("topic")
        one.publish("topic", "text")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert [recorder.received for recorder in recorders] == [[], []]
    assert one.peers() == frozenset()


def test_repr_shows_topics() -> None:
    """
    The repr says how many topics are listened to.
    """
    engine = LocalEngine()
    engine.subscribe("a")
    engine.subscribe("b")

    assert repr(engine) == "<LocalEngine 2 topics>"


def test_takes_any_payload() -> None:
    """
    Nothing is encoded, so that in one process typed messages need no codec.
    """
    engine = LocalEngine()
    engine.publish("topic", object())

    assert engine.statistics().published == 1
