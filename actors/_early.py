# `from blog.consumers import Chat` above `from greenroom.bridges.django import ...` in asgi.py:
# sorted imports put it there, and the consumers' module imports models, which Django refuses
# before it is set up. Below hypercorn that is a raw traceback in a worker process.
#
# So the first import of Greenroom below hypercorn's loader of applications sets Django up, if
# the environment names settings. The bridge is named, not imported: this layer knows of it by this
# string only. Nothing happens anywhere else, in `manage.py`, tests or a shell.
#
# The bridge needs the packages named here whole. Where the first import is of one of them, and
# this layer is imported on its way, it is too early: each asks again when it is whole itself.

import os
import pkgutil
import sys
from types import FrameType

_NEEDED = (
    "greenroom.supervisor",
    "greenroom.bridges.asgi",
    "greenroom.bridges.asgiref",
    "greenroom.bridges.engines",
)


def set_django_up() -> None:
    """
    Import the Django bridge, which sets Django up, if hypercorn loads an application now.

    To be called in the last line of a package.
    """
    if "DJANGO_SETTINGS_MODULE" in os.environ and _hypercorn_loads():
        pkgutil.resolve_name("greenroom.bridges.django")


def _hypercorn_loads() -> bool:
    """Whether hypercorn's loader waits for this import, and no package that is needed does."""
    if "hypercorn" not in sys.modules:
        return False
    frame: FrameType | None = sys._getframe(2).f_back  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - beyond the package that asks
    while frame is not None:
        code, module = frame.f_code.co_name, str(frame.f_globals.get("__name__"))
        if code == "<module>" and module in _NEEDED:
            return False
        if code == "load_application" and module.startswith("hypercorn."):
            return True
        frame = frame.f_back
    return False
