from django.db import models


class Log(models.Model):
    type = models.CharField(max_length=20)
    client = models.JSONField()


class Entry(models.Model):
    text = models.TextField()
