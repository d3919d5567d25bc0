"""Greenroom behind an ASGI server: the application, its lifespan, its connections."""

from ...actors._early import set_django_up as _set_django_up
from ._app import Application as Application
from ._app import ConsumerApplication as ConsumerApplication
from ._protocols import ProtocolRouter as ProtocolRouter
from ._routing import Match as Match
from ._routing import NoRoute as NoRoute
from ._routing import Router as Router
from ._tokens import TokenAuthentication as TokenAuthentication

__all__ = [
    "Application",
    "ConsumerApplication",
    "Match",
    "NoRoute",
    "ProtocolRouter",
    "Router",
    "TokenAuthentication",
]

_set_django_up()
