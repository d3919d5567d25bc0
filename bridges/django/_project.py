# What is this project's own, and nobody else's: its processes find each other by it.

import hashlib
import hmac

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def project_name() -> str:
    """
    Return a text that is the same in all processes of this project, and tells nobody its secret.

    Made of SECRET_KEY and the settings' module: two projects of one user are apart.
    """
    try:
        secret = str(settings.SECRET_KEY)
    except ImproperlyConfigured:  # there is none
        secret = ""
    module = str(getattr(settings, "SETTINGS_MODULE", ""))
    return hmac.digest(
        b"greenroom.inspection:" + secret.encode(), module.encode(), hashlib.sha256
    ).hex()
