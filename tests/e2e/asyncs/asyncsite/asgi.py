import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "asyncsite.settings")

from greenroom.bridges.django import Greenroom, django_application

django = django_application()
application = Greenroom(http=django)
