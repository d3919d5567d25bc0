"""
The contract of an engine (greenroom.supervisor.Engine) as tests that anyone can run.

Ours run them in tests/bridges/engines/. For an engine of your own, write this into a
test file; pytest and trio are all it takes, no plugin::

    from greenroom.bridges.testing.engine_suite import DistributedEngineSuite

    class TestMyEngine(DistributedEngineSuite):
        def make_engine(self):
            return MyEngine("localhost:1234")

        async def lose_connection(self, engine):
            await engine.connection.aclose()      # and it must come back by itself

An engine that by design reaches no other process takes EngineSuite, which has only
the promises that concern one process. pytest makes a new instance of the class for
each test, so make_engine() may keep things on self.

Each engine that a test makes stands for one process. Topics are new in every test, so
a server that other tests have used does no harm. Nothing is promised about how soon a
subscription works, hence tests first publish probes until one arrives; no test waits
for a fixed time to see that something did arrive, and to see that something did not
they wait for a later message that did.
"""

import functools
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from ...supervisor._engine import Engine
from ._recorder import PROBE, Recorder

Suite = TypeVar("Suite", bound="EngineSuite")

_ODD_TOPICS = ("*", "a b", "a/b", "a?b", "[ab]", "a:b", "räume", "{tag}", "x" * 250)


def _test(test: Callable[[Suite], Awaitable[None]]) -> Callable[[Suite], None]:
    @trio_test
    @functools.wraps(test)
    async def within_deadline(self: Suite) -> None:
        with trio.fail_after(self.deadline_seconds):
            await test(self)

    return within_deadline


class EngineSuite:
    """
    What every engine promises to the one process it is in.
    """

    deadline_seconds: float = 10
    """How long one test may take."""

    def make_engine(self) -> Engine:
        """
        Return a new engine, as another process would make it. To be overridden.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make_engine()")

    def new_topic(self) -> str:
        """
        Return a topic that nobody has used.
        """
        return f"suite-{uuid.uuid4().hex}"

    @asynccontextmanager
    async def running(self, *engines: Engine) -> AsyncGenerator[list[Recorder], None]:
        """
        Run *engines*, each with a recorder for its sink, while the block lasts.
        """
        failure: AssertionError | None = None
        recorders = [Recorder() for _ in engines]
        async with trio.open_nursery() as nursery:
            for engine, recorder in zip(engines, recorders, strict=True):
                await nursery.start(engine.run, recorder)
            try:
                yield recorders
            except AssertionError as error:  # kept out of the nursery's exception group
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    @_test
    async def test_any_order_of_calls(self) -> None:
        """
        Everything may be called before run() begins and after it has ended.
        """
        engine, topic = self.make_engine(), self.new_topic()

        def call_everything() -> None:
            engine.subscribe(topic)
            engine.publish(topic, "text")
            engine.unsubscribe(topic)
            engine.unsubscribe(topic)
            engine.peers()
            engine.statistics()

        call_everything()
        async with self.running(engine):
            call_everything()
        call_everything()

    @_test
    async def test_runs_once(self) -> None:
        """
        A second run() of the same engine is refused with a RuntimeError.
        """
        engine = self.make_engine()
        async with self.running(engine):
            pass

        try:
            await engine.run(Recorder())
        except RuntimeError:
            return
        raise AssertionError("a second run() was not refused")

    @_test
    async def test_ends_when_cancelled(self) -> None:
        """
        run() works until it is cancelled, and then ends.
        """
        engine = self.make_engine()
        ended = trio.Event()

        async def run(task_status: trio.TaskStatus[None]) -> None:
            try:
                await engine.run(Recorder(), task_status=task_status)
            finally:
                ended.set()

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            await wait_all_tasks_blocked(0.01)
            ended_by_itself = ended.is_set()
            nursery.cancel_scope.cancel()

        assert ended.is_set()
        assert not ended_by_itself, "run() returned before it was cancelled"

    @_test
    async def test_no_waiting_in_threads(self) -> None:
        """
        publish, subscribe, unsubscribe and statistics work in a worker thread.
        """
        engine, topic = self.make_engine(), self.new_topic()

        def in_thread() -> int:
            engine.subscribe(topic)
            engine.publish(topic, b"data")
            subscriptions = engine.statistics().subscriptions
            engine.unsubscribe(topic)
            return subscriptions

        async with self.running(engine):
            assert await trio.to_thread.run_sync(in_thread) == 1
            assert engine.statistics().subscriptions == 0

    @_test
    async def test_subscribing_twice_is_once(self) -> None:
        """
        One unsubscribe ends a subscription, however often it was asked for.
        """
        engine, topic = self.make_engine(), self.new_topic()
        async with self.running(engine):
            engine.subscribe(topic)
            engine.subscribe(topic)
            assert engine.statistics().subscriptions == 1
            engine.unsubscribe(topic)
            assert engine.statistics().subscriptions == 0

    @_test
    async def test_odd_topics(self) -> None:
        """
        Any text of up to 250 characters is a topic, wildcards and spaces included.
        """
        engine = self.make_engine()
        async with self.running(engine):
            for topic in _ODD_TOPICS:
                engine.subscribe(topic)
            assert engine.statistics().subscriptions == len(_ODD_TOPICS)

    @_test
    async def test_statistics_count(self) -> None:
        """
        What was published is counted, and nothing about lag is negative.
        """
        engine = self.make_engine()
        async with self.running(engine):
            for number in range(3):
                engine.publish(self.new_topic(), str(number))
            now = engine.statistics()

        assert now.published == 3
        assert min(now.lag_messages, now.lag_bytes, now.lag_seconds, now.dropped) >= 0


class DistributedEngineSuite(EngineSuite):
    """
    What an engine that reaches other processes promises in addition.
    """

    async def lose_connection(self, engine: Engine) -> None:
        """
        Break the connection of *engine* to the others; it must come back by itself.

        To be overridden, and to return when the connection is down.
        """
        raise NotImplementedError(f"{type(self).__name__} must define lose_connection()")

    async def until_heard(
        self, publisher: Engine, listener: Engine, recorder: Recorder, topic: str
    ) -> None:
        """
        Subscribe *listener* to *topic* and wait until it hears *publisher* on it.
        """
        listener.subscribe(topic)
        probes = recorder.received.count((topic, PROBE))
        while recorder.received.count((topic, PROBE)) == probes:
            publisher.publish(topic, dict(PROBE))
            with trio.move_on_after(0.02):
                await recorder.wait_until(lambda: recorder.received.count((topic, PROBE)) > probes)

    @asynccontextmanager
    async def pair(self) -> AsyncGenerator[tuple[Engine, Engine, Recorder, str], None]:
        """
        Two running engines, of which the second hears the first on a new topic.
        """
        first, second, topic = self.make_engine(), self.make_engine(), self.new_topic()
        async with self.running(first, second) as [_, recorder]:
            await self.until_heard(first, second, recorder, topic)
            yield first, second, recorder, topic

    @_test
    async def test_fidelity(self) -> None:
        """
        Text stays text, bytes stay bytes, and a dict arrives as an equal one.
        """
        message: dict[str, Any] = {
            "type": "suite.message",
            "nothing": None,
            "numbers": [0, -1, 2**53, 0.5, True],
            "nested": {"ключ": "значение", "empty": {}},
        }
        sent = ["", "text", "\N{SNOWMAN}\n\0", b"", b"\xff\0data", message, "x" * 1_000_000]
        async with self.pair() as (first, _, recorder, topic):
            for payload in sent:
                first.publish(topic, payload)
            await recorder.wait_until(lambda: len(recorder.of(topic)) >= len(sent))
            got = recorder.of(topic)

        assert got == sent
        assert [type(each) for each in got] == [type(each) for each in sent]

    @_test
    async def test_what_cannot_be_carried_is_refused(self) -> None:
        """
        A payload that cannot cross is a TypeError at once, and does no further harm.
        """
        async with self.pair() as (first, _, recorder, topic):
            try:
                first.publish(topic, object())
            except TypeError:
                pass
            else:
                raise AssertionError("publish() took an object() and did not refuse it")
            first.publish(topic, "after")
            await recorder.heard(topic, "after")
            assert recorder.of(topic) == ["after"]

    @_test
    async def test_scope(self) -> None:
        """
        Every other process hears a message; the one that published it does not.
        """
        engines = [self.make_engine() for _ in range(3)]
        first, second, third = engines
        topic = self.new_topic()
        async with self.running(*engines) as [mine, second_heard, third_heard]:
            await self.until_heard(first, second, second_heard, topic)
            await self.until_heard(first, third, third_heard, topic)
            await self.until_heard(second, first, mine, topic)
            first.publish(topic, "question")
            await second_heard.heard(topic, "question")
            await third_heard.heard(topic, "question")
            second.publish(topic, "answer")
            await mine.heard(topic, "answer")

            assert mine.of(topic) == ["answer"]
            assert second_heard.of(topic) == ["question"]

    @_test
    async def test_only_what_was_asked_for(self) -> None:
        """
        Messages of other topics do not arrive, even if a topic looks like a pattern.
        """
        async with self.pair() as (first, second, recorder, topic):
            pattern = f"{topic[:-1]}*"
            await self.until_heard(first, second, recorder, pattern)
            first.publish(f"{topic}x", "not asked for")
            first.publish(topic, "asked for")
            first.publish(pattern, "asked for too")
            await recorder.heard(topic, "asked for")
            await recorder.heard(pattern, "asked for too")
            asked = [each for each in recorder.received if each[1] != PROBE]

        assert sorted(map(str, asked)) == sorted(
            map(str, [(topic, "asked for"), (pattern, "asked for too")])
        )

    @_test
    async def test_order_and_at_most_once(self) -> None:
        """
        Messages of one process and topic arrive in order, and each once.
        """
        sent = [str(number) for number in range(500)]
        async with self.pair() as (first, second, recorder, topic):
            second.subscribe(topic)  # asked for again: still one copy of each
            for each in sent:
                first.publish(topic, each)
            await recorder.heard(topic, sent[-1])
            assert recorder.of(topic) == sent

    @_test
    async def test_no_history(self) -> None:
        """
        Who subscribes later does not get what was published before.
        """
        async with self.pair() as (first, second, recorder, topic):
            later = self.new_topic()
            first.publish(later, "too early")
            first.publish(topic, "marker")
            await recorder.heard(topic, "marker")
            await self.until_heard(first, second, recorder, later)
            assert recorder.of(later) == []

    @_test
    async def test_unsubscribed_hears_no_more(self) -> None:
        """
        Some time after unsubscribe() messages of that topic stop arriving.
        """
        async with self.pair() as (first, second, recorder, topic):
            other = self.new_topic()
            await self.until_heard(first, second, recorder, other)
            second.unsubscribe(topic)
            quiet_rounds = number = 0
            while quiet_rounds < 3:
                number, before = number + 1, len(recorder.of(topic))
                first.publish(topic, number.to_bytes(4))
                first.publish(other, str(number))
                await recorder.heard(other, str(number))
                quiet_rounds = quiet_rounds + 1 if len(recorder.of(topic)) == before else 0

    @_test
    async def test_peers(self) -> None:
        """
        Once two processes hear each other, each names a peer.
        """
        async with self.pair() as (first, second, recorder, topic):
            while not (first.peers() and second.peers()):
                await self.until_heard(first, second, recorder, topic)

    @_test
    async def test_threads_are_heard(self) -> None:
        """
        What a worker thread publishes arrives.
        """
        async with self.pair() as (first, _, recorder, topic):
            await trio.to_thread.run_sync(first.publish, topic, "from a thread")
            await recorder.heard(topic, "from a thread")
            assert recorder.of(topic) == ["from a thread"]

    @_test
    async def test_gap(self) -> None:
        """
        After a lost connection the engine tells of a gap, and then carries on.
        """
        async with self.pair() as (first, second, recorder, topic):
            await self.lose_connection(second)
            await recorder.wait_until(lambda: recorder.gaps)
            await self.until_heard(first, second, recorder, topic)
            assert second.statistics().gaps == len(recorder.gaps)
