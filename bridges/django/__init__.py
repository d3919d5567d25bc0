"""Django on trio: the application of asgi.py. Importing this package sets Django up."""

from ..asgiref import on_asyncio as on_asyncio
from ..asgiref import on_trio as on_trio
from ._application import Greenroom as Greenroom
from ._disconnect import aconnections_of as aconnections_of
from ._disconnect import adisconnect_user as adisconnect_user
from ._disconnect import connections_of as connections_of
from ._disconnect import disconnect_user as disconnect_user
from ._handler import DjangoApplication as DjangoApplication
from ._handler import django_application as django_application
from ._json import teach_json as _teach_json
from ._paths import path as path
from ._paths import re_path as re_path
from ._paths import teach_django as _teach_django
from ._setup import set_up_on_import as _set_up_on_import
from ._url_router import UrlRouter as UrlRouter

__all__ = [
    "DjangoApplication",
    "Greenroom",
    "UrlRouter",
    "aconnections_of",
    "adisconnect_user",
    "connections_of",
    "disconnect_user",
    "django_application",
    "on_asyncio",
    "on_trio",
    "path",
    "re_path",
]

_teach_django()
_teach_json()
_set_up_on_import()
