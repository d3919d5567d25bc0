# Transactions that worker threads leave open, and databases that fail, with a real SQLite file.

import logging
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import close_old_connections, connection, connections, transaction
from django_connections import Opened, pool_of, query

from greenroom.bridges.django._database import database_hooks, in_transaction

pytestmark = pytest.mark.usefixtures("database")


async def test_a_transaction_left_open_is_rolled_back(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A job that ends inside a transaction is reported by name, and its writes are gone.
    """

    def forget() -> None:
        transaction.atomic().__enter__()
        User.objects.create(username="half")

    async with pool_of(1) as pool:
        with caplog.at_level(logging.ERROR, "greenroom.django"):
            await pool.run(forget, label="forgetful")
        assert await pool.run(query, label="next") == 0

    assert "forgetful ended inside a transaction on database 'default'" in caplog.text


async def test_a_connection_closed_inside_a_transaction_is_replaced(opened: Opened) -> None:
    """
    A block left open over the end of a request, where Django closes, spoils no later job.
    """

    def forget() -> None:
        transaction.atomic().__enter__()
        close_old_connections()
        assert connection.closed_in_transaction

    async with pool_of(1) as pool:
        await pool.run(forget, label="forgetful")

        assert await pool.run(query, label="next") == 0


@pytest.fixture
def two_databases() -> Iterator[None]:
    """
    A second alias, "other", for the same file.
    """
    connections.settings["other"] = dict(connections.settings["default"])
    yield
    del connections.settings["other"]


def close_fails() -> None:
    """Have the close of this thread's first connection raise, as with a server that is gone."""
    close = connection._close

    def fail() -> None:
        close()
        raise ConnectionError("the server is gone")

    connections["default"]._close = fail  # type: ignore[attr-defined]


@pytest.mark.usefixtures("two_databases")
async def test_a_database_that_fails_leaves_no_transaction_on_another(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Where one connection can't be rolled back the next one still is, and the error is logged.
    """

    def forget() -> None:
        for alias in ("default", "other"):
            transaction.atomic(using=alias).__enter__()
            User.objects.using(alias).count()
        close_fails()

    def inside() -> bool:
        return connections["other"].in_atomic_block

    async with pool_of(1) as pool:
        await pool.run(forget, label="forgetful")
        assert "the server is gone" in caplog.text
        assert opened.now == 0
        assert not await pool.run(inside, label="next")


@pytest.mark.usefixtures("two_databases")
async def test_a_database_that_fails_keeps_no_other_open(opened: Opened) -> None:
    """
    At the end of its thread each connection is closed, whatever the one before it raises.
    """

    def use_both() -> None:
        query()
        User.objects.using("other").count()
        close_fails()

    async with pool_of(1) as pool:
        await pool.run(use_both, label="both")
        assert opened.now == 2
    assert opened.now == 0


async def test_a_transaction_without_a_block_is_rolled_back(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A job that switches autocommit off, and not on again, holds no lock behind its end.
    """

    def forget() -> None:
        transaction.set_autocommit(False)
        User.objects.create(username="half")

    async with pool_of(1) as pool:
        await pool.run(forget, label="forgetful")
        assert opened.now == 0
        assert await pool.run(query, label="next") == 0

    assert "forgetful ended inside a transaction on database 'default'" in caplog.text


async def test_autocommit_that_is_off_is_a_transaction(opened: Opened) -> None:
    """
    A job without autocommit keeps its place and its thread, as one inside atomic() does.
    """

    def look() -> list[tuple[bool, bool]]:
        query()
        seen: list[tuple[bool, bool]] = []
        for autocommit in (False, True):
            transaction.set_autocommit(autocommit)
            seen.append((in_transaction(), database_hooks().may_park()))
        return seen

    async with pool_of(1) as pool:
        assert await pool.run(look, label="looks") == [(True, False), (False, True)]
