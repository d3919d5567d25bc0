# For the tests of databases: GREENROOM_TEST_DATABASES is the setting DATABASES, as JSON.
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from greenroom.bridges.django import Greenroom, django_application, path

application = Greenroom(
    http=django_application(),
    websocket=[
        path("ws/", "notes.databases.Writer"),
        path("ws/async/", "notes.databases.AsyncWriter"),
    ],
    children=["notes.databases.Ledger"],
)
