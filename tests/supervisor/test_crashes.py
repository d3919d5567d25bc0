# What is told of a crash: the report.

import json
import logging
from traceback import TracebackException

import pytest
import trio
from helpers import happened, running, watch
from trio.testing import MockClock

from greenroom.actors import Actor, CallFailed, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import Options, RestartWindow


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


SECRET = "the secret body"


class Chat(WebsocketConsumer):
    async def receive(self, text):
        raise ValueError("no room")

    @handles("ask")
    async def on_ask(self, message):
        raise KeyError("who")


class Asker(Actor):
    """Calls whom it is told to; in a worker thread, too."""

    @handles("ask")
    async def on_ask(self, message):
        await self.find(message["path"]).call({"type": "ask", "body": SECRET})

    @handles("ask blocking")
    def on_ask_blocking(self, message):
        self.find(message["path"]).call_blocking({"type": "ask", "body": SECRET})


async def test_a_report_says_what_the_supervisor_knew() -> None:
    """
    Path, restarts before it, what the budget covered, and the slot's last events.
    """
    options = Options(backoff_min_seconds=0, backoff_max_seconds=0)
    async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
        for number in (2, 3):
            ws.send_text(SECRET)
            await ws.wait_restarted(number)
        first, second = ws.slot.crashes

        assert first.path == second.path == ws.slot.path
        assert (first.restarts, first.restarts_left) == (0, 3)
        assert (second.restarts, second.restarts_left) == (1, 2)
        assert [event.kind for event in first.recent] == ["connection.opened", "slot.started"]
        assert [(event.kind, event.epoch) for event in second.recent[2:]] == [
            ("slot.crashed", 1), ("slot.restarted", 2),
        ]  # fmt: skip
        facts = [fact for event in second.recent for fact in event.facts.values()]
        assert not any(isinstance(fact, BaseException) for fact in facts)
        assert SECRET not in json.dumps(second.as_dict())


async def test_what_is_left_is_that_of_the_moment(clock: MockClock) -> None:
    """
    A budget that has recovered while the incarnation lived is full in its report.
    """

    class Forgiving(Chat):
        supervise = {KeyError: "resume"}

    async with running(chat=Forgiving) as server, server.websocket("/chat") as ws:
        ws.send_text("boom")
        await ws.wait_restarted(2)
        for seconds, left in ((1, 2), (5, 3)):
            await trio.sleep(seconds)
            with pytest.raises(CallFailed):
                await server.root.find(ws.slot.path).call({"type": "ask"})

            assert ws.slot.crashes[-1].directive == "resume"
            assert ws.slot.crashes[-1].restarts_left == left


async def test_the_past_is_bounded() -> None:
    """
    At most crash_events events, the latest; none if it is 0.
    """
    for most in (3, 0):
        options = Options(
            backoff_min_seconds=0, backoff_max_seconds=0, max_restarts=None, crash_events=most
        )
        async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
            for number in range(2, 8):
                ws.send_text("boom")
                await ws.wait_restarted(number)
            recent = ws.slot.crashes[-1].recent

            assert (
                [event.epoch for event in recent] == [5, 5, 6][3 - most :] if most else not recent
            )


async def test_the_past_is_the_slots_own() -> None:
    """
    Events of others, of the same route too, are in no report.
    """
    async with running(chat=Chat) as server, server.websocket("/chat") as other:
        async with server.websocket("/chat") as ws:
            for each in (other, ws):
                each.send_text("boom")
                await each.wait_restarted(2)
            for each in (other, ws):
                (crash,) = each.slot.crashes
                assert {event.path for event in crash.recent} == {each.slot.path}


async def test_the_caller_is_told() -> None:
    """
    A crash in a call names the actor that called, by its path, from trio and from a thread.
    """
    async with running(Asker, chat=Chat) as server, server.websocket("/chat") as ws:
        path = ws.slot.path
        for number, how in enumerate(("ask", "ask blocking"), start=2):
            server.root.find("/residents/asker").cast({"type": how, "path": path})
            await ws.wait_restarted(number)
        by_actors = ws.slot.crashes
        (failed, *_) = happened(server, "slot.crashed", "/residents/asker")

        assert [crash.caller for crash in by_actors] == ["/residents/asker"] * 2
        assert {crash.message for crash in by_actors} == {"call 'ask'"}
        assert failed.facts["message"] == "'ask'"
        assert "handling call 'ask' from /residents/asker" in server.root.render()


async def test_others_have_no_name() -> None:
    """
    A crash in a frame, or in a call of a task that is no actor's, names nobody.
    """
    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("boom")
        await ws.wait_restarted(2)
        with pytest.raises(CallFailed):
            await server.root.find(ws.slot.path).call({"type": "ask"})
        await ws.wait_restarted(3)

        assert [crash.caller for crash in ws.slot.crashes] == ["", ""]


def test_looking_at_a_budget_does_not_change_it() -> None:
    """
    left() may be asked in any order and from any thread: it forgets nothing.
    """
    window = RestartWindow(3, 5.0)
    for now in (0.0, 1.0, 2.0):
        window.admit(now)

    assert (window.left(5.5), window.left(2.0)) == (1, 0)


async def test_a_traceback_is_put_into_words_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Of ten crashes none costs more than to be noted; who looks reads the last five, put once.
    """
    caplog.set_level(logging.CRITICAL, "greenroom")
    put, put_before = [], TracebackException.format
    monkeypatch.setattr(
        TracebackException, "format", lambda it, **how: put.append(it) or put_before(it, **how)
    )
    options = Options(backoff_min_seconds=0, max_restarts=10, storm_restarts=None)
    async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
        restarts = watch(server, "slot.restarted")
        for number in range(1, 11):
            ws.send_text(SECRET)
            await restarts.until(number)
        assert put == []
        for _ in range(2):
            crashes = server.root.snapshot().find(ws.slot.path).crashes
        assert len(put) == len(crashes) == 5
        for crash in crashes:
            assert crash.traceback.startswith("Traceback (most recent call last):\n")
            assert 'raise ValueError("no room")' in crash.traceback
            assert crash.traceback.endswith("ValueError: no room\n")
