# The extra that all of Redis needs; imported first, for its one clear sentence.

try:
    import coredis.connection as coredis_connection
    import msgpack  # pyright: ignore[reportMissingTypeStubs]
    from coredis.exceptions import RedisError
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in {"coredis", "msgpack"}:
        raise
    raise ImportError(
        f"what speaks with Redis needs {missing}: pip install 'greenroom[redis]'"
    ) from error

__all__ = ["RedisError", "coredis_connection", "msgpack"]
