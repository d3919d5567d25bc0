# A ProtocolTypeRouter that a server is given, with what can't be served.

import pytest
from django.test import override_settings

from greenroom.bridges.channels.routing import ProtocolTypeRouter
from greenroom.bridges.testing import StartupFailed, serve


async def test_a_wrong_setting_is_named_at_the_start() -> None:
    """
    The server is told that nothing can be served, and which setting it is.
    """
    application = ProtocolTypeRouter({})
    with override_settings(GREENROOM={"MAX_RESTARTS": -5}):
        with pytest.raises(StartupFailed, match="MAX_RESTARTS"):
            async with serve(application):
                pass
