from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, call_command

from chat.models import Room

ROOMS = [
    ("lobby", "Lobby", "Where everybody comes in."),
    ("stage", "Main stage", "Say it loud. The lights are on."),
    ("workshop", "Workshop", "Break things on purpose: try /crash."),
]


class Command(BaseCommand):
    help = "Make the database, the rooms and the staff user admin/admin. Safe to repeat."

    def handle(self, *args, **options):
        if not settings.DEBUG:
            raise CommandError("this makes a user with a known password: only with DEBUG on.")
        call_command("migrate", verbosity=0, interactive=False)
        for slug, title, about in ROOMS:
            Room.objects.get_or_create(slug=slug, defaults={"title": title, "about": about})
        if not User.objects.filter(username="admin").exists():
            User.objects.create_superuser("admin", password="admin")
