from greenroom.actors import EventStreamConsumer, HttpConsumer, handles

from .models import Note


class NotesApi(HttpConsumer):
    """Stores a text through the ORM, in a thread, and tells the feeds."""

    def handle(self, body: bytes) -> None:
        if self.method != "POST":
            self.respond(json=[note.text for note in Note.objects.all()])
            return
        note = Note.objects.create(text=body.decode())
        self.group_send("notes", {"type": "added", "pk": note.pk})
        self.respond(201, json={"count": Note.objects.count()})


class NotesFeed(EventStreamConsumer):
    """Sends each text that is stored."""

    def connect(self) -> None:
        self.join("notes")
        self.accept()
        self.send(str(Note.objects.count()), event="count")

    @handles("added")
    def added(self, message: dict[str, object]) -> None:
        self.send(Note.objects.get(pk=message["pk"]).text)
