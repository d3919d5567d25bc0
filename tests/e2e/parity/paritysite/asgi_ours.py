import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paritysite.settings")

from greenroom.bridges.django import django_application

application = django_application()
