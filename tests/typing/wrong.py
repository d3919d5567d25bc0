# Mistakes that a type checker must find. Each line says which complaint it expects; one that is
# not made is itself an error (warn_unused_ignores, reportUnnecessaryTypeIgnoreComment).
from __future__ import annotations

from consumers import CountPeople, MixedChat, Rename

from greenroom.actors import ActorRef


async def reply_has_another_type(ref: ActorRef) -> None:
    reply = await ref.call(CountPeople(), timeout=5)
    count: str = reply  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    name: int = ref.call_blocking(Rename("Bob"), timeout=5)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(count, name)


def a_frame_is_text_or_bytes(chat: MixedChat) -> None:
    chat.send(text=b"bytes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    chat.send(json={})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def a_reference_is_not_an_actor(ref: ActorRef) -> None:
    ref.username = "Bob"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
