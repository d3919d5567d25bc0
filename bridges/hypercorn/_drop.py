# Dropping a peer that does not read, which the ASGI interface has no word for; and
# hearing of one that is gone, where hypercorn is silent.
#
# hypercorn 0.18 shields its writes to a socket: one to a peer that never reads ends by
# no cancellation and no deadline. Such a peer kept its connection for ever, and with it
# the whole server after SIGTERM. So the socket is looked for where hypercorn keeps it,
# along the bound methods that it gives to the application,
#
#   send -> WSStream or HTTPStream -> H11Protocol -> TCPServer -> stream,
#
# and closed with a reset, which hypercorn takes as the peer's own end. Where the chain
# is another one (HTTP/2, whose connection others share, a `send` that somebody has
# wrapped, another hypercorn) nothing is done and the caller is told. So this can be imported,
# and asked, whatever hypercorn is installed.

import socket
import struct
from collections.abc import Callable
from typing import Any, cast

import trio

from ._internals import find

_H11Protocol: type = find("hypercorn.protocol.h11", "H11Protocol")
_TCPServer: type = find("hypercorn.trio.tcp_server", "TCPServer")
_WSStream: type = find("hypercorn.protocol.ws_stream", "WSStream")
_RESET = struct.pack("ii", 1, 0)  # linger for 0 seconds: what is unsent is thrown away


def drop(send: Callable[..., object]) -> bool:
    """
    Reset the connection that *send*, the application's, writes to; whether that could be done.

    Loop thread only, not a checkpoint. Doing it again does no harm.
    """
    protocol = _owner(getattr(_owner(send), "send", None))
    server = _owner(getattr(protocol, "send", None))
    if not isinstance(protocol, _H11Protocol) or not isinstance(server, _TCPServer):
        return False
    stream = getattr(server, "stream", None)
    if isinstance(stream, trio.SSLStream):
        stream = cast("Any", stream).transport_stream
    if not isinstance(stream, trio.SocketStream):
        return False
    if stream.socket.fileno() >= 0:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        stream.socket.close()
    return True


def given_up(send: Callable[..., object]) -> bool:
    """
    Whether hypercorn has given up the WebSocket of *send*, which it need not have told.

    Who sends data before the handshake is answered gets a 400; the application is not
    told, and what it sends is thrown away. Not a checkpoint; False for other servers.
    """
    stream = _owner(send)
    return isinstance(stream, _WSStream) and bool(getattr(stream, "closed", False))


def _owner(method: object) -> object:
    return getattr(method, "__self__", None)
