# T3, T4: the WebSocket communicator, and databases in tests.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case
from parity.cases.c17_testing import SHORT, _async_echo

WAITED_OUT = 0.6
"""Seconds; Channels' communicators wait for all of a timeout before they raise what went wrong."""


def _echo(colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield self.send(text_data=text_data, bytes_data=bytes_data)

    return Consumer.as_asgi()


def _ws(api, app, path="/", **named):
    return api.testing.WebsocketCommunicator(app, path, **named)


@case(
    "T3", "connect, send_to, receive_from, send_json_to, receive_json_from, disconnect", both=True
)
async def ws_communicator(api, colour):
    communicator = _ws(api, _echo(colour))
    seen = [await communicator.connect(10)]
    await communicator.send_to(text_data="t")
    seen.append(await communicator.receive_from(10))
    await communicator.send_to(bytes_data=b"b")
    seen.append(await communicator.receive_from(10))
    await communicator.send_json_to({"a": [1]})
    seen.append(await communicator.receive_json_from(10))
    seen.append(await communicator.disconnect(timeout=10))
    return seen


@case("T3", "the scope that it makes")
async def ws_scope(api):
    communicator = _ws(
        api,
        _async_echo,
        "/a%20b/?x=1%202",
        headers=[(b"x-a", b"1")],
        subprotocols=["chat"],
        spec_version="2.4",
    )
    return [communicator.scope, _ws(api, _async_echo).scope]


@case("T3", "the scope may be changed before connect()", both=True)
async def ws_scope_edited(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield self.accept(self.scope["url_route"]["kwargs"]["room"])

    communicator = _ws(api, Consumer.as_asgi())
    communicator.scope["url_route"] = {"kwargs": {"room": "blue"}}
    return [await communicator.connect(10), await communicator.disconnect(timeout=10)]


@case("T3", "connect() of a refusal is False and the code, 1000 if there is none", both=True)
async def ws_refused(api, colour):
    seen = []
    for given in ((), (4003,)):

        @colour
        class Consumer(colour.WebsocketConsumer):
            def connect(self, given=given):
                yield self.close(*given)

        communicator = _ws(api, Consumer.as_asgi())
        seen.append(await communicator.connect(10))
        seen.append(await communicator.disconnect(timeout=10))
    return seen


@case("T3", "response_headers has the headers of the accept", both=True)
async def ws_response_headers(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield self.accept(headers=[(b"x-a", b"1")])

    seen = []
    for app in (Consumer.as_asgi(), colour.WebsocketConsumer.as_asgi()):
        communicator = _ws(api, app)
        seen.append(communicator.response_headers)
        await communicator.connect(10)
        seen.append(communicator.response_headers)
        await communicator.disconnect(timeout=10)
    return seen


@case("T3", "a path that is no str is a TypeError")
async def ws_path(api):
    return api.raised(_ws, api, _async_echo, b"/")


@case("T3", "send_to() with neither, both, or the wrong type is an AssertionError", both=True)
async def ws_send_to_wrong(api, colour):
    communicator = _ws(api, _echo(colour))
    await communicator.connect(10)
    seen = [
        await api.outcome(communicator.send_to),
        await api.outcome(communicator.send_to, "t", b"b"),
        await api.outcome(communicator.send_to, text_data=b"b"),
        await api.outcome(communicator.send_to, bytes_data="t"),
    ]
    await communicator.disconnect(timeout=10)
    return seen


@case(
    "T3",
    "send_to(text_data='') and send_to(bytes_data=b''): empty messages",
    both=True,
    different=Different(
        "An empty message can be sent, as every browser can.",
        stock=[
            {
                "raised": "AssertionError",
                "text": "You must supply exactly one of text_data or bytes_data",
            },
            {
                "raised": "AssertionError",
                "text": "You must supply exactly one of text_data or bytes_data",
            },
        ],
        ours=["", b""],
    ),
)
async def ws_send_empty(api, colour):
    communicator = _ws(api, _echo(colour))
    await communicator.connect(10)
    seen = []
    for given in ({"text_data": ""}, {"bytes_data": b""}):
        outcome = await api.outcome(communicator.send_to, **given)
        if not isinstance(outcome, Exception):
            outcome = await communicator.receive_from(10)
        seen.append(outcome)
    await communicator.disconnect(timeout=10)
    return seen


def _sending(*messages):
    async def app(scope, receive, send):
        await receive()
        for message in messages:
            await send(message)
        await receive()

    return app


@case("T3", "receive_from() of what is no frame, or a wrong one, is an AssertionError")
async def ws_receive_wrong(api):
    messages = [
        {"type": "websocket.close"},
        {"type": "websocket.send"},
        {"type": "websocket.send", "text": "t", "bytes": b"b"},
        {"type": "websocket.send", "text": b"b"},
        {"type": "websocket.send", "bytes": "t"},
    ]
    communicator = _ws(api, _sending({"type": "websocket.accept"}, *messages))
    await communicator.connect(10)
    seen = [await api.outcome(communicator.receive_from, 10) for _ in messages]
    await communicator.disconnect(timeout=10)
    return seen


@case("T3", "receive_json_from() of a binary frame is an AssertionError, of bad JSON the decoder's")
async def ws_receive_json_wrong(api):
    frames = [{"type": "websocket.send", "bytes": b"1"}, {"type": "websocket.send", "text": "{"}]
    communicator = _ws(api, _sending({"type": "websocket.accept"}, *frames))
    await communicator.connect(10)
    seen = [await api.outcome(communicator.receive_json_from, 10) for _ in frames]
    await communicator.disconnect(timeout=10)
    return seen


@case("T3", "a first message that is neither accept nor close is an AssertionError")
async def ws_connect_wrong(api):
    communicator = _ws(api, _sending({"type": "websocket.send", "text": "x"}))
    outcome = await api.outcome(communicator.connect, 10)
    communicator.stop()
    return type(outcome).__name__


@case("T3", "an exception in connect() is raised from communicator.connect()", both=True)
async def ws_connect_raises(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            raise LookupError("lost")

    return await api.outcome(_ws(api, Consumer.as_asgi()).connect, WAITED_OUT)


@case("T3", "an exception in receive() is raised from the next call", both=True)
async def ws_receive_raises(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            raise LookupError("lost")

    communicator = _ws(api, Consumer.as_asgi())
    await communicator.connect(10)
    await communicator.send_to(text_data="x")
    return await api.outcome(communicator.receive_from, WAITED_OUT)


@case("T3", "an exception in disconnect() is raised from communicator.disconnect()", both=True)
async def ws_disconnect_raises(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def disconnect(self, code):
            raise LookupError("lost")

    communicator = _ws(api, Consumer.as_asgi())
    await communicator.connect(10)
    return await api.outcome(communicator.disconnect, timeout=10)


@case("T3", "disconnect(code) is told to the consumer", both=True)
async def ws_disconnect_code(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def disconnect(self, code):
            seen.append(code)

    for code in ({}, {"code": 4001}):
        communicator = _ws(api, Consumer.as_asgi())
        await communicator.connect(10)
        await communicator.disconnect(timeout=10, **code)
    return seen


@case("T3", "disconnect() of an application that goes on, when its timeout is over")
async def ws_disconnect_hangs(api):
    communicator = _ws(api, _async_echo)
    await communicator.send_input({"type": "websocket.connect"})
    await communicator.receive_output(10)
    return await api.outcome(communicator.disconnect, timeout=SHORT)


@case("T3", "a group message reaches a consumer under a communicator", both=True)
async def ws_group(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def say(self, message):
            yield self.send(message["text"])

    communicator = _ws(api, Consumer.as_asgi())
    await communicator.connect(10)
    await api.layer().group_send("red", {"type": "say", "text": "hi"})
    seen = [await communicator.receive_from(10), await communicator.receive_nothing(SHORT)]
    await communicator.disconnect(timeout=10)
    return [*seen, api.groups()]


@case("T3", "a chat of two communicators, with routers and middleware around it", both=True)
async def ws_chat(api, colour):
    from django.urls import re_path

    @colour
    class Chat(colour.JsonWebsocketConsumer):
        def connect(self):
            self.room = self.scope["url_route"]["kwargs"]["room"]
            yield colour.layer_call(self.channel_layer.group_add, self.room, self.channel_name)
            yield self.accept()

        def disconnect(self, code):
            yield colour.layer_call(self.channel_layer.group_discard, self.room, self.channel_name)

        def receive_json(self, content, **kwargs):
            message = {"type": "chat.message", "text": content["text"]}
            yield colour.layer_call(self.channel_layer.group_send, self.room, message)

        def chat_message(self, event):
            yield self.send_json({"text": event["text"]})

    routes = api.routing.URLRouter([re_path(r"ws/chat/(?P<room>\w+)/$", Chat.as_asgi())])
    app = api.routing.ProtocolTypeRouter({"websocket": api.sessions.SessionMiddlewareStack(routes)})
    pair = [_ws(api, app, f"/ws/chat/{room}/") for room in ("blue", "blue")]
    other = _ws(api, app, "/ws/chat/red/")
    seen = [await one.connect(10) for one in (*pair, other)]
    await pair[0].send_json_to({"text": "hello"})
    seen += [await one.receive_json_from(10) for one in pair]
    seen.append(await other.receive_nothing(SHORT))
    for one in (*pair, other):
        await one.disconnect(timeout=10)
    return [seen, api.groups()]


@case(
    "T4", "what a consumer writes to the database is there for the test", database=True, both=True
)
async def db_seen_by_test(api, colour):
    def create():
        from django.contrib.auth.models import User

        User.objects.create(username="ada")

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield api.db.database_sync_to_async(create)() if colour.is_async else create()
            yield self.send("made")

    def read():
        from django.contrib.auth.models import User

        return [user.username for user in User.objects.all()]

    communicator = _ws(api, Consumer.as_asgi())
    await communicator.connect(10)
    await communicator.send_to(text_data="x")
    await communicator.receive_from(10)
    seen = await api.db.database_sync_to_async(read)()
    await communicator.disconnect(timeout=10)
    return seen


@case("T4", "what a test wrote before is there for the consumer", database=True, both=True)
async def db_seen_by_consumer(api, colour):
    def create():
        from django.contrib.auth.models import User

        User.objects.create(username="ada")

    def read():
        from django.contrib.auth.models import User

        return User.objects.get().username

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            if colour.is_async:
                yield self.send((yield api.db.database_sync_to_async(read)()))
            else:
                yield self.send(read())

    await api.db.database_sync_to_async(create)()
    communicator = _ws(api, Consumer.as_asgi())
    await communicator.connect(10)
    await communicator.send_to(text_data="x")
    seen = await communicator.receive_from(10)
    await communicator.disconnect(timeout=10)
    return seen
