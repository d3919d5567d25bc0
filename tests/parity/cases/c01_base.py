# C1 to C3: the base consumers, as_asgi().
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import case


@case("C1", "a consumer finds scope, layer and channel name on itself", both=True)
async def base_attributes(api, colour):
    seen = {}

    @colour
    class Consumer(colour.Consumer):
        def look(self, message):
            seen["path"] = self.scope["path"]
            seen["layer"] = self.channel_layer is api.layer()
            seen["name"] = self.channel_name.startswith("specific.")
            seen["receive"] = callable(self.channel_receive)
            yield self.send({"type": "seen"})

    driver = api.drive(Consumer.as_asgi(), {"path": "/here/"})
    driver.give({"type": "look"})
    await driver.until(1)
    return [seen, driver.sent]


@case(
    "C1",
    "without a configured layer, channel_layer is None and there is no channel name",
    both=True,
)
async def base_without_layer(api, colour):
    seen = {}

    @colour
    class Consumer(colour.Consumer):
        def look(self, message):
            seen["layer"] = self.channel_layer
            seen["name"] = hasattr(self, "channel_name")
            seen["receive"] = hasattr(self, "channel_receive")
            raise api.exceptions.StopConsumer

    with api.settings(CHANNEL_LAYERS={}):
        driver = api.drive(Consumer.as_asgi())
        driver.give({"type": "look"})
        return [await driver.ended(), seen]


@case("C1", "an instance is an application too, and is then used for all connections", both=True)
async def instance_is_an_app(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        def look(self, message):
            seen.append([self.scope["path"], id(self)])
            raise api.exceptions.StopConsumer

    instance = Consumer()
    for path in ("/a/", "/b/"):
        driver = api.drive(instance, {"path": path})
        driver.give({"type": "look"})
        await driver.ended()
    return [[path for path, _ in seen], len({identity for _, identity in seen})]


@case("C1", "what base_send holds is what send() uses", both=True)
async def base_send_is_used(api, colour):
    other = []

    async def elsewhere(message):
        other.append(message)

    @colour
    class Consumer(colour.Consumer):
        def go(self, message):
            yield self.base_send({"type": "directly"})
            if colour.is_async:
                self.base_send = elsewhere
            else:
                self.base_send = other.append
            yield self.send({"type": "elsewhere"})
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "go"})
    return [await driver.ended(), driver.sent, other]


@case(
    "C2",
    "a SyncConsumer's handler runs in another thread than the loop, an AsyncConsumer's in it",
    both=True,
)
async def thread_of_handlers(api, colour):
    import threading

    loop, seen = threading.get_ident(), []

    @colour
    class Consumer(colour.Consumer):
        def look(self, message):
            seen.append(threading.get_ident() == loop)
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "look"})
    await driver.ended()
    return seen


@case("C2", "send() inside of a def handler has sent when it returns")
async def sync_send_is_done(api):
    seen = []

    class Consumer(api.consumer.SyncConsumer):
        def go(self, message):
            for number in range(3):
                self.send({"type": "said", "number": number})
                seen.append(len(driver.sent))
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "go"})
    return [await driver.ended(), seen]


@case("C2", "an async def handler on a SyncConsumer is never awaited")
async def async_handler_on_sync(api):
    import gc
    import warnings

    seen = []

    class Consumer(api.consumer.SyncConsumer):
        async def go(self, message):
            seen.append("ran")

        def stop(self, message):
            raise api.exceptions.StopConsumer

    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        driver = api.drive(Consumer.as_asgi())
        driver.give({"type": "go"}, {"type": "stop"})
        outcome = await driver.ended()
        gc.collect()
    return [outcome, seen]


@case("C2", "a def handler on an AsyncConsumer is a TypeError after it has run")
async def sync_handler_on_async(api):
    seen = []

    class Consumer(api.consumer.AsyncConsumer):
        def go(self, message):
            seen.append("ran")

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "go"})
    outcome = await driver.ended()
    return [type(outcome).__name__, seen]


@case("C3", "as_asgi() makes a new consumer for each connection", both=True)
async def as_asgi_makes_new(api, colour):
    made = []

    @colour
    class Consumer(colour.Consumer):
        def __init__(self):
            made.append(self)

        def look(self, message):
            raise api.exceptions.StopConsumer

    app = Consumer.as_asgi()
    before = len(made)
    for _ in range(2):
        driver = api.drive(app)
        driver.give({"type": "look"})
        await driver.ended()
    return [before, len(made), made[0] is made[1]]


@case("C3", "as_asgi()'s keyword arguments go to __init__", both=True)
async def as_asgi_kwargs(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        def __init__(self, *args, **kwargs):
            seen.append([args, kwargs])

        def look(self, message):
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi(room="blue", size=3))
    driver.give({"type": "look"})
    await driver.ended()
    return seen


@case(
    "C3",
    "the application carries its class, its arguments, the class's name and docstring",
    both=True,
)
async def as_asgi_metadata(api, colour):
    from asgiref.sync import iscoroutinefunction

    class Consumer(colour.Consumer):
        """What it says."""

    app = Consumer.as_asgi(a=1)
    return [
        app.consumer_class is Consumer,
        app.consumer_initkwargs,
        app.__name__,
        app.__doc__,
        app.__qualname__.rpartition(".")[2],
        iscoroutinefunction(app),
    ]


@case(
    "C3", "as_asgi() of a WebsocketConsumer accepts arguments that its __init__ ignores", both=True
)
async def websocket_init_kwargs(api, colour):
    driver = api.drive(colour.WebsocketConsumer.as_asgi(anything=1))
    return [await driver.connect(), await driver.disconnect()]
