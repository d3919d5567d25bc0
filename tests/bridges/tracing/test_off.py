# The switch: what is not asked for is not there, not even imported.

import subprocess
import sys
from inspect import get_annotations
from textwrap import dedent

import pytest
from helpers import running
from opentelemetry import trace
from recorded_spans import recorded

from greenroom.actors import Actor, ActorRef, handles
from greenroom.actors._life import Life
from greenroom.actors._mailbox import Mailbox
from greenroom.actors._ref import target_of
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import serve
from greenroom.bridges.tracing import instrument, uninstrument
from greenroom.bridges.tracing._kinds import TracedKinds
from greenroom.supervisor import Options
from greenroom.supervisor._groups import Groups
from greenroom.supervisor._slot import Slot
from greenroom.supervisor._task import Work


class Worker(Actor):
    @handles("work")
    async def on_work(self, message):
        return trace.get_current_span().get_span_context().is_valid


def run(script: str) -> str:
    """Return what a program prints, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_off_means_not_imported() -> None:
    """
    A tree that is not traced serves a WebSocket without importing OpenTelemetry.
    """
    told = run(
        """
        import sys
        import trio
        from greenroom.actors import WebsocketConsumer
        from greenroom.bridges.testing import serve

        class Echo(WebsocketConsumer):
            async def receive(self, text):
                await self.send(text=text)

        async def main():
            async with serve(Echo.as_asgi()) as server, server.websocket("/") as client:
                client.send_text("hello")
                print(await client.receive_text())

        trio.run(main)
        print(any(name.split(".")[0] == "opentelemetry" for name in sys.modules))
        print(any(name.startswith("greenroom.bridges.tracing") for name in sys.modules))
        """
    )

    assert told.split() == ["hello", "False", "False"]


async def test_off_means_the_plain_classes() -> None:
    """
    In a tree that is not traced no part is of another class, so nothing is asked at a message.
    """
    async with running(Worker) as server:
        ref = server.root.find("/residents/worker")
        slot = target_of(ref)
        parts = [type(each) for each in (ref, slot, slot.mailbox, slot._life, server.root.groups)]
        assert parts == [ActorRef, Slot, Mailbox, Life, Groups]
        assert slot._life._loop._trace is None
        assert slot.outgoing() is None
        kinds = server.root.kinds
        assert (kinds.work, kinds.connection, kinds.publish) == (Work, None, None)
        assert await ref.call({"type": "work"}) is False


async def test_only_trees_that_begin_later() -> None:
    """
    instrument() is for trees that begin from then on, and so is uninstrument().
    """
    async with running(Worker) as before:
        with recorded() as spans:
            async with running(Worker) as server:
                assert await server.root.find("/residents/worker").call({"type": "work"}) is True
        async with running(Worker) as after:
            for each in (before, after):
                assert await each.root.find("/residents/worker").call({"type": "work"}) is False

    assert len(spans.named("process Worker work")) == 1


async def test_the_option() -> None:
    """
    The option `tracing` has one application traced, to the provider of the process.
    """
    application = Application(children=[Worker], options=Options(tracing=True))
    async with serve(application) as server:
        assert isinstance(server.root.kinds, TracedKinds)
        # The process has set no provider: the spans are none, and nothing is amiss.
        assert await server.root.find("/residents/worker").call({"type": "work"}) is False


def test_the_extra_is_missing() -> None:
    """
    Without the extra the option is refused where the application is made, with what to install.
    """
    told = run(
        """
        import sys
        sys.modules["opentelemetry"] = None
        from greenroom.bridges.asgi import Application
        from greenroom.supervisor import Options
        try:
            Application(options=Options(tracing=True))
        except ImportError as error:
            print(error)
        """
    )

    assert told == "tracing needs opentelemetry-api: pip install 'greenroom[tracing]'"


def test_no_provider() -> None:
    """
    What is no provider is refused, with what to give.
    """
    with pytest.raises(TypeError, match=r"must be a TracerProvider .*Got: 'console'"):
        instrument(tracer_provider="console")  # type: ignore[arg-type]


def test_not_instrumented() -> None:
    """
    uninstrument() where nothing is instrumented does nothing.
    """
    uninstrument()


def test_traced_parts_hide_nothing() -> None:
    """
    What a traced part keeps has a name that the plain part does not use.
    """
    from greenroom.bridges.tracing._slot import CarryingMailbox, TracedSlot
    from greenroom.bridges.tracing._task import CarryingWork, TracedTaskSlot

    hidden = [
        name
        for kind in (CarryingMailbox, CarryingWork, TracedSlot, TracedTaskSlot)
        for name in kind.__dict__.get("__slots__", ())
        if any(hasattr(base, name) or name in get_annotations(base) for base in kind.__mro__[1:])
    ]

    assert hidden == []
