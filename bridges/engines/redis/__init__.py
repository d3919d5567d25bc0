"""Groups between processes and machines by Redis or Valkey. Needs ``greenroom[redis]``."""

from .._redis_engine import RedisEngine as RedisEngine

__all__ = ["RedisEngine"]
