# What a package offers, imported when it is asked for.
#
# pytest imports its plugins in every run of every project that has Greenroom installed, and with
# one the packages above it. So this package's __init__.py imports nothing: neither trio nor Django
# is there before a test wants them (tests/bridges/testing/test_plugin_cost.py).

import importlib
import sys
from collections.abc import Callable, Mapping


def importer(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """
    Return a ``__getattr__`` for *package*, whose names come from *modules* (PEP 562).

    Args:
        package: Its full name.
        modules: The module below it, by the name of what that defines.
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)  # asked for once
        return value

    return get
