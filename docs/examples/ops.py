# A server without Django that can be looked into, by whoever has the token:
#
#     OPS_TOKEN=... hypercorn -k trio ops:application

import os

from greenroom.actors import Actor
from greenroom.bridges.asgi import Application
from greenroom.bridges.inspection import InspectionApp
from greenroom.supervisor import Options

directory = os.environ.get("OPS_DIRECTORY", "/run/mysite")  # this user's alone, mode 0700


class Clock(Actor):
    """Something to look at."""


inspection = InspectionApp(token=os.environ["OPS_TOKEN"], directory=directory)


async def http(scope, receive, send):
    if scope["path"].startswith("/ops/"):
        await inspection(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body"})


application = Application(
    http=http,
    children=[Clock],
    options=Options(inspection=True, inspection_dir=directory),
)
