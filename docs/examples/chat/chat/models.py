from django.db import models


class Room(models.Model):
    """A place to talk in; its slug stands in the address of its page."""

    slug = models.SlugField(unique=True, max_length=40)
    title = models.CharField(max_length=60)
    about = models.CharField(max_length=140, blank=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """One line that somebody said in a room."""

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="messages")
    author = models.CharField(max_length=24)
    text = models.TextField(max_length=1000)
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.author}: {self.text}"
