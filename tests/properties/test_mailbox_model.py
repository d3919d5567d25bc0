# The mailbox against a model: a plain list for the lane, counted by hand.

import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.actors._mailbox import Mailbox
from greenroom.actors._messages import Call, Cast, InFrame, Item, PeerEnd, Stop, Tick
from greenroom.actors._overflow import Put
from greenroom.actors._reply import Reply
from greenroom.actors._timers import Timer

CAPACITY, MESSAGES, BYTES = 4, 3, 20


class NoLoop:
    """A loop that never runs: nobody is parked here."""

    def is_here(self) -> bool:
        return True


class MailboxModel(RuleBasedStateMachine):
    """Every operation on both; what they hold and answer must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Mailbox(
            NoLoop(),  # type: ignore[arg-type]
            capacity=CAPACITY,
            read_ahead_messages=MESSAGES,
            read_ahead_bytes=BYTES,
        )
        self.lane: list[Item] = []
        self.taken: list[Item] = []
        self.rooms: list[threading.Event] = []
        self.closed = False

    def counted(self) -> int:
        return sum(isinstance(item, (Cast, Call)) for item in self.lane)

    def frames(self) -> list[InFrame]:
        return [item for item in self.lane if isinstance(item, InFrame)]

    @rule(is_call=st.booleans())
    def put_message(self, is_call: bool) -> None:
        item = Call("x", Reply(lambda: None)) if is_call else Cast("x")
        put = self.box.put_message(item)
        if self.closed:
            assert put is Put.CLOSED
        elif self.counted() >= CAPACITY:
            assert put is Put.FULL
        else:
            assert put is Put.TAKEN
            self.lane.append(item)

    @rule()
    def put_over_oldest(self) -> None:
        item = Cast("over")
        put, oldest = self.box.put_over_oldest(item)
        if self.closed:
            assert (put, oldest) == (Put.CLOSED, None)
            return
        expected = None
        if self.counted() >= CAPACITY:
            expected = next(each for each in self.lane if isinstance(each, (Cast, Call)))
            self.lane.remove(expected)
        self.lane.append(item)
        assert (put, oldest) == (Put.TAKEN, expected)

    @rule(size=st.integers(0, 15), kind=st.sampled_from(["frame", "tick", "end"]))
    def put_arrival(self, size: int, kind: str) -> None:
        item: Item = InFrame("x" * size, None)
        if kind == "tick":
            item = Tick(Timer(None, "tick", None, None))
        elif kind == "end":
            item = PeerEnd(1000, "")
        if isinstance(item, InFrame):
            more = self.box.put_frames((item,))
        else:
            assert self.box.put_arrival(item) is not self.closed
            more = None
        if not self.closed:
            self.lane.append(item)
        assert more is None or more is (self.closed or not self.read_ahead_is_full())

    @rule()
    def put_control(self) -> None:
        before = len(self.box.control)
        self.box.put_control(Stop("now", 1000))
        assert len(self.box.control) == before + 1

    @rule()
    def take(self) -> None:
        item = self.box.take()
        assert item is (self.lane.pop(0) if self.lane else None)
        if item is not None:
            self.taken = [item]

    @precondition(lambda self: self.taken)
    @rule(most=st.integers(1, 5), frames_only=st.booleans())
    def take_run(self, most: int, frames_only: bool) -> None:
        def fits(item: Item) -> bool:
            return not frames_only or isinstance(item, InFrame)

        run = self.box.take_run(self.taken[0], most, fits)
        expected = [self.taken[0]]
        while len(expected) < most and self.lane and fits(self.lane[0]):
            expected.append(self.lane.pop(0))
        assert run == expected
        self.taken = run

    @precondition(lambda self: self.taken and not self.closed)
    @rule(begun=st.integers(0, 5))
    def put_back(self, begun: int) -> None:
        rest = self.taken[begun:]
        self.box.put_back(rest)
        self.lane[:0] = rest
        self.taken = []

    @rule()
    def wait_for_room(self) -> None:
        room = threading.Event()
        self.box.on_room(room.set)
        assert room.is_set() == (self.closed or self.counted() < CAPACITY)
        self.rooms.append(room)

    @precondition(lambda self: any(room.is_set() for room in self.rooms))
    @rule(gives_up=st.booleans())
    def act_on_room(self, gives_up: bool) -> None:
        room = next(room for room in self.rooms if room.is_set())
        self.rooms.remove(room)
        if gives_up:
            self.box.not_on_room(room.set)
        else:
            self.put_message(is_call=False)

    @precondition(lambda self: not all(room.is_set() for room in self.rooms))
    @rule()
    def give_up_waiting(self) -> None:
        room = next(room for room in self.rooms if not room.is_set())
        self.rooms.remove(room)
        self.box.not_on_room(room.set)
        assert not room.is_set()

    @precondition(lambda self: len(self.lane) > 3)
    @rule()
    def close(self) -> None:
        assert self.box.close() == self.lane
        self.lane.clear()
        self.closed = True

    def read_ahead_is_full(self) -> bool:
        frames = self.frames()
        return len(frames) >= MESSAGES or sum(frame.size for frame in frames) >= BYTES

    @invariant()
    def agree(self) -> None:
        assert self.box.queued == len(self.lane)
        assert self.box.messages == self.counted()
        assert (self.box.read_room <= 0) is self.read_ahead_is_full()
        assert self.box.closed is self.closed

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        if self.closed:
            assert all(room.is_set() for room in self.rooms)
        elif self.counted() < CAPACITY and self.rooms:
            assert any(room.is_set() for room in self.rooms)  # who acts on it, see there


TestMailboxModel = MailboxModel.TestCase
TestMailboxModel.settings = settings(max_examples=200, stateful_step_count=40)
