# C16, C17: disconnect() and the raw handlers.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case

CONNECT = {"type": "websocket.connect"}


def _consumer(colour, seen, **more):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def disconnect(self, code):
            seen.append(code)

    for name, function in more.items():
        setattr(Consumer, name, colour.method(function))
    return Consumer.as_asgi()


@case("C16", "disconnect() is told the client's code, and the application ends", both=True)
async def disconnect_code(api, colour):
    seen = []
    for code in (1000, 1001, 1006, 4321):
        driver = api.drive(_consumer(colour, seen))
        await driver.connect()
        seen.append(await driver.disconnect(code))
    return seen


@case("C16", "disconnect() runs after a close of the server's", both=True)
async def disconnect_after_server_close(api, colour):
    seen = []

    def receive(self, text_data=None, bytes_data=None):
        yield self.close(4002)

    driver = api.drive(_consumer(colour, seen, receive=receive))
    await driver.connect()
    driver.text("x")
    await driver.until(2)
    return [list(seen), await driver.disconnect(4002), seen]


@case(
    "C16",
    "a disconnect event without a code is a KeyError, as is one without reason fine",
    both=True,
)
async def disconnect_without_code(api, colour):
    seen = []
    driver = api.drive(_consumer(colour, seen))
    await driver.connect()
    driver.give({"type": "websocket.disconnect"})
    first = await driver.ended()
    driver = api.drive(_consumer(colour, seen))
    await driver.connect()
    driver.give({"type": "websocket.disconnect", "code": 1000, "reason": "done"})
    return [first, await driver.ended(), seen]


@case("C16", "disconnect() may still send to the layer", both=True)
async def disconnect_sends_to_layer(api, colour):
    heard = []

    @colour
    class Listener(colour.WebsocketConsumer):
        groups = ["red"]

        def left(self, message):
            heard.append(message["who"])

    def disconnect(self, code):
        yield colour.layer_call(self.channel_layer.group_send, "red", {"type": "left", "who": "me"})

    listener = api.drive(Listener.as_asgi())
    await listener.connect()
    driver = api.drive(_consumer(colour, [], disconnect=disconnect))
    await driver.connect()
    await driver.disconnect()
    await api.until(lambda: heard)
    return heard


@case("C16", "what disconnect() sends to the peer is passed to the server", both=True)
async def disconnect_sends_to_peer(api, colour):
    def disconnect(self, code):
        yield self.send("too late")

    driver = api.drive(_consumer(colour, [], disconnect=disconnect))
    await driver.connect()
    return [await driver.disconnect(), driver.sent]


@case("C16", "StopConsumer in disconnect() is an end like any other", both=True)
async def disconnect_stops(api, colour):
    def disconnect(self, code):
        raise api.exceptions.StopConsumer

    driver = api.drive(_consumer(colour, [], disconnect=disconnect))
    await driver.connect()
    return await driver.disconnect()


@case(
    "C16", "frames that came before the client's close are handled before disconnect()", both=True
)
async def frames_before_disconnect(api, colour):
    seen = []

    def receive(self, text_data=None, bytes_data=None):
        seen.append(text_data)

    driver = api.drive(_consumer(colour, seen, receive=receive))
    await driver.connect()
    driver.text("a", "b", "c")
    await driver.disconnect(1001)
    return seen


@case("C16", "a second disconnect event after the end is never asked for", both=True)
async def disconnect_once(api, colour):
    seen = []
    driver = api.drive(_consumer(colour, seen))
    await driver.connect()
    end = {"type": "websocket.disconnect", "code": 1000}
    driver.give(end, end)
    return [await driver.ended(), seen]


@case(
    "C17",
    "websocket_connect overridden without super: no group, no connect(), no answer",
    both=True,
)
async def raw_connect(api, colour):
    seen = []

    def websocket_connect(self, message):
        seen.append(message)

    app = _consumer(colour, seen, websocket_connect=websocket_connect)
    driver = api.drive(app)
    driver.give(CONNECT)
    return [await driver.disconnect(), seen, driver.sent]


@case("C17", "websocket_receive overridden gets the raw event", both=True)
async def raw_receive(api, colour):
    seen = []

    def websocket_receive(self, message):
        seen.append(message)
        yield self.send("raw")

    driver = api.drive(_consumer(colour, seen, websocket_receive=websocket_receive))
    await driver.connect()
    driver.text("x")
    await driver.until(2)
    return [await driver.disconnect(), seen, driver.sent]


@case("C17", "websocket_disconnect overridden without super: the application goes on", both=True)
async def raw_disconnect_without_super(api, colour):
    seen = []

    def websocket_disconnect(self, message):
        seen.append(message["code"])

    app = _consumer(colour, seen, websocket_disconnect=websocket_disconnect)
    driver = api.drive(app)
    await driver.connect()
    driver.give({"type": "websocket.disconnect", "code": 1000})
    await api.until(lambda: seen)
    await api.sleep(0.02)
    return [driver.task.outcome, await driver.cancelled(), seen]


@case(
    "C17",
    "websocket_disconnect overridden with super: first the subclass's, then disconnect()",
    both=True,
)
async def raw_disconnect_with_super(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def websocket_disconnect(self, message):
            seen.append(["raw", api.groups()])
            yield super().websocket_disconnect(message)

        def disconnect(self, code):
            seen.append([code, api.groups()])

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [await driver.disconnect(), seen]


@case("C17", "send() of the base class takes any message", both=True)
async def raw_send(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            base = api.consumer.AsyncConsumer if colour.is_async else api.consumer.SyncConsumer
            yield base.send(self, {"type": "websocket.http.response.start", "status": 418})

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    await driver.until(2)
    return driver.sent


@case("C17", "a consumer may take events of an invented protocol", both=True)
async def invented_protocol(api, colour):
    @colour
    class Consumer(colour.Consumer):
        def mqtt_publish(self, message):
            yield self.send({"type": "mqtt.ack", "topic": message["topic"], **self.scope["extra"]})

        def mqtt_end(self, message):
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi(), {"type": "mqtt", "extra": {"qos": 1}})
    driver.give({"type": "mqtt.publish", "topic": "t"}, {"type": "mqtt.end"})
    return [await driver.ended(), driver.sent]


@case(
    "C16",
    "groups joined by `groups` after an exception in receive()",
    both=True,
    different=Different(
        "A consumer is in no group behind its end; in Channels it may stay there for a day.",
        stock=[{"raised": "LookupError", "text": "lost"}, {"red": 1}],
        ours=[{"raised": "LookupError", "text": "lost"}, {}],
    ),
)
async def groups_after_exception(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def receive(self, text_data=None, bytes_data=None):
            raise LookupError("lost")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.ended(), api.groups()]


@case(
    "C16",
    "groups joined by `groups` after a cancellation",
    both=True,
    different=Different(
        "A consumer is in no group behind its end; in Channels it may stay there for a day.",
        stock=["cancelled", [], {"red": 1}],
        ours=["cancelled", [], {}],
    ),
)
async def groups_after_cancel(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def disconnect(self, code):
            seen.append(code)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [await driver.cancelled(), seen, api.groups()]
