# A connection whose address, user or class may have only so many: its places, from the handshake
# to its end.
#
# They are taken before the slot is made, and before it is asked whose connection it is, which
# may take a while: a thousand handshakes at once are counted, too.

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

from ...actors import Actor
from ...supervisor import Root
from ...supervisor._caps import Claim, claims_of_address, claims_of_user
from ...supervisor._connection_limits import ConnectionLimits

Scope = MutableMapping[str, Any]
Place = tuple[Root, str, type[Actor], dict[str, Any], Scope]

logger = logging.getLogger("greenroom")

NO_USERS = (
    "connections_per_user is set, and nobody says whose connection it is: serve it with"
    " greenroom.bridges.django.Greenroom, or give Application(user_key=...) an async function of"
    " the scope."
)


class Places:
    """
    Those of one connection of *actor* with *scope*, counted by *limits*. Loop thread only.

    Whoever has called :meth:`take` calls :meth:`release`, whatever came of it.
    """

    __slots__ = ("_actor", "_held", "_limits", "_root", "_scope")

    def __init__(
        self, root: Root, actor: type[Actor], limits: ConnectionLimits, scope: Scope
    ) -> None:
        self._root, self._actor, self._limits, self._scope = root, actor, limits, scope
        self._held: list[Claim] = []

    async def take(self) -> Claim | None:
        """
        Take them; return why there are none, with the status to refuse with, if so.

        A checkpoint if users are counted. A cancellation leaves those taken that were.

        Raises:
            RuntimeError: Users are to be counted, and nobody knows them.
        """
        root, limits = self._root, self._limits
        refused = self._claim(claims_of_address(self._actor, limits, self._scope))
        if refused is not None or not limits.counts_users:
            return refused
        if root.connections.user_key is None:
            raise RuntimeError(NO_USERS)
        user: Any = None
        with trio.move_on_after(limits.handshake_seconds) as patience:
            try:
                user = await root.connections.user_key(self._scope)
            except Exception as error:
                logger.exception("whose connection it is could not be found out", exc_info=error)
                return Claim(None, 0, 503, "it could not be found out whose connection this is")
        if patience.cancelled_caught:
            return _too_slow(limits)
        if (late := root.connections.refusal()) is not None:  # it shuts down meanwhile
            return Claim(None, 0, 503, late)
        return self._claim(claims_of_user(self._actor, limits, user))

    def release(self) -> None:
        """Give them back, those that it has; again is no different."""
        held, self._held = self._held, []
        self._root.connections.caps.release(held)

    def _claim(self, claims: list[Claim]) -> Claim | None:
        refused = self._root.connections.caps.claim(claims)
        if refused is None:
            self._held += claims
        return refused


async def serve_counted(
    place: Place,
    limits: ConnectionLimits,
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
    serve: Callable[[Place, Any, Any], Awaitable[None]],
    turn_away: Callable[..., Awaitable[None]],
) -> None:
    """
    Have *serve* serve it while it has its places; without them *turn_away* refuses it.

    A checkpoint. Whatever ends it, the places are free again.

    Raises:
        RuntimeError: Users are to be counted, and nobody knows them.
    """
    root, route, actor, _, scope = place
    places = Places(root, actor, limits, scope)
    try:
        refused = await places.take()
        if refused is None:
            await serve(place, receive, send)
        else:
            await turn_away(root, route, scope, receive, send, refused.text, refused.status)
    finally:
        places.release()


def _too_slow(limits: ConnectionLimits) -> Claim:
    seconds = limits.handshake_seconds
    text = f"it took longer than {seconds:g} s to learn whose connection this is"
    return Claim(None, 0, 503, text)
