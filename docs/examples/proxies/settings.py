# in settings.py, if a proxy sets X-Forwarded-Proto, and only then
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
