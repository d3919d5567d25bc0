"""The channel layers on Redis, and how messages look there. Needs ``greenroom[redis]``."""

from ..engines._redis_errors import RedisUnavailable
from ..engines._redis_wire import (
    BaseMessageSerializer,
    JSONSerializer,
    MsgPackSerializer,
    SerializerDoesNotExist,
    registry,
)
from ._redis_core_layer import RedisChannelLayer
from ._redis_pubsub_layer import RedisPubSubChannelLayer

__all__ = [
    "BaseMessageSerializer",
    "JSONSerializer",
    "MsgPackSerializer",
    "RedisChannelLayer",
    "RedisPubSubChannelLayer",
    "RedisUnavailable",
    "SerializerDoesNotExist",
    "registry",
]
