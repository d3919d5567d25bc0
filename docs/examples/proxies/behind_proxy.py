# mysite/behind_proxy.py, if a proxy sets X-Forwarded-For, and only then
from hypercorn.middleware import ProxyFixMiddleware

from mysite.asgi import application

application = ProxyFixMiddleware(application, trusted_hops=1)
