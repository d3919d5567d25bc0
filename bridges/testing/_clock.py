# A virtual clock that knows of worker threads, and of the asyncio loop beside trio.
#
# trio's MockClock jumps to the next deadline when all tasks are blocked. A task that
# waits for a thread is blocked too, so with `def` handlers the plain clock jumps over
# the handler's deadline while the handler runs. This one stands still meanwhile.

from collections.abc import Callable

from trio.testing import MockClock

from ...actors._lowlevel import calls_wait, current_clock, inside_trio
from ...actors._threads import threads_busy
from ..asgiref._rest import side_loops_busy

_LOOK_SECONDS = 0.001  # of real time, between two looks at busy threads


def virtual_clock() -> MockClock:
    """
    Return a clock for ``trio.run``, or a pytest-trio fixture, whose waits take no time.

    It jumps to the next deadline when every task is blocked, no worker thread of a pool is
    working or leaves one that is closed, and no asyncio loop beside trio has anything to do. A
    thread that itself waits for virtual time to pass would wait for ever: such a test takes
    trio's ``MockClock`` and moves it by hand.

    Raises:
        RuntimeError: This version of trio keeps its clock's inside elsewhere.
    """
    clock = MockClock(autojump_threshold=_LOOK_SECONDS)
    jump = getattr(clock, "_autojump", None)
    if jump is None:
        raise RuntimeError("this trio's MockClock has no _autojump: use MockClock by hand")

    def jump_unless_busy() -> None:
        # In this order: a thread tells the loop first, and is at rest afterwards.
        # A loop of asyncio has threads work for it and is told by them: looked at on both sides.
        if side_loops_busy() or threads_busy() or side_loops_busy() or calls_wait():
            return
        jump()

    clock._autojump = jump_unless_busy  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return clock


def gate(clock: MockClock, may_jump: Callable[[], bool]) -> None:
    """Have *clock*, which :func:`virtual_clock` made, jump only while *may_jump* says so."""
    jump: Callable[[], None] = clock._autojump  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def jump_if_it_may() -> None:
        if may_jump():
            jump()

    clock._autojump = jump_if_it_may  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def for_this_loop(clock: MockClock | None) -> MockClock | None:
    """
    Return *clock* for a server whose test runs on asyncio; None on trio, which has a clock.

    Raises:
        TypeError: On trio, and it is another one.
    """
    if clock is None or not inside_trio():
        return clock
    if current_clock() is not clock:
        raise TypeError(
            "greenroom_clock is not the clock of this test's loop. pytest-trio takes it if the test"
            " names it. For anyio write a fixture: def anyio_backend(greenroom_clock):"
            " return 'trio', {'clock': greenroom_clock}"
        )
    return None
