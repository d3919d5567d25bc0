# What `runserver` puts in front of the application, in this process. The command itself is run by
# tests/e2e/test_runserver.py.

import logging
from collections.abc import Callable
from typing import Any

import pytest

from greenroom.bridges.django._development import Development


async def answers(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("as asked")


async def leaves(scope: Any, receive: Any, send: Any) -> None:
    """Send nothing, as the application does when the client is gone."""


@pytest.mark.parametrize(
    ("application", "line", "level"),
    [
        (answers, '"GET /a?b HTTP/1.1" 200 5', logging.INFO),
        (raises, '"GET /a?b HTTP/1.1" 500 0', logging.ERROR),
        (leaves, '"GET /a?b HTTP/1.1" - 0', logging.INFO),
    ],
)
async def test_the_line_of_a_request(
    application: Callable[..., Any],
    line: str,
    level: int,
    request_to: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    A request's line has its status: 500 where the server answers, none where the client left.
    """
    request = request_to(Development(application, None), "/a?b")
    with caplog.at_level(logging.INFO, "django.server"):
        try:
            await request.run()
        except ValueError as error:
            assert str(error) == "as asked"  # noqa: PT017 - it is for the server

    (record,) = caplog.records
    assert (record.getMessage(), record.levelno) == (line, level)
