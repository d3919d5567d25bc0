# Asking beside the thread that draws.

import threading

import pytest

from greenroom.bridges.django.terminal._fetching import Fetcher

SECONDS = 30.0


class Slow:
    """What is done, one thing at a time, each when the test lets it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.news = threading.Condition()
        self.let = threading.Semaphore(0)
        self.woken = threading.Semaphore(0)

    def do(self, wish: str) -> str:
        with self.news:
            self.begun.append(wish)
            self.news.notify_all()
        assert self.let.acquire(timeout=SECONDS)
        if wish == "bad":
            raise ValueError("as told")
        return wish.upper()

    def until_begun(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.begun) == count, SECONDS)


@pytest.fixture
def slow() -> Slow:
    """
    Something that takes as long as the test wants.
    """
    return Slow()


def test_the_newest_wish_counts(slow: Slow) -> None:
    """
    What is wanted newly takes the place of what is not begun; what is begun is done, once.
    """
    fetcher = Fetcher(slow.do, slow.woken.release)
    fetcher.want(["a", "b", "c"])
    slow.until_begun(1)

    fetcher.want(["a", "d"])
    slow.let.release()
    slow.until_begun(2)
    assert slow.woken.acquire(timeout=SECONDS)
    fetcher.want(["a", "d"])  # "a" is done and not taken yet
    slow.let.release()
    assert slow.woken.acquire(timeout=SECONDS)

    assert fetcher.take() == [("a", "A"), ("d", "D")]
    assert slow.begun == ["a", "d"]
    fetcher.close()


def test_an_error_is_raised_where_results_are_taken(slow: Slow) -> None:
    """
    What asking raises ends the command, and not a thread that nobody looks at.
    """
    fetcher = Fetcher(slow.do, slow.woken.release)
    slow.let.release()
    fetcher.want(["bad"])
    assert slow.woken.acquire(timeout=SECONDS)

    with pytest.raises(ValueError, match="as told"):
        fetcher.take()


def test_it_ends(slow: Slow) -> None:
    """
    Closed, it begins nothing more, and its thread ends with what it does.
    """
    fetcher = Fetcher(slow.do, slow.woken.release)
    fetcher.want(["a", "b"])
    slow.until_begun(1)

    fetcher.close()
    slow.let.release()
    fetcher._thread.join(SECONDS)
    assert not fetcher._thread.is_alive()
    assert slow.begun == ["a"]
