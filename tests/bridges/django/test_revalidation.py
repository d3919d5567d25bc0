# Sockets whose session or user is no longer what it was; and all sockets of one user.

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import logout
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import override_settings
from django.utils import timezone
from django_sessions import cookie, in_db, log_in, make_user, served, store

from greenroom.actors import WebsocketConsumer, WrongSide
from greenroom.bridges.django import (
    aconnections_of,
    adisconnect_user,
    connections_of,
    disconnect_user,
)
from greenroom.bridges.django import _book
from greenroom.bridges.testing import MockClock

pytestmark = pytest.mark.django_db


class Who(WebsocketConsumer):
    revalidate_seconds = 30

    def receive(self, text):
        self.send(text=str(self.user))


class Never(WebsocketConsumer):
    revalidate_seconds = None

    def receive(self, text):
        self.send(text=str(self.user))


def deactivate(user: Any, key: str) -> None:
    user.is_active = False
    user.save()


def change_password(user: Any, key: str) -> None:
    user.password = "!another"
    user.save()


def expire(user: Any, key: str) -> None:
    Session.objects.update(expire_date=timezone.now())


CHANGES = [
    (deactivate, "the user may not log in any more"),
    (lambda user, key: user.delete(), "the user may not log in any more"),
    (change_password, "the password was changed"),
    (expire, "the session has ended"),
    (lambda user, key: store(key).flush(), "the session has ended"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES)
async def test_who_may_not_go_on_is_closed(
    clock: MockClock, change: Callable[..., Any], reason: str, user: Any, key: str
) -> None:
    """
    A socket closes with 4401 once its user or its session is no longer what it was.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("?")
        assert await ws.receive_text() == "ada"
        await in_db(change, user, key)
        clock.jump(31)
        closed = await ws.closed()
        assert (closed.code, closed.reason) == (4401, reason)
