# What programs written elsewhere for Channels do, and no row of the inventory thinks of.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case

HELD = (
    "async_to_sync() can't wait on trio's thread, which would stand still: await answer() there,"
    " or call this code in a worker thread."
)
WAITED = (
    "You cannot use AsyncToSync in the same thread as an async event loop - just await the async"
    " function directly."
)


@case("C20", "names that a module of Channels only uses, and that projects import from there")
async def borrowed_names(api):
    from importlib import import_module

    places = {
        "auth": ["get_user_model", "load_backend", "database_sync_to_async", "CookieMiddleware"],
        "consumer": [
            *("DEFAULT_CHANNEL_LAYER", "StopConsumer", "get_channel_layer", "await_many_dispatch"),
            *("async_to_sync", "database_sync_to_async", "aclose_old_connections"),
        ],
        "generic.http": ["AsyncConsumer", "StopConsumer", "aclose_old_connections"],
        "generic.websocket": [
            *("AsyncConsumer", "SyncConsumer", "StopConsumer", "AcceptConnection"),
            *("DenyConnection", "InvalidChannelLayerError", "async_to_sync", "json"),
        ],
        "layers": ["ChannelFull", "InvalidChannelLayerError", "DEFAULT_CHANNEL_LAYER"],
        "security.websocket": ["AsyncWebsocketConsumer"],
    }
    missing = []
    for path, names in places.items():
        module = import_module(f"{api.package}.{path}")
        missing += [f"{path}.{name}" for name in names if not hasattr(module, name)]
        found = {}
        exec(f"from {module.__name__} import *", found)
        missing += [f"* of {path}: {name}" for name in names if name not in found]
    return missing


@case("T1", "a consumer called with a scope that has no type", both=True)
async def scope_without_type(api, colour):
    @colour
    class Consumer(colour.Consumer):
        def job_run(self, message):
            yield self.send({"type": "done", "of": message["n"]})

    communicator = api.testing.ApplicationCommunicator(Consumer.as_asgi(), {})
    await communicator.send_input({"type": "job.run", "n": 1})
    answer = await communicator.receive_output(10)
    communicator.stop()
    return answer


@case("T3", "messages sent before an exception, and what the next calls do", both=True)
async def ws_sent_before_raise(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield self.send("one")
            yield self.send("two")
            raise LookupError("lost")

    communicator = api.testing.WebsocketCommunicator(Consumer.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_to("x")
    calls = [communicator.receive_from] * 2
    return [await api.outcome(call, 1) for call in [*calls, communicator.wait]]


@case("T2", "disconnect() of an HTTP consumer has run when get_response() returns")
async def http_disconnect_is_done(api):
    seen = []

    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_response(200, b"")
            seen.append("handled")

        async def disconnect(self):
            seen.append("disconnect")

    await api.testing.HttpCommunicator(Consumer.as_asgi(), "GET", "/").get_response(10)
    return list(seen)


def _failing(api, error):
    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_response(200, b"")
            if error:
                raise error

        async def disconnect(self):
            raise LookupError("in disconnect")

    return api.drive(Consumer.as_asgi(), {"type": "http"})


@case("C19", "an exception in disconnect() leaves the application")
async def http_disconnect_raises(api):
    driver = _failing(api, None)
    driver.give({"type": "http.request", "body": b""})
    return [await driver.ended(), len(driver.sent)]


@case(
    "C19",
    "an exception in handle(), and another in disconnect()",
    different=Different(
        "What handle() raised comes out, the other is logged; Channels hides the first.",
        stock=[{"raised": "LookupError", "text": "in disconnect"}, 2],
        ours=[{"raised": "KeyError", "text": "'in handle'"}, 2],
    ),
)
async def http_both_raise(api):
    driver = _failing(api, KeyError("in handle"))
    driver.give({"type": "http.request", "body": b""})
    return [await driver.ended(), len(driver.sent)]


@case(
    "C10",
    "an __init__ that forgets super()",
    both=True,
    different=Different(
        "Groups that nobody has set are none, and no error.",
        stock=[{"raised": "TypeError", "text": "'NoneType' object is not iterable"}, []],
        ours=[["returned", None], [{"type": "websocket.accept", "subprotocol": None}]],
    ),
)
async def init_without_super(api, colour):
    class Consumer(colour.WebsocketConsumer):
        def __init__(self):
            self.mine = 1

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "websocket.connect"})
    return [await driver.disconnect(), driver.sent]


@case(
    "D5",
    "what async_to_sync says in an async handler",
    different=Different(
        "The error names what to await.",
        stock={"raised": "RuntimeError", "text": WAITED},
        ours={"raised": "RuntimeError", "text": HELD},
    ),
)
async def to_sync_in_async_text(api):
    from asgiref.sync import async_to_sync

    async def answer():
        return 42

    answer.__qualname__ = "answer"

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            async_to_sync(answer)()

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return await driver.ended()


@case(
    "L10",
    "a layer that overrides send(), and a message to a group",
    different=Different(
        "A group's message is delivered in one go; override group_send() to see it.",
        stock=["jobs"],
        ours=[],
    ),
)
async def memory_send_overridden(api):
    seen = []

    class Layer(api.layers.InMemoryChannelLayer):
        async def send(self, channel, message):
            seen.append(channel)
            await super().send(channel, message)

    layer = Layer()
    await layer.group_add("red", "jobs")
    await layer.group_send("red", {"type": "x"})
    assert await layer.receive("jobs") == {"type": "x"}
    return seen


@case(
    "W1",
    "runworker --layer with a layer that is not configured",
    different=Different(
        "The error names the layer that is missing.",
        stock={
            "raised": "CommandError",
            "text": "You do not have any CHANNEL_LAYERS configured.",
        },
        ours={"raised": "CommandError", "text": "CHANNEL_LAYERS has no 'other'."},
    ),
)
async def runworker_other_layer(api):
    from importlib import import_module

    command = import_module(f"{api.package}.management.commands.runworker").Command()
    options = {"verbosity": 1, "layer": "other", "channels": ["jobs"]}
    return await api.outcome(command.handle, *(), **options)
