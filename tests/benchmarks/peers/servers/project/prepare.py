"""Make the table and its rows, unless they are there: `python -m project.prepare`."""

import django
from django.db import connection

if __name__ == "__main__":
    django.setup()

    from .models import ROWS, Item

    if Item._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Item)
    if Item.objects.count() != ROWS:
        Item.objects.all().delete()
        Item.objects.bulk_create(Item(pk=n, value=n * n) for n in range(1, ROWS + 1))
