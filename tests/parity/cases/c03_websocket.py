# C9 to C17: the WebSocket consumers, one method after the other.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case

CONNECT = {"type": "websocket.connect"}


@case("C9", "an echo consumer accepts, echoes text and bytes, and ends with its client", both=True)
async def echo(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield self.send(text_data=text_data, bytes_data=bytes_data)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("grün")
    driver.give({"type": "websocket.receive", "bytes": b"\x00\xff"})
    await driver.until(3)
    return [driver.sent, await driver.disconnect()]


@case("C9", "the consumers' classes are subclasses of each other as documented")
async def class_tree(api):
    websocket, consumer = api.generic.websocket, api.consumer
    return [
        issubclass(websocket.WebsocketConsumer, consumer.SyncConsumer),
        issubclass(websocket.AsyncWebsocketConsumer, consumer.AsyncConsumer),
        issubclass(websocket.JsonWebsocketConsumer, websocket.WebsocketConsumer),
        issubclass(websocket.AsyncJsonWebsocketConsumer, websocket.AsyncWebsocketConsumer),
        issubclass(consumer.SyncConsumer, consumer.AsyncConsumer),
        issubclass(api.generic.http.AsyncHttpConsumer, consumer.AsyncConsumer),
    ]


@case("C9", "receive() that is not overridden ignores frames", both=True)
async def receive_default(api, colour):
    driver = api.drive(colour.WebsocketConsumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.disconnect(), driver.sent]


@case("C10", "declared groups are joined before connect() and left before disconnect()", both=True)
async def groups_around(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red", "blue"]

        def connect(self):
            seen.append(api.groups())
            yield self.accept()

        def disconnect(self, code):
            seen.append(api.groups())

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    seen.append(api.groups())
    await driver.disconnect()
    return [*seen, api.groups()]


@case("C10", "groups that are None become a fresh list for each instance", both=True)
async def groups_fresh(api, colour):
    one, two = colour.WebsocketConsumer(), colour.WebsocketConsumer()
    one.groups.append("mine")
    return [colour.WebsocketConsumer.groups, one.groups, two.groups]


@case("C10", "groups set in __init__ are joined", both=True)
async def groups_in_init(api, colour):
    class Consumer(colour.WebsocketConsumer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.groups.append("late")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [api.groups(), await driver.disconnect(), api.groups()]


@case("C10", "groups without a layer are an InvalidChannelLayerError", both=True)
async def groups_without_layer(api, colour):
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

    with api.settings(CHANNEL_LAYERS={}):
        driver = api.drive(Consumer.as_asgi())
        driver.give(CONNECT)
        return [await driver.ended(), driver.sent]


@case("C10", "a group name that is not allowed ends the application with TypeError", both=True)
async def groups_bad_name(api, colour):
    class Consumer(colour.WebsocketConsumer):
        groups = ["no spaces!"]

    driver = api.drive(Consumer.as_asgi())
    driver.give(CONNECT)
    return [await driver.ended(), driver.sent]


@case(
    "C10",
    "groups joined in connect() by hand, which nobody leaves",
    both=True,
    different=Different(
        "A consumer is in no group behind its end; in Channels it may stay there for a day.",
        stock=[{"red": 1}, ["returned", None], {"red": 1}],
        ours=[{"red": 1}, ["returned", None], {}],
    ),
)
async def groups_by_hand(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield colour.layer_call(self.channel_layer.group_add, "red", self.channel_name)
            yield self.accept()

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [api.groups(), await driver.disconnect(), api.groups()]


@case("C10", "a declared group's message reaches each of its members once", both=True)
async def groups_reach_all(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def say(self, message):
            yield self.send(message["text"])

    drivers = [api.drive(Consumer.as_asgi()) for _ in range(3)]
    for driver in drivers:
        await driver.connect()
    await api.layer().group_send("red", {"type": "say", "text": "all"})
    for driver in drivers:
        await driver.until(2)
        await driver.disconnect()
    return [driver.sent for driver in drivers]


@case("C11", "connect() accepts by default", both=True)
async def connect_default(api, colour):
    driver = api.drive(colour.WebsocketConsumer.as_asgi())
    return await driver.connect()


@case("C11", "AcceptConnection accepts, from any depth", both=True)
async def accept_connection(api, colour):
    def deep():
        raise api.exceptions.AcceptConnection

    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            deep()

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [driver.sent, await driver.disconnect()]


@case("C11", "DenyConnection closes before accept", both=True)
async def deny_connection(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            raise api.exceptions.DenyConnection("no")

        def disconnect(self, code):
            seen.append(code)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [driver.sent, await driver.disconnect(1006), seen]


@case("C11", "a refused connection leaves its declared groups", both=True)
async def deny_leaves_groups(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def connect(self):
            raise api.exceptions.DenyConnection

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [api.groups(), await driver.disconnect(1006), api.groups()]


@case("C11", "connect() that does neither answers nothing and stays", both=True)
async def connect_without_answer(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            pass

        def receive(self, text_data=None, bytes_data=None):
            yield self.accept()

    driver = api.drive(Consumer.as_asgi())
    driver.give(CONNECT)
    driver.text("now")
    await driver.until(1)
    return [driver.sent, await driver.disconnect()]


@case("C11", "AcceptConnection outside of connect() is an error like any other", both=True)
async def accept_connection_elsewhere(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            raise api.exceptions.AcceptConnection("late")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.ended(), driver.sent]


async def _accepted(api, colour, *given, **named):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield self.accept(*given, **named)

    driver = api.drive(Consumer.as_asgi())
    return await driver.connect()


@case("C12", "accept(subprotocol) names it", both=True)
async def accept_subprotocol(api, colour):
    return await _accepted(api, colour, "chat")


@case("C12", "accept(headers=...) sends them as a list", both=True)
async def accept_headers(api, colour):
    return await _accepted(api, colour, headers=((b"x-a", b"1"), (b"x-b", b"2")))


@case("C12", "accept() with no or empty headers has no key for them", both=True)
async def accept_empty_headers(api, colour):
    return [
        await _accepted(api, colour, headers=[]),
        await _accepted(api, colour, subprotocol="a", headers=None),
    ]


@case("C13", "text wins whenever it is not None", both=True)
async def receive_text_wins(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, **given):
            seen.append(given)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    for frame in (
        {"text": "t", "bytes": b"b"},
        {"text": "", "bytes": None},
        {"text": None, "bytes": b"b"},
        {"bytes": b""},
        {"text": "only"},
    ):
        driver.give({"type": "websocket.receive", **frame})
    await driver.disconnect()
    return seen


@case("C13", "a frame with neither key is a KeyError", both=True)
async def receive_neither(api, colour):
    driver = api.drive(colour.WebsocketConsumer.as_asgi())
    await driver.connect()
    driver.give({"type": "websocket.receive"})
    return await driver.ended()


async def _said(api, colour, *given, **named):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield self.send(*given, **named)
            yield self.send("after")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    await api.until(lambda: driver.task.outcome or driver.sent[-1].get("text") == "after")
    return [driver.sent[1:], driver.task.outcome]


@case("C14", "send(text) sends text, send(bytes_data=...) bytes", both=True)
async def send_either(api, colour):
    return [
        await _said(api, colour, "t"),
        await _said(api, colour, text_data="t"),
        await _said(api, colour, bytes_data=b"b"),
    ]


@case("C14", "with both, text is sent and bytes are not", both=True)
async def send_both(api, colour):
    return await _said(api, colour, "t", b"b")


@case("C14", "empty text and empty bytes are sent", both=True)
async def send_empty(api, colour):
    return [await _said(api, colour, ""), await _said(api, colour, bytes_data=b"")]


@case("C14", "send() with neither is a ValueError", both=True)
async def send_neither(api, colour):
    return await _said(api, colour)


@case("C14", "send(close=True) closes after it, without a code", both=True)
async def send_close(api, colour):
    return await _said(api, colour, "bye", close=True)


@case("C14", "send(close=4000) closes with that code", both=True)
async def send_close_code(api, colour):
    return await _said(api, colour, "bye", close=4000)


@case("C14", "send(close=False) and close=0 do not close", both=True)
async def send_close_false(api, colour):
    return [await _said(api, colour, "a", close=False), await _said(api, colour, "b", close=0)]


async def _closed(api, colour, *given, **named):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield self.close(*given, **named)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    await driver.until(2)
    return [driver.sent[1:], driver.task.outcome]


@case("C15", "close() has no code, close(True) neither, close(4001) that one", both=True)
async def close_codes(api, colour):
    return [
        await _closed(api, colour),
        await _closed(api, colour, True),
        await _closed(api, colour, 4001),
        await _closed(api, colour, code=0),
    ]


@case("C15", "close(reason=...) gives it when it is not empty", both=True)
async def close_reason(api, colour):
    return [
        await _closed(api, colour, 4001, "enough"),
        await _closed(api, colour, reason="enough"),
        await _closed(api, colour, 4001, reason=""),
    ]


@case("C15", "close() in connect() closes before accept and waits for the disconnect", both=True)
async def close_before_accept(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield self.close(4003)

        def disconnect(self, code):
            seen.append(code)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    running = driver.task.outcome is None
    return [driver.sent, running, await driver.disconnect(1006), seen]


@case("C15", "close() right after accept() in connect() sends both", both=True)
async def close_after_accept(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield self.accept()
            yield self.close(4009)

    driver = api.drive(Consumer.as_asgi())
    driver.give(CONNECT)
    await driver.until(2)
    return [driver.sent, await driver.disconnect(4009)]
