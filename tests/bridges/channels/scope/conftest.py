# Django for the tests of this folder, and its fixtures.

# pyright: reportUnusedImport=false

from django_inside import configure

configure()

from django_fixtures import (  # noqa: E402, F401 - it imports Django
    database,
    engine,
    key,
    queries,
    rolled_back,
    user,
)
