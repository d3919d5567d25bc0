# The life of long-polling sessions as their clients see it, in process.

from functools import partial
from typing import Any

import pytest
import trio
from helpers import happened, requested
from poll_chat import Chat, InThread, ended, posted
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import LongPollConsumer
from greenroom.bridges.testing import HandshakeRefused, ServerDriver, SocketClosed


async def test_it_is_used_as_a_socket_is(clock: MockClock) -> None:
    """
    Text and bytes go both ways, in order, on trio and in a thread.
    """
    async with requested(chat=Chat, thread=InThread) as server:
        async with server.long_poll("/chat") as one, server.long_poll("/thread") as two:
            one.send_text("hi")
            one.send_bytes(b"\x00\xff")
            assert await one.receive_text() == "nobody 1: hi"
            assert await one.receive() == b"\x00\xff"
            two.send_text("ho")
            assert await two.receive_text() == "ho"
            assert await one.receive_text() == "from a thread: ho"
    assert ended == [(1000, "")]


async def test_the_answer_that_opens_it_has_what_a_client_needs(clock: MockClock) -> None:
    """
    Token, seconds, the consumer's own headers; and nothing may keep it in a cache.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            headers = dict(client.response_headers)
            assert headers[b"x-room"] == b"blue"
            assert headers[b"cache-control"] == b"no-store"
            answer = await client.request("POST", token="")
            assert answer.status == 201
            assert answer.json.keys() == {"token", "poll_seconds", "expiry_seconds"}


async def test_a_crash_leaves_the_session_open(clock: MockClock) -> None:
    """
    The next incarnation has what connect left behind, and the messages behind the bad one.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            answer = await client.request("POST", posted((1, "a"), (2, "boom"), (3, "b")))
            assert answer.json == {"received": 3}
            await client.wait_restarted()
            await wait_all_tasks_blocked()
            texts = [each["text"] for each in (await client.poll()).json["messages"]]
            assert texts == ["nobody 1: a", "nobody 2: b"]
            # Sent again, the message that crashed is not handled again.
            assert (await client.request("POST", posted((2, "boom")))).json == {"received": 3}
            assert client.slot.epoch == 2
            assert "room" in client.slot.groups


async def test_too_many_crashes_end_it(clock: MockClock) -> None:
    """
    Past the budget the session ends with 1011, and disconnect has run once.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat") as client:
            for _ in range(4):
                client.send_text("boom")
            assert (await client.closed()).code == 1011
            assert ended == [(1011, "crashed")]


async def test_it_expires_without_a_poll(clock: MockClock) -> None:
    """
    `disconnect` runs with 1006 and the reason, at that second; later requests get 410 with it.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            await trio.sleep(Chat.expiry_seconds - 1)
            assert ended == []
            await trio.sleep(1)
            await wait_all_tasks_blocked()
            assert ended == [(1006, "expired: no poll for 60 s")]
            for method, body in (("GET", None), ("POST", posted((1, "a"))), ("DELETE", None)):
                answer = await client.request(method, body)
                assert answer.status == 410
                assert answer.json["code"] == 1006
                assert answer.json["reason"] == "expired: no poll for 60 s"
            await trio.sleep(Chat.expiry_seconds)
            assert (await client.request("GET")).json["error"] == "unknown"


async def test_polls_keep_it_alive(clock: MockClock) -> None:
    """
    It expires only when so long no poll waited, however old it is; a POST is no poll.
    """

    class Patient(Chat):
        poll_seconds = 300.0

    async with requested(chat=Chat, patient=Patient) as server:
        async with server.long_poll("/chat") as client:
            await trio.sleep(1000)
            assert client.slot.state == "running"
            client.pause_reading()
            await trio.sleep(59)
            await client.request("POST", posted((1, "a")))
            assert ended == []
            await trio.sleep(2)
            assert len(ended) == 1
        async with server.long_poll("/patient", polling=False) as client:
            assert (await client.poll()).status == 204
            assert client.slot.state == "running"
            assert len(ended) == 1


async def test_a_close_is_told_behind_the_last_messages(clock: MockClock) -> None:
    """
    What was sent before the close can be fetched, as often as needed; then 410 says the code.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            await client.request("POST", posted((1, "bye")))
            await wait_all_tasks_blocked()
            assert ended == [(4000, "enough")]
            for _ in range(2):
                answer = await client.request("GET")
                assert answer.json == {"messages": [{"seq": 1, "text": "last words"}]}
            answer = await client.request("GET", query="after=1")
            assert (answer.status, answer.json["code"]) == (410, 4000)
            assert answer.json["reason"] == "enough"
        async with server.long_poll("/chat") as client:
            client.send_text("bye")
            assert await client.receive_text() == "last words"
            with pytest.raises(SocketClosed) as closed:
                await client.receive()
            assert (closed.value.code, closed.value.reason) == (4000, "enough")


async def test_a_waiting_poll_learns_of_the_end_at_once(clock: MockClock) -> None:
    """
    No poll waits for a session that is over.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            answers: list[Any] = []

            async def poll() -> None:
                answers.append(await client.request("GET"))

            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(poll)
                await wait_all_tasks_blocked()
                assert (await client.request("DELETE")).status == 204
            assert (answers[0].status, answers[0].json["code"]) == (410, 1000)
            assert trio.current_time() == began
            assert ended == [(1000, "")]
            assert (await client.request("DELETE")).status == 410


async def test_timers_go_on_between_requests(clock: MockClock) -> None:
    """
    What the consumer has set comes though nobody polls in that moment.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            await client.request("POST", posted((1, "tick")))
            await trio.sleep(31)
            assert (await client.poll()).json == {"messages": [{"seq": 1, "text": "tick"}]}


async def opened(server: ServerDriver, path: str = "/chat", **options: Any) -> int:
    """Open a session and return the status of the answer."""
    try:
        async with server.long_poll(path, polling=False, **options):
            return 201
    except HandshakeRefused as refused:
        return refused.status


async def test_a_consumer_that_refuses_or_fails(clock: MockClock) -> None:
    """
    `close()` before `accept()` is 403 with code and reason; a connect that raises is 500.
    """

    class Refuses(LongPollConsumer):
        async def connect(self):
            await self.close(4001, "not today")

    class Fails(LongPollConsumer):
        async def connect(self):
            raise RuntimeError("connect")

    class Silent(LongPollConsumer):
        async def connect(self):
            pass

    class Hangs(LongPollConsumer):
        async def connect(self):
            await trio.sleep_forever()

    class Denies(LongPollConsumer):
        def connect(self):
            self.deny(402, [("X-Price", "5")], "pay first")

    class Lengthy(LongPollConsumer):
        def connect(self):
            self.deny(402, [("Content-Length", "9")], "pay first")

    class Accepting(LongPollConsumer):
        def connect(self):
            self.accept([("Content-Length", "9")])

    routes = {
        "lengthy": Lengthy,
        "accepting": Accepting,
        "denies": Denies,
        "refuses": Refuses,
        "fails": Fails,
        "silent": Silent,
        "hangs": Hangs,
    }
    async with requested(**routes) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.long_poll("/refuses"):
                pass
        assert (refused.value.status, b"not today" in refused.value.body) == (403, True)
        with pytest.raises(HandshakeRefused) as refused:
            async with server.long_poll("/denies"):
                pass
        assert (refused.value.status, refused.value.body) == (402, b"pay first")
        headers = dict(refused.value.headers)
        assert headers[b"x-price"] == b"5"
        assert headers[b"content-type"] == b"text/plain; charset=utf-8"
        for route in ("lengthy", "accepting"):
            assert await opened(server, f"/{route}") == 500
            crashes = happened(server, "slot.crashed")
            assert "content-length" in str(crashes[-1].facts)
        assert await opened(server, "/fails") == 500
        assert await opened(server, "/silent") == 403
        assert await opened(server, "/hangs", timeout=60) == 500
        assert server.root.connections.open == 0


async def test_a_client_that_leaves_while_it_opens(clock: MockClock) -> None:
    """
    Nobody has the token then: the session ends at once, and disconnect says so, once.
    """
    go = trio.Event()

    class Slow(LongPollConsumer):
        async def connect(self):
            if self.scope["path"] == "/slow" and self.scope["query_string"] == b"wait":
                await go.wait()
            await self.accept()

        async def disconnect(self, code, reason):
            ended.append((code, reason))

    async with requested(slow=Slow) as server:
        async with server.long_poll("/slow", polling=False) as client:
            left = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    partial(client.request, "POST", token="", query="wait", left=left)
                )
                await wait_all_tasks_blocked()
                assert server.root.connections.open == 2
                left.set()
            go.set()
            await wait_all_tasks_blocked()
            assert [code for code, _ in ended] == [1006]
            assert server.root.connections.open == 1


async def test_shutdown_answers_waiting_polls(clock: MockClock) -> None:
    """
    A poll that waits gets 410 with 1012 and a hint when to come again; disconnect runs.
    """
    answers: list[Any] = []
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            async with trio.open_nursery() as nursery:

                async def poll() -> None:
                    answers.append(await client.request("GET"))

                nursery.start_soon(poll)
                await wait_all_tasks_blocked()
                began = trio.current_time()
                assert await server.root.drain()
            assert trio.current_time() == began
            assert (answers[0].status, answers[0].json["code"]) == (410, 1012)
            assert answers[0].headers["retry-after"] == "1"
            assert [code for code, _ in ended] == [1012]
            assert await opened(server) == 503


async def test_shutdown_while_a_session_is_opened(clock: MockClock) -> None:
    """
    Who waits for `connect` is told to come again: 503, not that he was refused.
    """

    class Slow(LongPollConsumer):
        shutdown_seconds = 1.0

        async def connect(self):
            await trio.sleep_forever()

    statuses: list[int] = []
    async with requested(slow=Slow) as server:
        async with trio.open_nursery() as nursery:

            async def open_one() -> None:
                statuses.append(await opened(server, "/slow", timeout=60))

            nursery.start_soon(open_one)
            await wait_all_tasks_blocked()
            assert await server.root.drain()
        assert statuses == [503]


async def test_last_words_at_shutdown_are_delivered(clock: MockClock) -> None:
    """
    What `disconnect` sends while the server stops is in the answer, beside the hint.
    """

    class Polite(LongPollConsumer):
        async def disconnect(self, code):
            await self.send(text=f"going away: {code}")

    async with requested(p=Polite) as server:
        async with server.long_poll("/p", polling=False) as client:
            await server.root.drain()
            answer = await client.poll()
            assert answer.json == {"messages": [{"seq": 1, "text": "going away: 1012"}]}
            assert answer.headers["retry-after"] == "1"


async def test_the_tree_shows_facts_and_no_token(clock: MockClock) -> None:
    """
    Each session is a node with its window and its counts; the token is nowhere.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            await client.request("POST", posted((1, "a")))
            await wait_all_tasks_blocked()
            facts = client.slot.facts
            assert client.slot.path == "/connections/chat/1"
            assert facts["session"] == "open"
            assert (facts["sent"], facts["window"], facts["window_bytes"]) == (1, 1, 11)
            secret = client.token.rpartition(".")[2]
            assert secret not in server.root.render()
            assert secret not in repr(server.root.events.recent(1000))


async def test_nothing_is_left_behind(clock: MockClock) -> None:
    """
    Sessions that end in every way leave no slot, no task and no count.
    """
    from trio.lowlevel import current_root_task

    def tasks() -> int:
        found, todo = 0, [current_root_task()]
        while todo:
            task = todo.pop()
            found += 1
            todo += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        return found

    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat"):
            pass
        await wait_all_tasks_blocked()
        before = tasks()
        for number in range(50):
            async with server.long_poll("/chat", polling=False) as client:
                if number % 3 == 0:
                    await trio.sleep(61)
                elif number % 3 == 1:
                    await client.request("POST", posted((1, "bye")))
        await wait_all_tasks_blocked()
        assert tasks() == before
        assert server.root.connections.open == 0
        assert len(ended) == 51
