# The extra that all of Redis needs; imported first, for its one clear sentence.

try:
    import coredis
    import msgpack  # pyright: ignore[reportMissingTypeStubs]
except ModuleNotFoundError as error:
    if error.name not in {"coredis", "msgpack"}:
        raise
    raise ImportError(
        f"what speaks with Redis needs {error.name}: pip install 'greenroom[redis]'"
    ) from error

__all__ = ["coredis", "msgpack"]
