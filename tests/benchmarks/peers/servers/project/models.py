"""The one table."""

from django.db import models

ROWS = 100


class Item(models.Model):
    """Row number n has the value n * n."""

    value = models.IntegerField()


def read_row_for(text: str) -> None:
    """Read the row that a message names (its sequence number does), and check it."""
    number = int(text[8:16], 16) % ROWS + 1
    item = Item.objects.get(pk=number)
    if item.value != number * number:
        raise AssertionError(f"row {number} holds {item.value}")
