# Django's side of Greenroom. Importing it sets Django up, see _setup.py.

from ._handler import DjangoApplication as DjangoApplication
from ._handler import django_application as django_application
from ._paths import path as path
from ._paths import re_path as re_path
from ._paths import teach_django
from ._setup import set_up_on_import

__all__ = ["DjangoApplication", "django_application", "path", "re_path"]

teach_django()
set_up_on_import()
