# Django's own handler. It knows no lifespan, which hypercorn takes note of and goes on.
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paritysite.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
