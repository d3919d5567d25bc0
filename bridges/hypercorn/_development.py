# What Django's `runserver` takes for its server (`server_cls`): the socket is bound when it is
# made, so that a port in use is Django's own line, and listens, so that a browser that comes while
# the application starts waits and is not turned away. `serve_forever` runs trio in the thread that
# calls it, which is the autoreloader's.

import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, cast

import hypercorn.trio
import trio
from hypercorn.config import Config, Sockets

from ...actors._lowlevel import LoopThread
from ._serve import LifespanFailureError, ServeError, first_of

GRACE_SECONDS = 1.5  # for open requests; less than the reloader's patience


class ListeningConfig(Config):
    """hypercorn's settings for a socket that listens already."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__()
        self._listening = listening

    def create_sockets(self) -> Sockets:
        return Sockets([], [self._listening], [])


class DevelopmentServer:
    """One hypercorn on trio, in this thread, until `stop`."""

    def __init__(self, address: tuple[str, int], _handler: object, *, ipv6: bool = False) -> None:
        self.ended = threading.Event()
        self._asked = threading.Event()
        self._tell: Callable[[], object] = lambda: None
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(address)
            self._socket.listen()
        except OverflowError as error:  # of no port; Django has a line for an OSError
            self._socket.close()
            raise OSError(str(error)) from error
        except BaseException:
            self._socket.close()
            raise
        self.server_port: int = self._socket.getsockname()[1]

    def set_app(self, application: Callable[..., Any]) -> None:
        """Say what to serve."""
        self._application = application

    def stop(self) -> None:
        """Have it end. Any thread; at once, also when it has not begun or is over."""
        self._asked.set()
        self._tell()

    def serve_forever(self) -> None:
        """
        Serve until `stop`, or a signal if this is the main thread. Blocks.

        Raises:
            KeyboardInterrupt: it was SIGINT, and everything has ended.
            ServeError: the application did not start.
        """
        config = ListeningConfig(self._socket)
        config.loglevel = "WARNING"  # no second "Running on": Django has said it
        config.graceful_timeout = GRACE_SECONDS
        try:
            number = trio.run(self._serve, config)
        except* LifespanFailureError as group:
            raise ServeError(f"the application did not start: {first_of(group)}") from None
        finally:
            self._socket.close()  # hypercorn has, unless the application did not start
            self.ended.set()
        if number == signal.SIGINT:
            raise KeyboardInterrupt

    async def _serve(self, config: Config) -> int:
        loop, stop, got = LoopThread.current(), trio.Event(), [0]
        self._tell = lambda: loop.call_soon(stop.set, idempotent=True)
        if self._asked.is_set():
            return 0

        def told(number: int, _frame: object) -> None:
            got[0] = number
            self._tell()

        main = threading.current_thread() is threading.main_thread()
        signals = (signal.SIGINT, signal.SIGTERM) if main else ()
        before = {number: signal.signal(number, told) for number in signals}
        try:
            run: Callable[..., Awaitable[None]] = cast("Any", hypercorn.trio).serve
            await run(self._application, config, shutdown_trigger=stop.wait, mode="asgi")
        finally:
            self._tell = lambda: None
            for number, handler in before.items():
                signal.signal(number, handler)
        return got[0]
