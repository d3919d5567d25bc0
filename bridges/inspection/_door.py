# A socket in the directory: made, shown to be alive, made again where somebody has taken it away.

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

import trio

from ._directory import door_name, prepare
from ._identity import ProcessId

BACKLOG = 128
HEARTBEAT_SECONDS = 5.0

_CREDENTIALS = struct.Struct("3i")  # pid, user, group: see unix(7)

_listening: WeakSet[socket.socket] = WeakSet()
"""What this process listens at."""


class OwnDoor:
    """
    The socket at which one tree answers.

    Args:
        directory: Where it is.
        process: Whose it is.
    """

    def __init__(self, directory: Path, process: ProcessId) -> None:
        self.path = directory / door_name(process)
        self._directory = directory

    async def open(self) -> trio.socket.SocketType:
        """
        Return the socket, which listens. A checkpoint.

        It has its name only when it listens: who finds one where nobody does takes it away.

        Raises:
            NoDirectory: The directory can't be used.
            OSError: The socket can't be made there.
        """
        prepare(self._directory)
        begun = self.path.with_name(f"{self.path.name}.new")
        begun.unlink(missing_ok=True)
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener = trio.socket.from_stdlib_socket(plain)
        _listening.add(plain)
        try:
            await listener.bind(os.fspath(begun))
            begun.chmod(0o600)
            listener.listen(BACKLOG)
            begun.rename(self.path)
        except BaseException:
            listener.close()
            begun.unlink(missing_ok=True)
            raise
        return listener

    @property
    def heartbeat(self) -> float | None:
        """When its loop has shown life last, in seconds since 1970; None if its name has gone."""
        try:
            return self.path.lstat().st_mtime
        except OSError:
            return None

    def close(self) -> None:
        """Take the socket's name away."""
        self.path.unlink(missing_ok=True)

    async def beat(self) -> None:
        """
        Show that the loop runs, every few seconds, until the socket's name has gone.

        Whoever tidies the directory up (its user logs out, old files are removed) takes the name
        away, and nobody can connect any more.
        """
        while True:
            await trio.sleep(HEARTBEAT_SECONDS)
            try:
                os.utime(self.path)
            except OSError:
                return


def user_of(peer: socket.socket | trio.socket.SocketType) -> int | None:
    """Return the user at the other end; None where the system does not say."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None  # the directory is its user's alone all the same
    return _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))[1]


def pid_of(peer: socket.socket) -> int | None:
    """Return the process at the other end, as this one numbers them; None if it can't be told."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    return _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))[0]


def is_own(peer: socket.socket | trio.socket.SocketType) -> bool:
    """Say whether this process's user, or root, is at the other end."""
    return user_of(peer) in (None, 0, os.getuid())


def _hang_up() -> None:
    """
    Listen no more, in a child that was forked.

    It would answer nobody, and who asks would take its parent for stuck once that has ended: as
    long as anybody has the socket open, connecting does not tell that nobody is there.
    """
    for each in list(_listening):
        with suppress(OSError):
            each.close()
    _listening.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_hang_up)
