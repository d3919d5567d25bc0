"""Everything that knows hypercorn. Its fast connection handler is not built yet."""

from ._guard import guard as _guard

__all__: list[str] = []

_guard()
