"""Groups between processes and machines by Redis or Valkey. Needs ``greenroom[redis]``."""

try:
    from .._redis_engine import RedisEngine as RedisEngine
except ModuleNotFoundError as error:
    if error.name not in {"coredis", "msgpack"}:
        raise
    raise ImportError(
        f"groups by Redis need {error.name}: pip install 'greenroom[redis]'"
    ) from error

__all__ = ["RedisEngine"]
