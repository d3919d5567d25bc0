# Behind hypercorn's middleware, which here goes by the header Forwarded, if there is one.
from hypercorn.middleware import ProxyFixMiddleware

from mysite.asgi import application

application = ProxyFixMiddleware(application, mode="modern")
