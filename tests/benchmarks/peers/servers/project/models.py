"""The one table."""

from django.db import models

ROWS = 100


class Item(models.Model):
    """Row number n has the value n * n."""

    value = models.IntegerField()


def read_row_for(text: str) -> None:
    """Read the row that a message names (its sequence number does), and check it."""
    number = _row_of(text)
    _check(number, Item.objects.get(pk=number))


async def aread_row_for(text: str) -> None:
    """Do the same with the async API."""
    number = _row_of(text)
    _check(number, await Item.objects.aget(pk=number))


def _row_of(text: str) -> int:
    return int(text[8:16], 16) % ROWS + 1


def _check(number: int, item: Item) -> None:
    if item.value != number * number:
        raise AssertionError(f"row {number} holds {item.value}")
