# A feed that was begun by right ends when the right does, whatever takes it away.

from typing import Any

import pytest
import trio
from django_sessions import cookie, in_db, log_in, make_user, store

from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.django.console._feed import PERMISSION_SECONDS, ConsoleFeed
from greenroom.bridges.testing import ResponseCut, StreamEnded, serve, virtual_clock

SOON = PERMISSION_SECONDS + 5


@pytest.fixture
def clock() -> trio.testing.MockClock:
    """
    A clock that knows of worker threads.
    """
    return virtual_clock()


@pytest.fixture
def ada(rolled_back: None) -> Any:
    """
    A superuser.
    """
    return make_user("ada", is_staff=True, is_superuser=True)


@pytest.fixture
def session(ada: Any) -> str:
    """
    The key of her session.
    """
    return log_in(ada)


def take(what: str, user: Any, session: str) -> None:
    """Take away from *user* what lets her listen."""
    if what == "session":
        store(session).flush()
        return
    if what == "password":
        user.set_password("another")
    elif what == "account":
        user.delete()
        return
    else:
        setattr(user, what, False)
    user.save()


@pytest.mark.parametrize(
    "what", ["is_superuser", "is_staff", "is_active", "password", "session", "account"]
)
async def test_it_ends(clock: trio.testing.MockClock, ada: Any, session: str, what: str) -> None:
    """
    Without the permission, no staff any more, closed, with another password, logged out, deleted:
    the stream ends within seconds, and nobody who has it can begin another.
    """
    application = Greenroom(http=[path("feed/", ConsoleFeed)], close_seconds=0)
    async with serve(application) as server:
        async with server.event_stream("/feed/", headers=cookie(session)) as stream:
            await stream.next_event(60)
            began = trio.current_time()
            await in_db(take, what, ada, session)
            with pytest.raises((StreamEnded, ResponseCut)):
                while True:
                    await stream.next_event(60)
            assert trio.current_time() - began <= SOON
        assert (await server.http("GET", "/feed/", headers=cookie(session))).status == 403
