# One connection's error must not end the server.
#
# hypercorn 0.18 runs its connections in one nursery, so what one of them raises outside of
# the application ends them all, and the process with status 0: a malformed request
# (hypercorn#225, #329), or a view whose header h11 refuses to write, since hypercorn then
# tries to send an error page on a connection that is beyond sending.
#
# Its trio worker looks the name TCPServer up when it begins to serve, after it has imported
# the application. So replacing the name on import covers every way of starting it.

import logging
from collections.abc import Sequence
from typing import Any, cast

import hypercorn.trio.run
from hypercorn.trio.tcp_server import TCPServer

logger = logging.getLogger("greenroom.hypercorn")


class GuardedTCPServer(TCPServer):
    """hypercorn's connection, whose errors are logged and end nothing but itself."""

    async def run(self) -> None:
        """
        Serve the connection to its end. Always a checkpoint.

        A cancellation goes through, and so does what is no Exception (Ctrl-C).
        """
        try:
            await super().run()
        except Exception as error:  # noqa: BLE001  # whatever it is, the others go on
            self._report(error)
        except BaseExceptionGroup as group:
            errors, rest = group.split(Exception)
            if errors is not None:
                self._report(errors)
            if rest is not None:
                raise rest from None

    def _report(self, error: Exception) -> None:
        logger.error(
            "a connection ended by an error between hypercorn and its peer; the others go on: %s",
            _first(error),
            exc_info=error,
        )


def _first(error: BaseException) -> str:
    inner = cast("Sequence[BaseException]", getattr(error, "exceptions", ()))
    return _first(inner[0]) if inner else f"{type(error).__name__}: {error}"


def guard() -> None:
    """Have hypercorn's trio worker use guarded connections. A second call does nothing."""
    module = cast("Any", hypercorn.trio.run)
    if module.TCPServer is TCPServer:
        module.TCPServer = GuardedTCPServer
