# Asking in a thread beside the one that draws, so that keys are heard while a process is silent.
#
# Nothing queues: what is wanted newly takes the place of what was wanted and is not asked yet, and
# there are never more results than questions in the last two orders.

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Wish = TypeVar("Wish")
Result = TypeVar("Result")


class Fetcher(Generic[Wish, Result]):
    """
    Does what is wished for, one after the other, in a thread of its own.

    Args:
        do: Does one thing; it blocks for a bounded time.
        wake: Called when there is a result; any thread.
    """

    def __init__(self, do: Callable[[Wish], Result], wake: Callable[[], object]) -> None:
        self._do = do
        self._wake = wake
        self._wishes: list[Wish] = []
        self._results: list[tuple[Wish, Result]] = []
        self._now: Wish | None = None
        self._over = False
        self._error: BaseException | None = None
        self._news = threading.Condition()
        # A daemon: what it does may last its whole time, and nobody waits for that at the end.
        self._thread = threading.Thread(target=self._main, name="actors", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        with self._news:
            return self._now is None and not self._wishes

    def want(self, wishes: Sequence[Wish]) -> None:
        """Have *wishes* done that are not begun or done, and nothing of what was wanted before."""
        with self._news:
            done = [wish for wish, _ in self._results]
            self._wishes = [each for each in wishes if each not in (self._now, *done)]
            self._news.notify()

    def take(self) -> list[tuple[Wish, Result]]:
        """Return what was done since; raises what a deed has raised."""
        with self._news:
            results, self._results = self._results, []
            if self._error is not None:
                raise self._error
        return results

    def close(self) -> None:
        """End it when what it does now is done; does not wait for that."""
        with self._news:
            self._over, self._wishes = True, []
            self._news.notify()

    def _main(self) -> None:
        while (wish := self._next()) is not None:
            try:
                result = self._do(wish[0])
            except Exception as error:  # noqa: BLE001 - raised where the results are taken
                with self._news:
                    self._error = error
                self._wake()
                return
            with self._news:
                if self._over:
                    return
                self._results.append((wish[0], result))
            self._wake()

    def _next(self) -> list[Wish] | None:
        with self._news:
            self._now = None
            # Unbounded: it waits for somebody to press a key, and is a daemon.
            self._news.wait_for(lambda: self._over or self._wishes)
            if self._over:
                return None
            self._now = self._wishes.pop(0)
            return [self._now]
