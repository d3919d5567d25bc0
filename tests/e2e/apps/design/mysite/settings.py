SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["greenroom.bridges.django", "chat", "market"]
ROOT_URLCONF = "mysite.urls"
USE_TZ = True
