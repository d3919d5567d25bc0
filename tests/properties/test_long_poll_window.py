# The window of a long-polling session, and the numbers of its client's messages, against models.

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.actors.consumers import Frame
from greenroom.bridges.longpoll._inbox import Arrival, Inbox
from greenroom.bridges.longpoll._window import BadAcknowledgement, Window


class WindowModel(RuleBasedStateMachine):
    """A window beside a list of all that was ever sent; the client's part is played as well."""

    drop = False

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(messages=4, size=20, drop_oldest=self.drop)
        self.sent: list[bytes] = []
        self.acknowledged = 0
        self.got: dict[int, bytes] = {}
        self.told_lost: set[int] = set()

    @rule(size=st.integers(0, 25))
    def append(self, size: int) -> None:
        frame = Frame.of_bytes(bytes(size))
        before = len(self.window), self.window.bytes
        if self.window.append(frame):
            self.sent.append(bytes(size))
        else:
            assert not self.drop
            assert before[0] == 4 or before[1] + size > 20
            assert before == (len(self.window), self.window.bytes)

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.sent)))
        self.window.acknowledge(number)
        self.acknowledged = max(self.acknowledged, number)

    @rule(ahead=st.integers(1, 3))
    def acknowledge_what_was_never_sent(self, ahead: int) -> None:
        try:
            self.window.acknowledge(len(self.sent) + ahead)
        except BadAcknowledgement:
            return
        raise AssertionError("it was taken")

    @rule()
    def poll(self) -> None:
        found = self.window.unacknowledged()
        for number, frame in found.messages:
            assert frame.data == self.sent[number - 1]
            self.got[number] = frame.data
        if found.lost is not None:
            self.told_lost |= set(range(found.lost[0], found.lost[1] + 1))

    @invariant()
    def numbered_and_kept(self) -> None:
        assert self.window.last == len(self.sent)
        found = self.window.unacknowledged()
        numbers = [number for number, _ in found.messages]
        lost = set(range(found.lost[0], found.lost[1] + 1)) if found.lost else set[int]()
        # What is not acknowledged is there, or named as lost: nothing is missing in silence.
        assert lost | set(numbers) == set(range(self.acknowledged + 1, len(self.sent) + 1))
        assert numbers == sorted(numbers)
        assert not lost & set(numbers)
        if not self.drop:
            assert not lost
        assert self.window.has_news is bool(lost or numbers)

    @invariant()
    def bounded(self) -> None:
        assert len(self.window) <= 4
        assert self.window.bytes <= 20 or len(self.window) == 1
        kept = self.window.unacknowledged().messages
        assert self.window.bytes == sum(frame.size for _, frame in kept)

    @precondition(lambda self: self.sent)
    @rule()
    def clear(self) -> None:
        self.window.clear()
        self.acknowledged = len(self.sent)


class DroppingModel(WindowModel):
    """The same where the oldest make room."""

    drop = True


TestWindow = WindowModel.TestCase
TestDropping = DroppingModel.TestCase


@given(st.lists(st.lists(st.integers(1, 8), max_size=6), max_size=20))
def test_each_number_is_taken_once_and_in_order(requests: list[list[int]]) -> None:
    """
    Whatever a client sends, and sends again: 1, 2, 3 ... each once.
    """
    inbox, taken = Inbox(), list[int]()
    for request in requests:
        for number in request:
            arrival = inbox.look(number)
            if arrival is Arrival.AHEAD:
                assert number > len(taken) + 1
                break
            if arrival is Arrival.NEXT:
                inbox.take(number)
                taken.append(number)
            else:
                assert number in taken
    assert taken == list(range(1, len(taken) + 1))
    assert inbox.received == len(taken)
