# A project whose groups and channels go through Redis; configured by the environment.

import os

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
ASGI_APPLICATION = os.environ.get("LAYERS_APPLICATION", "asgi.application")
INSTALLED_APPS = ["greenroom.bridges.channels"]
USE_TZ = True
LOGGING_CONFIG = None
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ["LAYERS_BACKEND"],
        "CONFIG": {"hosts": [os.environ["LAYERS_REDIS"]], "prefix": os.environ["LAYERS_PREFIX"]},
    },
}
