# `from blog.consumers import Chat` above `from greenroom.bridges.django import ...` in asgi.py:
# sorted imports put it there, and the consumers' module imports models, which Django refuses
# before it is set up. Below hypercorn that is a raw traceback in a worker process.
#
# So the first import of Greenroom below hypercorn's loader of applications sets Django up, if
# the environment names settings. The bridge is named, not imported: this layer knows of it by this
# string only. Nothing happens anywhere else, in `manage.py`, tests or a shell.

import os
import pkgutil
import sys
from types import FrameType


def set_django_up() -> None:
    """Import the Django bridge, which sets Django up, if hypercorn loads an application now."""
    if "DJANGO_SETTINGS_MODULE" in os.environ and _hypercorn_loads():
        pkgutil.resolve_name("greenroom.bridges.django")


def _hypercorn_loads() -> bool:
    frame: FrameType | None = sys._getframe() if "hypercorn" in sys.modules else None  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        if frame.f_code.co_name == "load_application":
            return str(frame.f_globals.get("__name__")).startswith("hypercorn.")
        frame = frame.f_back
    return False
