# Messages of long-polling sessions: what is kept, what comes again, what is handed on once.

from typing import Any

import trio
from helpers import happened, requested
from poll_chat import Chat, Dropping, Small, ended, posted
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import LongPollConsumer


async def test_a_poll_waits_and_is_answered_with_204(clock: MockClock) -> None:
    """
    Nothing to say within `poll_seconds`: 204, at that very second.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            began = trio.current_time()
            answer = await client.poll()
            assert (answer.status, answer.body) == (204, b"")
            assert trio.current_time() - began == Chat.poll_seconds


async def test_what_is_not_acknowledged_comes_again(clock: MockClock) -> None:
    """
    A message stays until a later poll says that it was seen.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            await client.request("POST", posted((1, "a"), (2, "b")))
            both = [{"seq": 1, "text": "nobody 1: a"}, {"seq": 2, "text": "nobody 1: b"}]
            for _ in range(2):
                answer = await client.request("GET", query="after=0")
                assert answer.json == {"messages": both}
            assert (await client.request("GET", query="after=1")).json == {"messages": both[1:]}
            # An older number, of a request that was late, brings nothing back and breaks nothing.
            assert (await client.request("GET", query="after=0")).json == {"messages": both[1:]}
            assert client.slot.facts["window"] == 1
            assert (await client.request("GET", query="after=2")).status == 204


async def test_a_client_that_leaves_its_poll_loses_nothing(clock: MockClock) -> None:
    """
    A message that is sent while the poll breaks off is in the next one.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            left = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.poll, left)
                await wait_all_tasks_blocked()
                left.set()
            server.root.groups.send("room", text="meanwhile")
            answer = await client.poll()
            assert answer.json == {"messages": [{"seq": 1, "text": "meanwhile"}]}
            assert ended == []


async def test_a_server_that_fails_to_receive_has_lost_its_client(clock: MockClock) -> None:
    """
    It is told as an event, and the session waits for the next poll.
    """

    async def receive() -> Any:
        raise OSError("gone")

    async def send(event: Any) -> None:
        raise AssertionError("nobody is there")

    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            token = [(b"greenroom-token", client.token.encode())]
            scope = client.scope | {"method": "GET", "headers": token}
            await server._application(scope, receive, send)
            (event,) = happened(server, "connection.failed")
            assert "gone" in str(event.facts["error"])
            assert client.slot.state == "running"


async def test_a_posted_message_is_handled_once(clock: MockClock) -> None:
    """
    A request that is sent again, whole or with more behind it, hands on what is new.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            for body, received in (
                (posted((1, "a")), 1),
                (posted((1, "a")), 1),
                (posted((1, "a"), (2, "b")), 2),
                (posted(), 2),
            ):
                answer = await client.request("POST", body)
                assert (answer.status, answer.json) == (200, {"received": received})
            answer = await client.request("POST", posted((4, "d")))
            assert (answer.status, answer.json["error"]) == (409, "ahead")
            assert answer.json["received"] == 2
            texts = [each["text"] for each in (await client.poll()).json["messages"]]
            assert texts == ["nobody 1: a", "nobody 1: b"]


async def test_two_requests_with_the_same_messages_hand_them_on_once(clock: MockClock) -> None:
    """
    A retry that overtakes its first attempt, while the consumer is behind, doubles nothing.
    """
    go = trio.Event()
    seen: list[str] = []

    class Slow(LongPollConsumer):
        async def receive(self, text):
            await go.wait()
            seen.append(text)

    async with requested(slow=Slow) as server:
        async with server.long_poll("/slow", polling=False) as client:
            body = posted(*((number, str(number)) for number in range(1, 41)))
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(client.request, "POST", body)
                await wait_all_tasks_blocked()
                assert seen == []
                go.set()
            await wait_all_tasks_blocked()
            assert seen == [str(number) for number in range(1, 41)]


async def test_a_consumer_that_is_behind_holds_its_client_back(clock: MockClock) -> None:
    """
    Beyond the read-ahead a POST waits, then gets 429 and how far it came; nothing is lost.
    """
    go = trio.Event()

    class Slow(LongPollConsumer):
        async def receive(self, text):
            await go.wait()

    async with requested(slow=Slow) as server:
        async with server.long_poll("/slow", polling=False) as client:
            body = posted(*((number, "x") for number in range(1, 41)))
            answer = await client.request("POST", body)
            assert (answer.status, answer.json["error"]) == (429, "behind")
            assert answer.headers["retry-after"] == "1"
            assert 0 < answer.json["received"] < 40
            async with trio.open_nursery() as nursery:
                answers = []

                async def post() -> None:
                    answers.append((await client.request("POST", body)).status)

                for _ in range(7):
                    nursery.start_soon(post)
                await wait_all_tasks_blocked()
                assert answers == [429, 429], "one has its turn, four wait"
                go.set()
            assert sorted(answers) == [200] * 5 + [429, 429]


async def test_the_newest_poll_wins(clock: MockClock) -> None:
    """
    A second poll answers the first with 204 and says why; messages go to the second.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat", polling=False) as client:
            answers: list[Any] = []

            async def poll() -> None:
                answers.append(await client.request("GET"))

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(poll)
                    await wait_all_tasks_blocked()
                assert [(each.status, each.headers["greenroom-reason"]) for each in answers] == [
                    (204, "superseded"), (204, "superseded"),
                ]  # fmt: skip
                server.root.groups.send("room", text="news")
            assert answers[2].json == {"messages": [{"seq": 1, "text": "news"}]}


async def test_a_full_window_closes_the_session(clock: MockClock) -> None:
    """
    More than fits: 1013, `disconnect` once, 410 with the reason, and the memory is free.
    """
    async with requested(small=Small) as server:
        async with server.long_poll("/small", polling=False) as client:
            for _ in range(5):
                server.root.groups.send("room", text="x")
            await wait_all_tasks_blocked()
            assert ended == [(1013, "polls too slowly")]
            answer = await client.request("GET")
            assert answer.status == 410
            assert (answer.json["code"], answer.json["reason"]) == (1013, "polls too slowly")
            assert len(happened(server, "output.slow")) == 1


async def test_a_sender_waits_for_a_slow_client(clock: MockClock) -> None:
    """
    Above half of the window `send` waits until the client acknowledges, or is given up.
    """
    sent: list[int] = []

    class Stream(Small):
        async def receive(self, text):
            for number in range(int(text)):
                await self.send(text=str(number))
                sent.append(number)

    async with requested(stream=Stream) as server:
        async with server.long_poll("/stream", polling=False) as client:
            await client.request("POST", posted((1, "9")))
            await wait_all_tasks_blocked()
            assert sent == [0, 1], "the third waits"
            await client.poll()
            assert (await client.poll()).status == 200
            await wait_all_tasks_blocked()
            assert sent == [0, 1, 2, 3, 4]
            await trio.sleep(Stream.expiry_seconds)
            await wait_all_tasks_blocked()
            assert sent == [0, 1, 2, 3, 4, 5], "the one that waited; the next raises"
            assert len(ended) == 1


async def test_the_oldest_make_room_and_the_gap_is_told(clock: MockClock) -> None:
    """
    `drop_oldest`: the newest stay, and the next poll says which numbers were lost.
    """
    async with requested(d=Dropping) as server:
        async with server.long_poll("/d", polling=False) as client:
            await client.request("POST", posted((1, "many 10")))
            await wait_all_tasks_blocked()
            answer = await client.request("GET")
            assert answer.json["lost"] == {"from": 1, "to": 6}
            assert [each["text"] for each in answer.json["messages"]] == ["6", "7", "8", "9"]
            assert [each["seq"] for each in answer.json["messages"]] == [7, 8, 9, 10]
            assert client.slot.facts["lost"] == 6
            answer = await client.request("GET", query="after=8")
            assert "lost" not in answer.json
            assert ended == []


async def test_a_handler_outlives_its_session_s_close_until_it_expires(clock: MockClock) -> None:
    """
    Behind its own close, what `cancel_on_disconnect` is for ends once no poll comes any more.
    """

    class Closing(LongPollConsumer):
        cancel_on_disconnect = True

        async def receive(self):
            self.start_soon(self.shut)
            await trio.sleep_forever()

        async def shut(self):
            await self.close(4000, "enough")

        async def disconnect(self, code, reason):
            ended.append((code, reason))

    async with requested(chat=Closing) as server:
        async with server.long_poll("/chat", polling=False) as client:
            await client.request("POST", posted((1, "x")))
            assert (await client.poll()).status == 410
            assert ended == []
            await trio.sleep(Closing.expiry_seconds + 1)
            assert ended == [(4000, "enough")]
