# What the reloader's child does with signals.

import signal

import pytest

from greenroom.bridges.django._reloading import leave


def test_the_second_sigterm_cuts_nothing_short() -> None:
    """
    The first SIGTERM ends the child, and one that comes while it ends is ignored.
    """
    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert ended.value.code == 0
