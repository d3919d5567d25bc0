# A mailbox in numbers: what came, and for how long the next has waited.

import threading

import pytest
import trio

from greenroom.actors import _counts as counts
from greenroom.actors import _mailbox as mailbox
from greenroom.actors._lowlevel import LoopThread
from greenroom.actors._mailbox import Mailbox
from greenroom.actors._messages import Call, Cast, InFrame, PeerEnd
from greenroom.actors._overflow import Put


class Clock:
    """Stands until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(counts, "perf_counter", clock)
    monkeypatch.setattr(mailbox, "perf_counter", clock)
    return clock


@pytest.fixture
async def box() -> Mailbox:
    return Mailbox(LoopThread.current(), capacity=10)


def frames(*texts: str) -> list[InFrame]:
    return [InFrame(each, None) for each in texts]


async def test_what_came(box: Mailbox) -> None:
    """
    Frames and their bytes are counted once, however often they are taken and put back.
    """
    box.put_frames(frames("one", "three"))
    box.put_message(Cast("no frame"))
    first = box.take()
    assert first is not None
    box.put_back([first])
    while box.take() is not None:
        pass
    box.put_frames(frames("four"))
    assert (box.frames_in, box.bytes_in) == (3, 12)
    assert box.read_room == 15
    box.close()
    assert (box.frames_in, box.read_room) == (3, 16)


async def test_the_first_that_has_to_wait(box: Mailbox, ticks: Clock) -> None:
    """
    What comes while its actor does something has waited since exactly then.
    """
    assert box.waited(0) is None
    box.put_message(Cast(1))
    ticks.now += 30
    box.put_message(Cast(2))
    assert box.waited(50) == 30
    box.take()
    assert box.waited(ticks.now - 7) == 7  # of what came behind it only that is known
    box.take()
    assert box.waited(50) is None


async def test_an_idle_actor_takes_it_at_once(box: Mailbox, ticks: Clock) -> None:
    """
    What comes for an idle actor waits as long as that does what it was woken for.
    """
    box.idle = True
    box.put_frames(frames("a", "b", "c"))
    box.idle = False
    box.take()
    assert box._waits is None
    assert box.waited(ticks.now - 2) == 2


async def test_a_mark_of_the_loop(box: Mailbox, ticks: Clock) -> None:
    """
    What was there when the loop gave others a turn has waited since then at least.
    """
    box.note_waits(ticks.now)  # there is nothing
    assert box._waits is None
    box.idle = True
    box.put_frames(frames("a", "b"))
    box.put_arrival(PeerEnd(1000, ""))
    box.idle = False
    box.note_waits(ticks.now)
    ticks.now += 5
    box.put_message(Cast("later"))
    box.note_waits(ticks.now)
    ticks.now += 5
    waited: list[float | None] = []
    while box.queued:
        waited.append(box.waited(ticks.now))
        box.take()
    assert waited == [10, 10, 10, 5]


async def test_put_back(box: Mailbox, ticks: Clock) -> None:
    """
    What was taken and is put back has waited since it came.
    """
    box.put_message(Cast(1))
    ticks.now += 4
    item = box.take()
    assert item is not None
    box.put_back([item])
    assert box.waited(ticks.now) == 4
    run = box.take_run(item, 5, lambda _: True)
    assert len(run) == 2
    assert box.waited(ticks.now) is None


async def test_the_oldest_makes_room(ticks: Clock) -> None:
    """
    Where the oldest makes room for the newest, the next has waited since it was there.
    """
    box = Mailbox(LoopThread.current(), capacity=2)
    box.put_message(Cast(1))
    ticks.now += 10
    box.put_message(Cast(2))
    box.note_waits(ticks.now)
    ticks.now += 10
    box.put_over_oldest(Cast(3))
    assert box.waited(ticks.now) == 10


async def test_the_oldest_makes_room_unmarked(ticks: Clock) -> None:
    """
    Where the oldest makes room, the next is not said to have waited as long as its actor is busy.
    """
    box = Mailbox(LoopThread.current(), capacity=2)
    busy_since = ticks.now
    for nth in range(6):  # from the third on, each makes the oldest leave
        ticks.now += 10
        if box.put_message(Cast(nth)) is Put.FULL:
            box.put_over_oldest(Cast(nth))
        waited = box.waited(busy_since)
        assert waited is not None
        assert waited <= 10
    ticks.now += 5
    assert box.waited(busy_since) == 15


async def test_many_threads(box: Mailbox) -> None:
    """
    However many threads put, and whoever makes room, the counts are right in the end.
    """
    left: list[Cast | Call | None] = []
    begun = threading.Barrier(5)

    def put(number: int) -> None:
        begun.wait()
        for nth in range(500):
            item = Cast((number, nth))
            if box.put_message(item) is Put.FULL:
                left.append(box.put_over_oldest(item)[1])

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    taken, came = 0, 0
    while any(thread.is_alive() for thread in threads):
        if came < 400:
            box.put_frames(frames("frame"))
            came += 1
        item = box.take()
        if item is not None and came % 7 == 0:
            box.put_back([item])
            item = None
        taken += item is not None
        assert (box.waited(0) or 0) >= 0
        await trio.lowlevel.cancel_shielded_checkpoint()
    dropped = sum(each is not None for each in left)
    waiting = list(box._lane)
    assert box.messages == sum(type(each) is Cast for each in waiting)
    assert box.frames_in - box._frames_taken == sum(type(each) is InFrame for each in waiting)
    assert box._taken == taken + dropped
    assert taken + dropped + len(waiting) == 2000 + came
