# What hops are told by whoever knows more than asgiref: for Django, bridges/django/_on_trio.py.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...actors import ThreadHooks


def _threads() -> int:
    """Say 8."""
    return 8


def _spare() -> int:
    """Say 32."""
    return 32


def _never() -> bool:
    """Say no."""
    return False


@dataclass(frozen=True)
class HopSettings:
    """What to make a pool of, where no application has made one, and how to tell what it holds."""

    threads: Callable[[], int] = _threads
    """How many jobs run at once."""
    spare: Callable[[], int] = _spare
    """How many more threads there may be while jobs are parked."""
    hooks: Callable[[], ThreadHooks] = ThreadHooks
    """What the threads do around their jobs."""
    in_transaction: Callable[[], bool] = _never
    """Whether the calling thread holds something that only it can end."""


class _Configured:
    settings = HopSettings()


def hop_settings() -> HopSettings:
    """Return what hops use now."""
    return _Configured.settings


def configure_hops(settings: HopSettings) -> HopSettings:
    """Have hops use *settings* from now on; return what they used before."""
    before, _Configured.settings = _Configured.settings, settings
    return before
