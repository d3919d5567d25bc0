# What the worker processes of `manage.py serve --workers N` import: Django is set up by the
# import of this package, then ASGI_APPLICATION is looked up. So an asgi.py that imports
# models in its first line works there, too.

from django.conf import settings

from ._paths import import_dotted

application = import_dotted(settings.ASGI_APPLICATION, "ASGI_APPLICATION")
