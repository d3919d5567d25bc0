# What is asked of a process that does not answer in time, through an InspectionApp.

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from greenroom.bridges.inspection import InspectionApp
from greenroom.bridges.inspection._gather_async import gather_async
from greenroom.bridges.testing import serve

TOKEN = "a-token-that-nobody-guesses"
BEARER = [("authorization", f"Bearer {TOKEN}")]


async def test_nothing_is_done_too_late(directory: Path, start: Callable[..., int]) -> None:
    """
    An act that a stopped process was asked for is not done when that goes on at last.
    """
    pid = start()
    [it] = (await gather_async({"ask": "process"}, directory, seconds=20)).answered
    act = {"action": "trace", "path": "/residents/greeter", "process": it.id, "seconds": 0.2}
    async with serve(InspectionApp(token=TOKEN, directory=directory)) as server:
        os.kill(pid, signal.SIGSTOP)
        try:
            said = await server.http(
                "POST", "/api/v1/act", headers=BEARER, body=json.dumps(act).encode()
            )
        finally:
            os.kill(pid, signal.SIGCONT)
        assert said.status == 504
        question = {"ask": "events", "kind": "admin"}
        [answer] = (await gather_async(question, directory, seconds=20)).answered
        assert answer.answer is not None
        outcomes = [event["facts"]["outcome"] for event in answer.answer["events"]]
        assert all(each.startswith("refused: too late") for each in outcomes), outcomes
