# Messages that reached nobody, as data.

from typing import Any

import pytest
from helpers import running, settle

from greenroom.actors import Actor, CallFailed, handles

from .asking import asked, paged


class Deaf(Actor):
    mailbox_capacity = 2
    overflow = "drop_newest"


class Talker(Actor):
    """Sends what nobody hears."""

    @handles("talk")
    async def talk(self) -> None:
        await self.cast("/residents/nobody", {"type": "hello", "secret": "xyzzy"})

    @handles("ask")
    async def ask(self) -> None:
        deaf = self.find("/residents/deaf")
        await deaf.call({"type": "question", "secret": "xyzzy"})


async def test_who_sent_what_to_whom() -> None:
    """
    A letter says its target, its sender, its type, when and why, and nothing of what it said.
    """
    async with running(Deaf, Talker) as server:
        root = server.root
        talker = root.find("/residents/talker")
        await talker.call({"type": "talk"})
        with pytest.raises(CallFailed):
            await talker.call({"type": "ask"})
        root.find("/residents/deaf").cast({"type": "hi", "secret": "xyzzy"})
        await settle(lambda: root.dead_letters.last == 3)
        answer = await asked(server, "dead-letters")
        hi, question, hello = answer["letters"]  # the newest first
        assert (hello["target_path"], hello["sender"]) == ("/residents/nobody", "/residents/talker")
        assert (question["target_path"], question["sender"]) == (
            "/residents/deaf", "/residents/talker",
        )  # fmt: skip
        assert hi["sender"] == ""
        assert question["message_type"] == "question"
        assert "declare one with @handles('question')" in question["reason"]
        assert "xyzzy" not in str(answer)
        assert [each["number"] for each in answer["letters"]] == [3, 2, 1]
        assert (answer["total"], answer["kept"], answer["next"]) == (3, 3, None)


async def test_drops() -> None:
    """
    What a full mailbox dropped is counted by its policy's reason, and as an overflow.
    """
    async with running(Deaf) as server:
        ref = server.root.find("/residents/deaf")
        for _ in range(5):
            ref.cast({"type": "hi"})
        await settle(lambda: server.root.dead_letters.last == 5)
        answer = await asked(server, "dead-letters")
        assert answer["overflows"] == 3
        assert answer["by_reason"] == [
            {"reason": "the mailbox is full (2 messages)", "count": 3},
            {"reason": "no handler: declare one with @handles('hi')", "count": 2},
        ]
        assert answer["sorts"][0] == {
            "reason": "the mailbox is full (2 messages)", "target": "/residents/deaf",
            "message_type": "hi", "count": 3,
        }  # fmt: skip
        assert answer["sorts_in_all"] == 2


async def test_pages_and_search() -> None:
    """
    Letters come page by page, the newest first, also while others are written; a search looks at
    targets, senders, types and reasons.
    """
    async with running(Deaf) as server:
        letters = server.root.dead_letters
        for number in range(25):
            letters.add(f"/connections/chat/{number}", {"type": f"kind {number}"}, "no reason")
        first = await asked(server, "dead-letters", limit=10)
        letters.add("/residents/deaf", {"type": "late"}, "no reason")
        rest = await paged(server, "dead-letters", "letters", limit=10, after=first["next"])
        numbers = [each["number"] for each in [*first["letters"], *rest]]
        assert numbers == list(range(25, 0, -1))
        found: list[Any] = (await asked(server, "dead-letters", search="KIND 7"))["letters"]
        assert [each["target_path"] for each in found] == ["/connections/chat/7"]
        below = await asked(server, "dead-letters", path="/residents")
        assert [each["message_type"] for each in below["letters"]] == ["late"]


@pytest.mark.parametrize("after", ["x", "WzAsImEiXQ", "WzEsMl0"])
async def test_no_cursor(after: str) -> None:
    """
    What no answer has given as a cursor is refused.
    """
    async with running(Deaf) as server:
        answer = await asked(server, "dead-letters", after=after)
        assert answer["error"]["code"] == "bad-question"
