# The views alone, without consumers and without a tree.
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from greenroom.bridges.django import django_application

application = django_application()
