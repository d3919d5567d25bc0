# The cookie that a long-polling session belongs to, in a Django project.

from collections.abc import Iterator

import pytest
from django.test import override_settings

from greenroom.actors import LongPollConsumer
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import serve


class Poll(LongPollConsumer):
    async def connect(self):
        await self.accept()


class Own(Poll):
    session_cookie = "mine"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = LongPollConsumer.session_cookie
    yield
    LongPollConsumer.session_cookie = before


@override_settings(SESSION_COOKIE_NAME="sid", ALLOWED_HOSTS=["*"])
async def test_it_is_that_of_the_settings() -> None:
    """
    With another value of the cookie SESSION_COOKIE_NAME the token is unknown; a class may differ.
    """
    application = Greenroom(http=[path("poll/", Poll), path("own/", Own)])
    assert Own.session_cookie == "mine"
    async with serve(application) as server:
        headers = [("cookie", "sessionid=a; sid=b")]
        async with server.long_poll("/poll/", polling=False, headers=headers) as client:
            client._headers = [(b"cookie", b"sessionid=other; sid=b")]
            assert (await client.request("POST", {"messages": []})).status == 200
            client._headers = [(b"cookie", b"sessionid=a; sid=other")]
            assert (await client.request("POST", {"messages": []})).status == 410
            client._headers = [(b"cookie", b"sid=b")]
