# C18: the JSON consumers.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import case


def _echo(colour):
    @colour
    class Consumer(colour.JsonWebsocketConsumer):
        def receive_json(self, content, **kwargs):
            yield self.send_json({"got": content, "more": kwargs})

    return Consumer


async def _answered(api, app, frame):
    driver = api.drive(app)
    await driver.connect()
    driver.give({"type": "websocket.receive", **frame})
    await driver.until(2)
    return [driver.sent[1:], driver.task.outcome]


@case("C18", "receive_json() is given the decoded content, send_json() encodes", both=True)
async def json_round(api, colour):
    app = _echo(colour).as_asgi()
    return [await _answered(api, app, {"text": text}) for text in ('{"a": [1, null]}', "3", '"x"')]


@case("C18", "a binary frame is a ValueError that ends the consumer", both=True)
async def json_binary(api, colour):
    return await _answered(api, _echo(colour).as_asgi(), {"bytes": b"{}"})


@case("C18", "an empty text frame is one, too", both=True)
async def json_empty(api, colour):
    return await _answered(api, _echo(colour).as_asgi(), {"text": ""})


@case("C18", "malformed JSON ends the consumer with the decoder's error", both=True)
async def json_malformed(api, colour):
    return await _answered(api, _echo(colour).as_asgi(), {"text": "{oops"})


@case("C18", "content that JSON does not know ends the consumer with TypeError", both=True)
async def json_unknown_content(api, colour):
    @colour
    class Consumer(colour.JsonWebsocketConsumer):
        def receive_json(self, content, **kwargs):
            yield self.send_json({1, 2})

    return await _answered(api, Consumer.as_asgi(), {"text": "1"})


@case("C18", "encode_json and decode_json may be replaced", both=True)
async def json_codecs(api, colour):
    @colour
    class Consumer(_echo(colour)):
        @classmethod
        def decode_json(cls, text_data):
            return ["decoded", cls.__name__, text_data]

        @classmethod
        def encode_json(cls, content):
            return f"encoded {content}"

    return await _answered(api, Consumer.as_asgi(), {"text": "not json"})


@case("C18", "the async codecs are coroutine functions, the others are not", both=True)
async def json_codecs_colour(api, colour):
    import inspect

    base = colour.JsonWebsocketConsumer
    return [
        [
            name,
            inspect.iscoroutinefunction(getattr(base, name)),
            inspect.ismethod(getattr(base, name)),
        ]
        for name in ("encode_json", "decode_json")
    ]


@case("C18", "send_json(close=...) closes after it", both=True)
async def json_close(api, colour):
    @colour
    class Consumer(colour.JsonWebsocketConsumer):
        def receive_json(self, content, **kwargs):
            yield self.send_json("bye", close=content)

    async def closed(text):
        driver = api.drive(Consumer.as_asgi())
        await driver.connect()
        driver.text(text)
        await driver.until(3)
        return driver.sent[1:]

    return [await closed("true"), await closed("4000")]


@case("C18", "receive(**kwargs) passes them to receive_json()", both=True)
async def json_kwargs(api, colour):
    @colour
    class Consumer(_echo(colour)):
        def receive(self, text_data=None, bytes_data=None, **kwargs):
            yield super().receive(text_data=text_data, bytes_data=bytes_data, extra=1)

    return await _answered(api, Consumer.as_asgi(), {"text": "[]"})


@case("C18", "receive_json() that is not overridden ignores content", both=True)
async def json_default(api, colour):
    driver = api.drive(colour.JsonWebsocketConsumer.as_asgi())
    await driver.connect()
    driver.text("[]")
    return [await driver.disconnect(), driver.sent]


@case("C18", "what is not ASCII is sent escaped", both=True)
async def json_not_ascii(api, colour):
    return await _answered(api, _echo(colour).as_asgi(), {"text": '"gr\\u00fcn ü"'})
