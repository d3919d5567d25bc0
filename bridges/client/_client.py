# The actor that holds one connection to a WebSocket server, and makes it anew.
#
# Reconnecting is what supervision does: the loss of the connection is a crash, an expected
# one, and the slot's backoff is the pause before the next attempt. There is no second
# loop of retries in here, and no state that survives in it.

from __future__ import annotations

import functools
import threading
from collections.abc import Awaitable
from typing import Any, ClassVar, cast

from ...actors import Actor, CallFailed, Disconnected
from ...actors._awaitables import DONE, Room
from ...actors._batch import wait_in_thread
from ...actors._handlers import HandlerTable
from ...actors._messages import Call, Cast, Tick
from ...actors._ports import Connection
from ...actors.consumers._frames import frame_of
from ._errors import ConnectionLost
from ._handlers import ClientTable
from ._output import Output
from ._plan import ClientSettings, plan_of
from ._session import Session


class WebsocketClient(ClientSettings, Actor, runtime=True):
    """
    A resident actor with a connection to a WebSocket server elsewhere.

    It dials when it has started and whenever the connection is lost: at once, then with
    growing pauses (the tree's backoff), for ever. A server that is down does not keep the
    tree from starting. Where to connect and its limits are class attributes; see
    `ClientSettings`. Hooks, each ``def`` or ``async def``, parameters matched by name:

    ``connected(subprotocol)``
        There is a new connection: the place to subscribe, log in, start tasks that send.
    ``receive(text, bytes)``
        A message has come; ``text`` is None for a binary one, ``bytes`` for a text one.
    ``disconnected(code, reason)``
        The connection that was there is lost, behind what came over it; next is a new
        incarnation. It does not run after a crash (see ``restarted``) or a stop (see
        ``stopped``): they close the connection.

    The loss is a crash of kind `ConnectionLost`: timers and tasks end with it and belong
    into ``started`` or ``connected``; what is to survive is named in ``keep``. A crash of
    a handler closes the connection too, and what was read over it and not handled yet
    is a dead letter. Raise `ConnectionLost` to connect anew; ``self.stop()`` ends it all.
    """

    __slots__ = ("_session",)

    restart: ClassVar[str] = "transient"
    """A lost connection is made again; ``self.stop()`` is the end."""
    max_restarts: ClassVar[int | None] = None
    """No limit: there is no number of attempts after which to give up a server."""
    max_seconds: ClassVar[float] = 60.0
    """After a connection of this many seconds the next attempt is made at once again."""
    expected_errors: ClassVar[tuple[type[BaseException], ...]] = (ConnectionLost,)

    _session: Session  # of this incarnation, once it has started

    @classmethod
    @functools.cache
    def handler_table(cls) -> HandlerTable:
        """Return the compiled handlers of this class."""
        return ClientTable(
            cls,
            cls._special,
            dial=cls._dial,
            unheard=cls._unheard,
            unsent=cls._unsent,
        )

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known. Any thread."""
        session = self._current()
        return session is not None and session.output.open

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server chose, if it did. Any thread."""
        session = self._current()
        return session and session.subprotocol

    def send(self, text: str | None = None, bytes: bytes | None = None) -> Awaitable[None]:
        """
        Send one message, a text or a binary one, at the call and in order. Any thread.

        On trio the awaitable waits for room when much output waits already; without
        ``await`` nothing is lost but that wait. In a worker thread the call itself waits
        then. A cancellation while it waits leaves the message to be sent.

        Raises:
            Disconnected: There is no connection. Where this escapes a handler, the message
                it handled is a dead letter, and the actor goes on.
            TypeError: Not exactly one of *text* and *bytes* was given.
            Stale: This incarnation is over.
        """
        life = self._bound()
        here = life.guard()
        frame = frame_of(text, bytes)
        session = self._current()
        if session is None or not session.output.send(frame):
            raise Disconnected(self.path, 1006, "there is none at the moment")
        output = session.output
        if not output.full:
            return self._answer(DONE)
        if here:
            # Of a Connection it uses no more than what an output has.
            return self._answer(Room(cast("Connection", output)))
        room = threading.Event()
        output.on_room(room.set)
        # Bounded by the connection, whose end is room too; pings find the end.
        wait_in_thread(room, threading.TIMEOUT_MAX)
        return DONE

    # -- inside ---------------------------------------------------------------------------

    def _current(self) -> Session | None:
        return getattr(self, "_session", None)

    def _dial(self) -> None:
        life = self._bound()
        # Within the time that the slot gives its tasks to end, or it is called unkillable.
        plan = plan_of(self, most_close_seconds=0.8 * life.host.shutdown_seconds)
        output = Output(
            life.host.loop,
            high_water_bytes=self.output_high_water_bytes,
            limit_bytes=self.output_limit_bytes,
        )
        self._session = Session(life, plan, output, life.host.outgoing())
        life.tasks.start(self._session.run)

    def _unheard(self, frame: Any) -> None:
        self._bound().host.dead_letter(frame, "the class has no receive handler")

    def _unsent(self, item: Any, error: Exception) -> None:
        life = self._bound()
        host = life.host
        if life.deferred is not None:
            life.deferred.drop(life.handled)
        message = item.message if isinstance(item, (Cast, Call, Tick)) else item
        host.dead_letter(message, "its handler sent without a connection")
        if isinstance(item, Call):
            failure = CallFailed(host.path, str(error))
            failure.__cause__ = error
            if host.loop.is_here():
                item.reply.fail(failure)
            else:  # and so before the thread says that it is done, which would be a reply
                host.loop.call_soon(item.reply.fail, failure)
