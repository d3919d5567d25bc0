# The mailbox: two lanes, three kinds of bounds, and threads that put.

import functools
import threading
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.actors._lowlevel import LoopThread, Parker
from greenroom.actors._mailbox import Mailbox, wake_from_thread
from greenroom.actors._messages import Call, Cast, InFrame, Item, PeerEnd, Stop, Tick
from greenroom.actors._overflow import Overflow, Put
from greenroom.actors._reply import Reply
from greenroom.actors._timers import Timer


@pytest.fixture
async def box() -> Mailbox:
    return Mailbox(LoopThread.current(), capacity=3, read_ahead_messages=2, read_ahead_bytes=10)


def text(content: str) -> InFrame:
    return InFrame(content, None)


def call(content: str) -> Call:
    return Call(content, Reply(lambda: None))


def tick() -> Tick:
    return Tick(Timer(None, "tick", None, None))


def taken(box: Mailbox) -> list[Item]:
    found: list[Item] = []
    while (item := box.take()) is not None:
        found.append(item)
    return found


async def test_fifo(box: Mailbox) -> None:
    """
    Frames, casts, calls and ticks are taken in the one order in which they came.
    """
    items: list[Item] = [text("a"), Cast("b"), tick(), call("c"), text("d"), PeerEnd(1000, "")]
    for item in items:
        if isinstance(item, (Cast, Call)):
            assert box.put_message(item) is Put.TAKEN
        elif isinstance(item, InFrame):
            box.put_frames((item,))
        else:
            assert box.put_arrival(item)

    assert box.queued == 6
    assert taken(box) == items
    assert box.queued == 0


async def test_control(box: Mailbox) -> None:
    """
    A control item is never refused, stays out of the FIFO and wakes the actor.
    """
    for number in range(3):
        box.put_message(Cast(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.parker.park)
        await wait_all_tasks_blocked()
        box.put_control(stop := Stop("now", 1000))

    assert list(box.control) == [stop]
    assert box.queued == 3


async def test_no_loss(box: Mailbox) -> None:
    """
    An actor that is cancelled in the tick its message arrives leaves it in the mailbox.
    """
    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:

        async def actor() -> None:
            with scope:
                await box.parker.park()

        nursery.start_soon(actor)
        await wait_all_tasks_blocked()
        scope.cancel()
        box.put_message(item := Cast("hello"))

    assert taken(box) == [item]


async def test_what_was_not_begun_goes_back_to_the_front(box: Mailbox) -> None:
    """
    Items that were taken and not begun are taken next, in their old order.
    """
    first, second, third = Cast(1), text("2"), Cast(3)
    box.put_message(first)
    box.put_frames((second,))
    box.put_message(third)
    head = box.take()
    assert head is first
    run = box.take_run(head, 10, lambda _item: True)
    box.put_message(last := Cast(4))
    box.put_back(run[1:])

    assert run == [first, second, third]
    assert (box.messages, box.queued) == (2, 3)
    assert taken(box) == [second, third, last]


async def test_a_run_ends_where_one_does_not_fit(box: Mailbox) -> None:
    """
    take_run() takes as many as it may, and stops at the first that does not fit.
    """
    items = [Cast(number) for number in range(3)]
    for item in items:
        box.put_message(item)
    head = box.take()
    assert head is not None

    assert box.take_run(head, 2, lambda _item: True) == items[:2]
    assert box.take_run(items[1], 5, lambda _item: False) == [items[1]]
    assert taken(box) == [items[2]]


async def test_bounded(box: Mailbox) -> None:
    """
    Messages fill the capacity; frames and ticks do not count against it.
    """
    for number in range(3):
        box.put_frames((text(str(number)),))
        box.put_arrival(tick())
        assert box.put_message(Cast(number)) is Put.TAKEN

    assert box.messages == 3
    assert box.put_message(Cast("more")) is Put.FULL
    box.take()  # the frame
    box.take()  # the tick
    assert box.put_message(Cast("more")) is Put.FULL
    box.take()
    assert box.put_message(Cast("more")) is Put.TAKEN


@pytest.mark.parametrize("frames", [["a", "b"], ["0123456789"], ["é" * 10]])
async def test_bounded_read_ahead(box: Mailbox, frames: list[str]) -> None:
    """
    The read-ahead is full by number or by size, whichever comes first, and empties again.
    """
    for frame in frames[:-1]:
        box.put_frames((text(frame),))
        assert box.read_room > 0
    box.put_frames((text(frames[-1]),))

    assert box.read_room <= 0
    box.take()
    assert box.read_room > 0


async def test_the_read_ahead_counts_bytes(box: Mailbox) -> None:
    """
    A text frame counts with its bytes on the wire, not with its characters.
    """
    box.put_frames((text("\u6f22\u5b57\u6f22"),))
    assert box.read_room > 0  # 9 bytes of 10
    box.take()
    box.put_frames((text("\u6f22\u5b57\u6f22\u5b57"),))
    assert box.read_room <= 0  # 12 bytes


async def test_the_reader_waits_for_room(box: Mailbox) -> None:
    """
    wait_read_room() returns once a frame was taken, and not when a message was.
    """
    box.put_message(Cast("first"))
    box.put_frames((text("a"),))
    box.put_frames((text("b"),))
    read_on = trio.Event()
    async with trio.open_nursery() as nursery:

        async def reader() -> None:
            await box.wait_read_room()
            read_on.set()

        nursery.start_soon(reader)
        await wait_all_tasks_blocked()
        box.take()
        await wait_all_tasks_blocked()
        assert not read_on.is_set()
        box.take()
        await read_on.wait()


async def test_a_run_lets_the_reader_read_on(box: Mailbox) -> None:
    """
    Frames that leave in a run make room for the reader too.
    """
    frames = [text("a"), text("b")]
    for frame in frames:
        box.put_frames((frame,))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.wait_read_room)
        await wait_all_tasks_blocked()
        with box._lock:
            head = box._lane[0]
        box.take_run(Cast("before"), 5, lambda _item: True)

    assert head is frames[0]
    assert box.queued == 0


async def test_threads_and_the_actor_lose_nothing(box: Mailbox) -> None:
    """
    Threads that push the oldest out while the actor takes: each message goes one way, once.
    """
    pushed_out: list[Item] = []
    sent = [[Cast(number) for number in range(3000)] for _ in range(3)]

    def send(casts: list[Cast]) -> None:
        for cast in casts:
            _, oldest = box.put_over_oldest(cast)
            if oldest is not None:
                pushed_out.append(oldest)

    threads = [threading.Thread(target=send, args=(casts,)) for casts in sent]
    for thread in threads:
        thread.start()
    got: list[Item] = []
    while any(thread.is_alive() for thread in threads):
        got += taken(box)
    got += taken(box)

    assert box.messages == 0
    everything = [item for item in [*got, *pushed_out] if isinstance(item, Cast)]
    assert len(everything) == len({id(item) for item in everything}) == 9000
    for casts in sent:
        mine = {id(cast): number for number, cast in enumerate(casts)}
        numbers = [mine[id(item)] for item in got if id(item) in mine]
        assert numbers == sorted(numbers)


async def test_senders_wait_for_room(box: Mailbox) -> None:
    """
    wait_room() returns at once while there is room, and else when a message is taken.
    """
    with trio.fail_after(5):
        await box.wait_room()
    for number in range(3):
        box.put_message(Cast(number))
    came = trio.Event()
    async with trio.open_nursery() as nursery:

        async def sender() -> None:
            await box.wait_room()
            came.set()

        nursery.start_soon(sender)
        await wait_all_tasks_blocked()
        assert not came.is_set()
        box.take()
        await came.wait()


async def test_a_message_that_leaves_wakes_one_sender(box: Mailbox) -> None:
    """
    Senders are woken one for each message that leaves, in order; who gave up passes it on.
    """
    woken: list[int] = []
    for number in range(3):
        box.put_message(Cast(number))
    wakes = [functools.partial(woken.append, number) for number in range(4)]
    for wake in wakes:
        box.on_room(wake)

    box.take()
    assert woken == [0]
    box.not_on_room(wakes[1])
    box.not_on_room(wakes[0])  # it was woken, and gave up in that very moment
    assert woken == [0, 2]
    box.put_message(Cast("by who was woken"))
    box.not_on_room(wakes[2])  # too late: the room is taken
    assert woken == [0, 2]
    box.take()
    assert woken == [0, 2, 3]


async def test_a_cancelled_sender_passes_its_room_on(box: Mailbox) -> None:
    """
    A sender that is cancelled in the tick in which it is woken costs the next one nothing.
    """
    for number in range(3):
        box.put_message(Cast(number))
    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()

        async def give_up() -> None:
            with first:
                await box.wait_room()

        nursery.start_soon(give_up)
        await wait_all_tasks_blocked()
        nursery.start_soon(box.wait_room)
        await wait_all_tasks_blocked()
        first.cancel()
        box.take()
        with trio.fail_after(5):
            while nursery.child_tasks:
                await trio.lowlevel.checkpoint()


async def test_the_oldest_message_makes_room(box: Mailbox) -> None:
    """
    put_over_oldest() drops the oldest cast or call, never a frame or a tick.
    """
    box.put_frames((frame := text("f"),))
    box.put_arrival(ticked := tick())
    oldest, second, third = Cast(1), call("2"), Cast(3)
    for item in (oldest, second, third):
        box.put_message(item)

    assert box.put_over_oldest(new := Cast(4)) == (Put.TAKEN, oldest)
    assert taken(box) == [frame, ticked, second, third, new]
    assert box.put_over_oldest(again := Cast(5)) == (Put.TAKEN, None)
    assert taken(box) == [again]


async def test_closed(box: Mailbox) -> None:
    """
    A closed mailbox takes nothing, gives back what waited, and frees all who wait.
    """
    for number in range(3):
        box.put_message(Cast(number))
    box.put_frames((text("a"),))
    box.put_frames((text("b"),))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.wait_read_room)
        nursery.start_soon(box.wait_room)
        await wait_all_tasks_blocked()
        rest = box.close()

    assert len(rest) == 5
    assert box.closed
    assert box.put_message(Cast("late")) is Put.CLOSED
    assert box.put_over_oldest(Cast("late")) == (Put.CLOSED, None)
    assert box.put_frames((text("late"),))  # the reader may go on: nobody wants it
    assert (box.queued, box.messages, box.take()) == (0, 0, None)
    with trio.fail_after(5):
        await box.wait_room()
        await box.wait_read_room()


async def test_messages_from_threads_keep_each_senders_order() -> None:
    """
    Four threads put at once: nothing is lost, and each one's messages are in its order.
    """
    box = Mailbox(LoopThread.current(), capacity=10_000)
    start = threading.Barrier(4)

    def put(sender: int) -> None:
        start.wait()
        for number in range(500):
            assert box.put_message(Cast((sender, number))) is Put.TAKEN

    async with trio.open_nursery() as nursery:
        for sender in range(4):
            nursery.start_soon(trio.to_thread.run_sync, put, sender)

    messages: list[Any] = [item.message for item in taken(box)]
    assert len(messages) == 2000
    for sender in range(4):
        assert [n for who, n in messages if who == sender] == list(range(500))


async def test_a_thread_wakes_the_actor(box: Mailbox) -> None:
    """
    A message put by a thread wakes the parked actor.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.parker.park)
        await wait_all_tasks_blocked()
        assert await trio.to_thread.run_sync(box.put_message, Cast("x")) is Put.TAKEN


def test_a_wake_after_the_loop_is_quiet() -> None:
    """
    A thread that outlives the loop wakes nobody, and hears no complaint.
    """

    async def main() -> LoopThread:
        await trio.lowlevel.checkpoint()
        return LoopThread.current()

    wake_from_thread(trio.run(main), Parker())


async def test_repr_shows_the_state(box: Mailbox) -> None:
    """
    The repr counts what waits and says when it is closed.
    """
    box.put_message(Cast(1))
    box.put_frames((text("a"),))
    assert repr(box) == "<Mailbox 2 queued, 1/3>"
    box.close()
    assert repr(box) == "<Mailbox 0 queued, 0/3 closed>"


def test_overflow_policies_are_words() -> None:
    """
    A policy may be given as its word; an unknown one is refused.
    """
    assert Overflow("drop_oldest") is Overflow.DROP_OLDEST
    with pytest.raises(ValueError, match="explode"):
        Overflow("explode")
