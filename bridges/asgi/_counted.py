# A WebSocket whose address, user or class may have only so many: its places, from the handshake
# to its end.
#
# They are taken before the slot is made, and before it is asked whose connection it is, which
# may take a while: a thousand handshakes at once are counted, too.

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

from ...actors import Actor
from ...supervisor import Root
from ...supervisor._caps import Claim, claims_of_address, claims_of_user
from ...supervisor._connection_limits import ConnectionLimits

Scope = MutableMapping[str, Any]
Place = tuple[Root, str, type[Actor], dict[str, Any], Scope]

NO_USERS = (
    "connections_per_user is set, and nobody says whose connection it is: serve it with"
    " greenroom.bridges.django.Greenroom, or give Application(user_key=...) an async function of"
    " the scope."
)


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
    caps, held = root.connections.caps, list[Claim]()
    try:
        claims = claims_of_address(actor, limits, scope)
        refused = caps.claim(claims)
        held += [] if refused else claims
        if refused is None and limits.counts_users:
            with trio.move_on_after(limits.handshake_seconds) as patience:
                claims = claims_of_user(actor, limits, await _user_of(root, scope))
            if patience.cancelled_caught:
                refused = _too_slow(limits)
            elif (late := root.connections.refusal()) is not None:  # it shuts down meanwhile
                refused = Claim(None, 0, 503, late)
            elif (refused := caps.claim(claims)) is None:
                held += claims
        if refused is None:
            await serve(place, receive, send)
        else:
            await receive()  # websocket.connect
            await turn_away(root, route, scope, send, refused.text, refused.status)
    finally:
        caps.release(held)


async def _user_of(root: Root, scope: Scope) -> Any:
    if root.connections.user_key is None:
        raise RuntimeError(NO_USERS)
    return await root.connections.user_key(scope)


def _too_slow(limits: ConnectionLimits) -> Claim:
    seconds = limits.handshake_seconds
    text = f"it took longer than {seconds:g} s to learn whose connection this is"
    return Claim(None, 0, 503, text)
