# A session and the handlers that fail with it: timeouts, crashes on trio, concurrent ones.

from typing import Any

import pytest
import trio
from django.contrib.auth import SESSION_KEY
from django_sessions import cookie, in_db, served, store

from greenroom.actors import WebsocketConsumer, concurrent, timeout

pytestmark = pytest.mark.usefixtures("rolled_back")


class OnTrio(WebsocketConsumer):
    async def connect(self):
        await self.load_session()
        await self.accept()

    @timeout(0.01)
    async def receive(self, text):
        self.session[text] = 1
        self.session.setdefault("list", []).append(text)
        self.session.modified = True
        if text == "raise":
            raise RuntimeError(text)
        if text == "slow":
            await trio.sleep_forever()
        await self.send(text=" ".join(self.session["list"]))


@pytest.mark.parametrize("failure", ["raise", "slow"])
@pytest.mark.parametrize("engine", ["db", "cache", "file"], indirect=True)
async def test_it_is_there_after_a_crash(key: str, engine: str, failure: str) -> None:
    """
    Read in `connect`, a session is there for all incarnations, as it was saved last.
    """
    async with served(OnTrio) as server:
        async with server.websocket("/ontrio/", headers=cookie(key)) as ws:
            for text in ("a", failure, "b", failure, "c"):
                ws.send_text(text)
            assert [await ws.receive_text() for _ in range(3)] == ["a", "a b", "a b c"]
        found = await in_db(lambda: dict(store(key).items()))
        assert found["list"] == ["a", "b", "c"]
        assert failure not in found


class LogsOut(WebsocketConsumer):
    async def connect(self):
        await self.load_session()
        await self.accept()

    async def receive(self, text):
        if text == "out":
            await self.logout()
        elif text == "raise":
            self.session["x"] = 1
            raise RuntimeError(text)
        await self.send(text=f"{text} {SESSION_KEY in self.session}")


async def test_a_log_out_is_not_forgotten(key: str) -> None:
    """
    A crash behind a log-out brings nothing of the flushed session back.
    """
    async with served(LogsOut) as server:
        async with server.websocket("/logsout/", headers=cookie(key)) as ws:
            for text in ("in", "out", "raise", "still"):
                ws.send_text(text)
            said = [await ws.receive_text() for _ in range(3)]
        assert said == ["in True", "out False", "still False"]
        assert not await in_db(store().exists, key)


class Beside(WebsocketConsumer):
    gate: Any = None

    async def connect(self):
        await self.load_session()
        await self.accept()

    @concurrent(4)
    async def receive(self, text):
        if text in ("half", "whole"):
            self.session[text] = 1
            await self.send(text=text)
            await Beside.gate.wait()
            if text == "half":
                raise RuntimeError(text)
        await self.send(text=f"{text} done")


@pytest.mark.parametrize(("text", "saved"), [("half", False), ("whole", True)])
async def test_beside(key: str, text: str, saved: bool) -> None:
    """
    What a concurrent handler changes is saved when it has succeeded, not while it runs.
    """
    Beside.gate = trio.Event()
    async with served(Beside) as server:
        async with server.websocket("/beside/", headers=cookie(key)) as ws:
            ws.send_text(text)
            assert await ws.receive_text() == text
            ws.send_text("look")
            assert await ws.receive_text() == "look done"
            ws.send_text("look")
            assert await ws.receive_text() == "look done"
            assert not await in_db(lambda: text in store(key))
            Beside.gate.set()
            if saved:
                assert await ws.receive_text() == f"{text} done"
        found = await in_db(lambda: dict(store(key).items()))
        assert (text in found) is saved
        assert SESSION_KEY in found
