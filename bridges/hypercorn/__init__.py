"""Everything that knows hypercorn. Its fast connection handler is not built yet."""

__all__: list[str] = []
