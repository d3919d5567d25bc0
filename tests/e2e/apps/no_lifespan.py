# An outer application that answers lifespan itself and does not pass it on.

from founding import ChatConsumer

inner = ChatConsumer.as_asgi()


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await inner(scope, receive, send)
