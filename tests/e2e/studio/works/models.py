from django.db import models


class Artist(models.Model):
    name = models.CharField(max_length=100)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class Piece(models.Model):
    artist = models.ForeignKey(Artist, models.CASCADE, related_name="pieces")
    title = models.CharField(max_length=100)
    file = models.FileField(upload_to="pieces", blank=True)

    def __str__(self) -> str:
        return self.title
