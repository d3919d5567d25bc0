# A router by protocol, for where no Greenroom(...) stands: inside of other applications, and in
# front of applications without Django.

from collections.abc import Mapping, MutableMapping
from typing import Any

from ...supervisor import Options
from ._app import Application, root_of
from ._falling_through import as_application
from ._routing import Everything
from ._transport import serve_inner


class ProtocolRouter:
    """
    Leads each connection to the application for its type: ``http``, ``websocket`` or another.

    Given to a server it has a tree of its own; inside of another application it joins the tree
    that is there. A type without an application is refused: with 404 where it is a connection.

    Args:
        applications: By type of scope: consumer classes, or any ASGI applications.
        options: Of its own tree.

    Raises:
        TypeError: One of them is no application.
    """

    greenroom_native = True

    def __init__(self, applications: Mapping[str, Any], *, options: Options | None = None) -> None:
        wrong = {kind: app for kind, app in applications.items() if not callable(app)}
        if wrong:
            raise TypeError(
                f"ProtocolRouter takes an application for each type of scope. Got: {wrong!r}"
            )
        self.applications = {kind: as_application(app) for kind, app in applications.items()}
        websocket = applications.get("websocket")
        self._application = Application(
            http=self.applications.get("http"),
            router=Everything(websocket) if websocket is not None else None,
            options=options,
        )
        self.connection_limits = self._application.connection_limits

    def __repr__(self) -> str:
        return f"<ProtocolRouter {', '.join(self.applications)}>"

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one scope. A checkpoint."""
        inner = self.applications.get(scope["type"])
        if inner is None or (scope["type"] != "lifespan" and root_of(scope) is None):
            await self._application(scope, receive, send)
        else:
            await serve_inner(inner, scope, receive, send)
