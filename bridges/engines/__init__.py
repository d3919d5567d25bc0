"""
Engines: what carries group messages from process to process.

The contract is `greenroom.supervisor.Engine`; each engine is one file here.
"""

from ...actors._early import set_django_up as _set_django_up
from ._local import LocalEngine as LocalEngine
from ._redis_errors import RedisUnavailable as RedisUnavailable

__all__ = ["LocalEngine", "RedisUnavailable"]

_set_django_up()
