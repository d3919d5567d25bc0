# asgiref with our methods, and threads that say when they are inside a transaction.

from collections.abc import Iterator

import pytest
from hop_state import state

from greenroom.bridges import asgiref
from greenroom.bridges.asgiref import HopSettings, configure_hops


@pytest.fixture(autouse=True)
def patched() -> Iterator[None]:
    """
    asgiref with our methods, and threads that say when they are inside a transaction.
    """
    before = configure_hops(HopSettings(in_transaction=lambda: getattr(state, "inside", False)))
    was = asgiref.is_patched()
    assert asgiref.patch_asgiref()
    yield
    configure_hops(before)
    if not was:
        asgiref.unpatch_asgiref()
