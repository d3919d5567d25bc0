# C4, C7, C8: dispatch by type, what may be overridden, which layer.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import case

CONNECT = {"type": "websocket.connect"}


@case("C4", "a message's type, dots turned to underscores, names the method", both=True)
async def dispatch_by_type(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        def chat_message(self, message):
            seen.append(message)

        def deep_er_type(self, message):
            seen.append(message)
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "chat.message", "a": [1]}, {"type": "deep.er.type"})
    return [await driver.ended(), seen]


async def _ends_with(api, colour, message):
    class Consumer(colour.Consumer):
        pass

    driver = api.drive(Consumer.as_asgi())
    driver.give(message)
    return await driver.ended()


@case("C4", "a message without type is a ValueError", both=True)
async def dispatch_without_type(api, colour):
    return await _ends_with(api, colour, {"text": "x"})


@case("C4", "a type with no method is a ValueError", both=True)
async def dispatch_unknown_type(api, colour):
    return await _ends_with(api, colour, {"type": "no.such"})


@case("C4", "a type that begins with an underscore is refused", both=True)
async def dispatch_underscore(api, colour):
    return await _ends_with(api, colour, {"type": "_private"})


@case("C4", "a type that begins with a dot is refused as well", both=True)
async def dispatch_dot(api, colour):
    return await _ends_with(api, colour, {"type": ".private"})


@case("C4", "a type that is no string is an AttributeError", both=True)
async def dispatch_not_a_string(api, colour):
    outcome = await _ends_with(api, colour, {"type": 7})
    return type(outcome).__name__


@case("C4", "a layer message of type websocket.receive reaches that method", both=True)
async def layer_message_websocket_receive(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

        def receive(self, text_data=None, bytes_data=None):
            seen.append([text_data, bytes_data])

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await api.layer().group_send("room", {"type": "websocket.receive", "text": "by layer"})
    await api.until(lambda: seen)
    return [seen, await driver.disconnect()]


@case("C4", "a layer message of type websocket.disconnect ends the consumer", both=True)
async def layer_message_websocket_disconnect(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

        def disconnect(self, code):
            seen.append(code)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await api.layer().group_send("room", {"type": "websocket.disconnect", "code": 4001})
    return [await driver.ended(), seen, api.groups()]


@case(
    "C4", "a layer message of type close reaches close(), with the message as its code", both=True
)
async def layer_message_close(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await api.layer().group_send("room", {"type": "close"})
    await driver.until(2)
    return driver.sent


@case("C4", "a layer message whose type no method has ends the consumer with ValueError", both=True)
async def layer_message_unknown(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await api.layer().group_send("room", {"type": "no.such"})
    return await driver.ended()


@case("C7", "dispatch can be overridden and sees all messages of both sources", both=True)
async def dispatch_overridden(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

        def chat(self, message):
            yield self.send("chat")

        async def dispatch(self, message):
            seen.append(message["type"])
            await super().dispatch(message)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("hi")
    await api.until(lambda: len(seen) == 2)
    await api.layer().group_send("room", {"type": "chat"})
    await driver.until(2)
    return [await driver.disconnect(), seen, driver.sent]


@case("C7", "send can be overridden and sees all that is sent", both=True)
async def send_overridden(api, colour):
    @colour
    class Base(colour.Consumer):
        def send(self, message):
            yield super().send({**message, "stamp": 1})

        def go(self, message):
            yield self.send({"type": "said"})
            raise api.exceptions.StopConsumer

    driver = api.drive(Base.as_asgi())
    driver.give({"type": "go"})
    return [await driver.ended(), driver.sent]


@case("C7", "an exception of an overridden dispatch ends the application with it", both=True)
async def dispatch_raises(api, colour):
    class Consumer(colour.WebsocketConsumer):
        async def dispatch(self, message):
            raise PermissionError("not you")

    driver = api.drive(Consumer.as_asgi())
    driver.give(CONNECT)
    return [await driver.ended(), driver.sent]


@case("C8", "channel_layer_alias chooses the layer", both=True)
async def layer_alias(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        channel_layer_alias = "other"

        def look(self, message):
            layers = api.layers.channel_layers
            seen.append([self.channel_layer is layers[name] for name in ("default", "other")])
            raise api.exceptions.StopConsumer

    backend = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    with api.settings(CHANNEL_LAYERS={"default": dict(backend), "other": dict(backend)}):
        driver = api.drive(Consumer.as_asgi())
        driver.give({"type": "look"})
        return [await driver.ended(), seen]


@case("C8", "an alias that is not configured is a consumer without a layer", both=True)
async def layer_alias_unknown(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        channel_layer_alias = "nowhere"

        def look(self, message):
            seen.append(self.channel_layer)
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "look"})
    return [await driver.ended(), seen]


@case("C8", "the default alias is called default")
async def default_alias(api):
    return [api.DEFAULT_CHANNEL_LAYER, api.consumer.AsyncConsumer.channel_layer_alias]
