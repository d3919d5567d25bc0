# Groups: membership, delivery here, and what goes to the engine.

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import trio

from greenroom.actors.consumers._frames import Frame
from greenroom.supervisor._engine import Engine, EngineSink, EngineStatistics
from greenroom.supervisor._events import EventStream
from greenroom.supervisor._groups import GroupChange, Groups


class FakeMember:
    """A slot that remembers what was delivered to it."""

    def __init__(self, path: str = "/connections/chat/1") -> None:
        self.path = path
        self.frames: list[Frame] = []
        self.messages: list[object] = []
        self.on_message: Callable[[object], object] = lambda message: None

    def deliver_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def deliver_message(self, message: object) -> None:
        self.messages.append(message)
        self.on_message(message)

    @property
    def texts(self) -> list[str | None]:
        return [frame.text for frame in self.frames]


class RecordingEngine(Engine):
    """An engine that remembers what was asked of it, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        raise NotImplementedError

    def publish(self, topic: str, payload: object) -> None:
        if isinstance(payload, set):
            raise TypeError("cannot carry a set")
        self.calls.append(("publish", topic, payload))

    def subscribe(self, topic: str) -> None:
        self.calls.append(("subscribe", topic))

    def unsubscribe(self, topic: str) -> None:
        self.calls.append(("unsubscribe", topic))

    def peers(self) -> frozenset[str]:
        return frozenset()

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(connected=True)


class Rename:
    """A typed message."""


@pytest.fixture
def engine() -> RecordingEngine:
    """Return an engine that only listens."""
    return RecordingEngine()


@pytest.fixture
def events() -> EventStream:
    """Return a stream of events."""
    return EventStream()


@pytest.fixture
def groups(engine: RecordingEngine, events: EventStream) -> Groups:
    """Return groups without members."""
    return Groups(engine, events)


def test_a_frame_reaches_every_member(groups: Groups) -> None:
    """
    Text goes as one and the same frame to each member, and to nobody else.
    """
    ann, bob, eve = FakeMember(), FakeMember(), FakeMember()
    groups.join("chat.lobby", ann)
    groups.join("chat.lobby", bob)
    groups.join("chat.other", eve)

    assert groups.send("chat.lobby", text="hi") == 2

    assert ann.texts == bob.texts == ["hi"]
    assert ann.frames[0] is bob.frames[0]
    assert eve.frames == []


@pytest.mark.parametrize("data", [b"\0\1", bytearray(b"\0\1"), memoryview(b"\0\1")])
def test_bytes_are_a_binary_frame(groups: Groups, data: Any) -> None:
    """
    Any bytes-like object goes as a binary frame of its own copy.
    """
    ann = FakeMember()
    groups.join("g", ann)
    groups.send("g", bytes=data)

    assert (ann.frames[0].data, ann.frames[0].text) == (b"\0\1", None)


@pytest.mark.parametrize("text", ["", "räume"])
def test_empty_text_is_a_frame(groups: Groups, text: str) -> None:
    """
    An empty text is a content like any other, not a missing one.
    """
    ann = FakeMember()
    groups.join("g", ann)

    assert groups.send("g", text=text) == 1
    assert ann.texts == [text]


def test_a_message_goes_to_the_mailboxes(groups: Groups) -> None:
    """
    A dict or a typed message is delivered as it is, and no frame is written.
    """
    ann, message, typed = FakeMember(), {"type": "chat.message"}, Rename()
    groups.join("g", ann)
    groups.send("g", message)
    groups.send("g", typed)

    assert ann.messages == [message, typed]
    assert ann.messages[0] is message
    assert ann.frames == []


def test_exclude_leaves_one_out(groups: Groups) -> None:
    """
    The excluded member gets nothing and is not counted; a stranger changes nothing.
    """
    ann, bob = FakeMember(), FakeMember()
    groups.join("g", ann)
    groups.join("g", bob)

    assert groups.send("g", text="1", exclude=ann) == 1
    assert groups.send("g", {"type": "x"}, exclude=ann) == 1
    assert groups.send("g", text="2", exclude=FakeMember()) == 2
    assert (ann.texts, ann.messages) == (["2"], [])
    assert (bob.texts, bob.messages) == (["1", "2"], [{"type": "x"}])


def test_nobody_there_is_no_error(groups: Groups, engine: RecordingEngine) -> None:
    """
    A group without members here may have some in other processes.
    """
    assert groups.send("empty", text="hi") == 0
    assert engine.calls == [("publish", "group:empty", "hi")]


def test_joining_twice_is_once(groups: Groups) -> None:
    """
    A member that joined twice gets one copy, and is out after one leave.
    """
    ann = FakeMember()
    groups.join("g", ann)
    groups.join("g", ann)

    assert groups.send("g", text="hi") == 1
    groups.leave("g", ann)
    assert groups.names() == {}


def test_leaving_is_harmless(groups: Groups) -> None:
    """
    Leaving a group one is not in, or that does not exist, does nothing.
    """
    ann, bob = FakeMember(), FakeMember()
    groups.join("g", ann)
    groups.leave("g", bob)
    groups.leave("h", ann)
    groups.leave_all(bob)

    assert groups.members("g") == (ann,)


def test_leave_all(groups: Groups) -> None:
    """
    A slot that ends is out of every group, and others stay.
    """
    ann, bob = FakeMember(), FakeMember()
    for group in ("b", "a", "c"):
        groups.join(group, ann)
    groups.join("a", bob)

    assert groups.groups_of(ann) == ("b", "a", "c")
    groups.leave_all(ann)
    assert groups.groups_of(ann) == ()
    assert groups.names() == {"a": 1}
    assert groups.members("a") == (bob,)


def test_nothing_is_kept_of_who_left(groups: Groups) -> None:
    """
    After everyone has left, groups and members are forgotten.
    """
    ann = FakeMember()
    for number in range(100):
        groups.join(f"g{number}", ann)
        groups.send(f"g{number}", text="hi")
    for number in range(100):
        groups.leave(f"g{number}", ann)
    ann_lives = weakref.ref(ann)
    del ann
    gc.collect()

    assert repr(groups) == "<Groups 0 groups, 0 members>"
    assert ann_lives() is None


def test_joined_hears(groups: Groups) -> None:
    """
    Whoever joined before a send is reached, also when the members were cached already.
    """
    members = [FakeMember() for _ in range(3)]
    for number, member in enumerate(members, start=1):
        groups.join("g", member)
        assert groups.send("g", text=str(number)) == number

    assert [member.texts for member in members] == [["1", "2", "3"], ["2", "3"], ["3"]]


def test_joined_hears_in_threads(groups: Groups) -> None:
    """
    While many threads join, send and leave, a send after a join always reaches the member.
    """
    missed: list[int] = []

    def come_and_go() -> None:
        for number in range(300):
            member = FakeMember()
            groups.join("g", member)
            groups.send("g", text="x")
            if not member.frames:
                missed.append(number)
            groups.leave("g", member)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=come_and_go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert missed == []
    assert groups.names() == {}


def test_left_is_over(groups: Groups) -> None:
    """
    A send that begins after leave() does not reach the member.
    """
    ann, bob = FakeMember(), FakeMember()
    groups.join("g", ann)
    groups.join("g", bob)
    groups.send("g", text="1")
    groups.leave("g", ann)
    groups.send("g", text="2")

    assert (ann.texts, bob.texts) == (["1"], ["1", "2"])


def test_no_lock(groups: Groups) -> None:
    """
    A member may send, join and leave, even in another thread, while it takes a message.
    """
    ann, bob = FakeMember(), FakeMember()
    groups.join("g", ann)

    def in_thread() -> None:
        groups.join("g", bob)
        groups.send("g", text="from a thread")
        groups.leave("g", ann)

    def react(message: object) -> None:
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join(timeout=10)
        assert not thread.is_alive()

    ann.on_message = react
    groups.send("g", {"type": "x"})

    assert bob.texts == ["from a thread"]
    assert groups.members("g") == (bob,)


def test_subscribed(groups: Groups, engine: RecordingEngine) -> None:
    """
    The engine is subscribed at the first member of a group and not before, until the last.
    """
    ann, bob = FakeMember(), FakeMember()
    groups.join("g", ann)
    groups.join("g", bob)
    groups.leave("g", ann)
    assert engine.calls == [("subscribe", "group:g")]
    groups.leave_all(bob)
    groups.join("g", ann)

    assert engine.calls[1:] == [("unsubscribe", "group:g"), ("subscribe", "group:g")]


def test_others_are_sent_the_same(groups: Groups, engine: RecordingEngine) -> None:
    """
    Text, bytes and messages are published as what they are, once, whoever is here.
    """
    for _ in range(3):
        groups.join("g", FakeMember())
    engine.calls.clear()
    groups.send("g", text="hi")
    groups.send("g", bytes=b"hi", exclude=groups.members("g")[0])
    groups.send("g", {"type": "x"})

    assert engine.calls == [
        ("publish", "group:g", "hi"),
        ("publish", "group:g", b"hi"),
        ("publish", "group:g", {"type": "x"}),
    ]


def test_refused_payload_reaches_nobody(groups: Groups) -> None:
    """
    What the engine cannot carry is refused before any member has got it.
    """
    ann = FakeMember()
    groups.join("g", ann)

    with pytest.raises(TypeError, match="cannot carry a set"):
        groups.send("g", {1, 2})
    assert ann.messages == []


def test_what_others_sent_is_delivered(groups: Groups, engine: RecordingEngine) -> None:
    """
    deliver() hands on text, bytes and messages, and does not publish them again.
    """
    ann = FakeMember()
    groups.join("g", ann)
    engine.calls.clear()
    for payload in ("hi", b"hi", {"type": "x"}):
        groups.deliver("group:g", payload)
    groups.deliver("group:gone", "hi")
    groups.deliver("presence:g", "hi")
    groups.deliver("g", "hi")

    assert [(frame.text, frame.data) for frame in ann.frames] == [("hi", None), (None, b"hi")]
    assert ann.messages == [{"type": "x"}]
    assert engine.calls == []


def test_loud_gap(groups: Groups, events: EventStream) -> None:
    """
    A gap of the engine is one event for each group, with its name and size.
    """
    ann = FakeMember()
    groups.join("a", ann)
    groups.join("b", ann)
    groups.join("b", FakeMember())
    groups.gap("connection lost")

    told = events.recent(kind="group.gap")
    assert [(event.path, dict(event.facts)) for event in told] == [
        ("/groups/a", {"group": "a", "reason": "connection lost", "members": 1}),
        ("/groups/b", {"group": "b", "reason": "connection lost", "members": 2}),
    ]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, "exactly one of message, text= and bytes=. Got: none"),
        ({"text": "a", "bytes": b"a"}, "Got: text and bytes"),
        ({"message": {"type": "x"}, "text": "a"}, "Got: message and text"),
        ({"text": b"a"}, "text= must be a str. Got: bytes"),
        ({"bytes": "a"}, "bytes= must be bytes. Got: str"),
        ({"message": "a"}, "a frame is sent with text= or bytes=. Got: str"),
        ({"message": b"a"}, "Got: bytes"),
        ({"message": {"text": "a"}}, "must have a 'type' that is a string. Got keys: "),
        ({"message": {"type": 7}}, "must have a 'type'"),
    ],
)
def test_wrong_contents_are_refused(groups: Groups, contents: dict[str, Any], message: str) -> None:
    """
    No content, several, or one of the wrong type is a TypeError that says which.
    """
    ann = FakeMember()
    groups.join("g", ann)

    with pytest.raises(TypeError) as caught:
        groups.send("g", **contents)
    assert message in str(caught.value)
    assert (ann.frames, ann.messages) == ([], [])


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("", ValueError, "1 to 200 characters. Got: 0: ''"),
        ("x" * 201, ValueError, "Got: 201: 'xxx"),
        ("\ud800", ValueError, "valid text. Got: '\\ud800'"),
        (7, TypeError, "a group's name must be a string. Got: 7"),
        (["g"], TypeError, "Got: ['g']"),
    ],
)
def test_wrong_names_are_refused(
    groups: Groups, engine: RecordingEngine, name: Any, error: type[Exception], message: str
) -> None:
    """
    join, leave and send refuse a name that cannot be a group's, and nothing happens.
    """
    calls: list[Callable[[], object]] = [
        lambda: groups.join(name, FakeMember()),
        lambda: groups.leave(name, FakeMember()),
        lambda: groups.send(name, text="hi"),
    ]
    for call in calls:
        with pytest.raises(error) as caught:
            call()
        assert message in str(caught.value)
    assert engine.calls == []
    assert groups.names() == {}


@pytest.mark.parametrize("name", ["x" * 200, "a b", "räume", "*", "a/b"])
def test_any_other_text_is_a_name(groups: Groups, name: str) -> None:
    """
    A group's name may have spaces, slashes, wildcards and any letters.
    """
    groups.join(name, FakeMember())

    assert groups.names() == {name: 1}


def test_in_order(groups: Groups) -> None:
    """
    IN ORDER: who monitors a group has its members first, then each change once, in order.
    """
    heard: list[GroupChange] = []
    first, second = FakeMember("/a"), FakeMember("/b")
    groups.join("room", first)
    members, stop = groups.monitor("room", heard.append)

    groups.join("room", second)
    groups.join("room", second)
    groups.join("other", second)
    groups.leave("room", first)
    groups.leave("room", first)
    groups.leave_all(second)

    assert members == ("/a",)
    assert heard == [
        GroupChange("joined", "room", "/b"),
        GroupChange("left", "room", "/a"),
        GroupChange("left", "room", "/b"),
    ]
    stop()
    stop()
    groups.join("room", first)
    assert len(heard) == 3


def test_in_order_whatever_a_listener_does(groups: Groups, caplog: Any) -> None:
    """
    IN ORDER: a change that a listener makes is told behind; what one raises, the log is told.
    """
    heard: list[tuple[str, str]] = []
    guest = FakeMember("/guest")

    def host(change: GroupChange) -> None:
        if change.path == "/a":
            groups.join("room", guest)
        heard.append(("host", change.path))
        raise ValueError("boom")

    groups.monitor("room", host)
    groups.monitor("room", lambda change: heard.append(("other", change.path)))
    groups.join("room", FakeMember("/a"))

    assert heard == [
        *(("host", "/a"), ("other", "/a")),
        *(("host", "/guest"), ("other", "/guest")),
    ]
    assert caplog.messages == ["a listener of the group 'room' failed"] * 2


def test_in_order_for_threads(groups: Groups) -> None:
    """
    IN ORDER: members that threads add while a monitor begins are in its list or heard, not both.
    """
    joined = [FakeMember(f"/{number}") for number in range(200)]
    heard: list[str] = []
    ready = threading.Barrier(3)

    def join(members: list[FakeMember]) -> None:
        ready.wait()
        for member in members:
            groups.join("room", member)

    threads = [threading.Thread(target=join, args=(joined[half::2],)) for half in (0, 1)]
    for thread in threads:
        thread.start()
    ready.wait()
    members, _ = groups.monitor("room", lambda change: heard.append(change.path))
    for thread in threads:
        thread.join()

    assert sorted([*members, *heard]) == sorted(member.path for member in joined)


def test_a_large_broadcast_is_one_loop(groups: Groups) -> None:
    """
    Sending to 1000 members makes one frame and allocates nothing per member.
    """

    class Counter:
        path = "/connections/chat/1"
        taken = 0

        def deliver_frame(self, frame: Frame) -> None:
            Counter.taken += 1

        def deliver_message(self, message: object) -> None: ...

    for _ in range(1000):
        groups.join("g", Counter())
    groups.send("g", text="first")
    gc.collect()
    before = sys.getallocatedblocks()
    groups.send("g", text="second")

    assert sys.getallocatedblocks() - before < 50
    assert Counter.taken == 2000
