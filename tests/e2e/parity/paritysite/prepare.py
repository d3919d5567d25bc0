# Make the tables and what the tests look for: python -m paritysite.prepare
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paritysite.settings")
django.setup()

from django.contrib.auth.models import Permission, User
from django.contrib.flatpages.models import FlatPage
from django.contrib.redirects.models import Redirect
from django.contrib.sites.models import Site
from django.core.management import call_command

call_command("migrate", verbosity=0)
User.objects.create_superuser("staff", "staff@parity.example", "secret-staff")
User.objects.create_user("member", "member@parity.example", "secret-member")
allowed = User.objects.create_user("allowed", password="secret-allowed")
allowed.user_permissions.add(Permission.objects.get(codename="add_user"))
site = Site.objects.get_current()
FlatPage.objects.create(url="/about/", title="About", content="A flat page.").sites.add(site)
Redirect.objects.create(site=site, old_path="/old/", new_path="/who/")
Redirect.objects.create(site=site, old_path="/gone/", new_path="")
