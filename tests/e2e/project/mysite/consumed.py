# Views and consumers of HTTP side by side.
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from greenroom.bridges.django import Greenroom, django_application, path, re_path

application = Greenroom(
    http=[
        path("api/notes/", "notes.requests.NotesApi", name="api"),
        path("api/feed/", "notes.requests.NotesFeed", name="feed"),
        re_path(r"", django_application()),
    ],
    websocket=[path("ws/notes/", "notes.consumers.NotesConsumer")],
)
