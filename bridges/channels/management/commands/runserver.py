"""`manage.py runserver` with WebSockets: Greenroom's, also where only this app is installed."""

from ....django.management.commands.runserver import Command as Runserver


class Command(Runserver):
    """Serves the project while it is written, as that of ``greenroom.bridges.django`` does."""
