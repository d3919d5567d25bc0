# A feed for programs and for pages: each brings a token, in the way that it can.

from django.contrib.auth import get_user_model
from django.core import signing

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import TokenAuthentication


class FeedConsumer(WebsocketConsumer):
    async def connect(self):
        offered = self.scope["subprotocols"]  # without the token
        await self.accept(subprotocol=offered[0] if offered else None)
        await self.send(text=f"news for {self.user}")


signer = signing.TimestampSigner(salt="feed", sep=".")  # a subprotocol can hold no colon


def token_for(user):
    """Return a token, for a view to hand out."""
    return signer.sign_object(user.pk)


def authenticate(token, scope):
    """Return whose *token* it is, or None. A `def`, so it may ask the database."""
    try:
        pk = signer.unsign_object(token, max_age=3600)
    except signing.BadSignature:
        return None
    return get_user_model().objects.filter(pk=pk, is_active=True).first()


feed = TokenAuthentication(
    FeedConsumer,
    authenticate,
    header=True,         # Authorization: Bearer <token>
    subprotocol=True,    # new WebSocket(url, ["greenroom.v1", "token.<token>"])
    first_message=True,  # the first message is the token
    seconds=10,
)
