# `import channels`, answered with our modules: for packages that import Channels themselves.
#
# A finder in front of all others leads each name below `channels` to the module of the same name
# below greenroom.bridges.channels, and to that very module object: so a class is the same class
# under both names, and there is one channel layer.

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_OURS = "greenroom.bridges.channels"
_THEIRS = "channels"

IMPORTED = (
    "install_as_channels() comes too late: {names} of the package Channels {have} been imported"
    " already, so that two kinds of consumers would be mixed. Call it first, at the top of"
    " the settings and of asgi.py, or uninstall Channels."
)


def install_as_channels() -> None:
    """
    Have ``import channels``, and all below it, lead to ours. May be called again.

    For packages that import Channels themselves; your own code had better change its imports.
    Call it before Django is set up: at the top of the settings, and of ``asgi.py``. For
    pytest-django, which sets Django up itself if it is told of the settings, ``conftest.py`` is too
    late.
    ``"channels"`` in INSTALLED_APPS is then ours, under the same label.

    Raises:
        RuntimeError: The package Channels was imported already.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    there = sorted(name for name in sys.modules if name.partition(".")[0] == _THEIRS)
    if there:
        names = ", ".join(there[:3]) + (", ..." if len(there) > 3 else "")
        have = "has" if len(there) == 1 else "have"
        raise RuntimeError(IMPORTED.format(names=names, have=have))
    sys.meta_path.insert(0, _Finder())


def installed_as_channels() -> bool:
    """Whether ``import channels`` leads to ours."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


class _Finder(MetaPathFinder):
    """Finds ours where theirs is asked for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        head, dot, rest = fullname.partition(".")
        if head != _THEIRS:
            return None
        ours = f"{_OURS}{dot}{rest}"
        found = _find(ours)
        if found is None:
            return None  # also for what is no module of theirs, nor of ours
        spec = ModuleSpec(fullname, _Same(ours), origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec


def _find(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None


class _Same(Loader):
    """Loads a module of ours under another name: the same object."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put its own there


def config_name() -> str:
    """Return by which name Django's registry is to know our app."""
    return _THEIRS if installed_as_channels() else _OURS
