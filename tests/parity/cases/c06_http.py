# C19, C20: the HTTP consumer, the exceptions.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}


def _body(data, more=False):
    return {"type": "http.request", "body": data, "more_body": more}


@case("C19", "handle() gets the whole body, send_response() answers, the application ends")
async def http_response(api):
    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_response(200, body[::-1], headers=[(b"x-a", b"1")])

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b"ab", True), _body(b"", True), _body(b"c"))
    return [await driver.ended(), driver.sent]


@case("C19", "a request event without body or more_body is a whole empty body")
async def http_no_keys(api):
    seen = []

    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            seen.append(body)

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give({"type": "http.request"})
    return [await driver.ended(), driver.sent, seen]


@case("C19", "headers may be a dict, status is 200 without being said")
async def http_headers_dict(api):
    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_headers(headers={b"x-a": b"1"})
            await self.send_body(b"1", more_body=True)
            await self.send_body(b"2")

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b""))
    return [await driver.ended(), driver.sent]


@case("C19", "no headers are an empty list")
async def http_no_headers(api):
    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_response(204, b"")

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b""))
    return [await driver.ended(), driver.sent]


@case("C19", "a body that is not bytes is an AssertionError after the headers are out")
async def http_text_body(api):
    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_response(200, "text")

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b""))
    return [await driver.ended(), driver.sent]


@case("C19", "status and headers of send_headers() are named only")
async def http_positional(api):
    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_headers(200)

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b""))
    return type(await driver.ended()).__name__


@case("C19", "without handle() it is a NotImplementedError")
async def http_no_handle(api):
    driver = api.drive(api.generic.http.AsyncHttpConsumer.as_asgi(), SCOPE)
    driver.give(_body(b""))
    return await driver.ended()


@case("C19", "disconnect() runs after handle(), and after an exception in it")
async def http_disconnect_after(api):
    seen = []

    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            seen.append("handle")
            if body:
                raise LookupError("lost")

        async def disconnect(self):
            seen.append("disconnect")

    outcomes = []
    for body in (b"", b"x"):
        driver = api.drive(Consumer.as_asgi(), SCOPE)
        driver.give(_body(body))
        outcomes.append(await driver.ended())
    return [outcomes, seen]


@case("C19", "a client that leaves before its body is whole: disconnect() and the end, no handle()")
async def http_disconnect_early(api):
    seen = []

    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            seen.append("handle")

        async def disconnect(self):
            seen.append("disconnect")

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b"a", True), {"type": "http.disconnect"})
    return [await driver.ended(), seen]


@case("C19", "a cancellation while handle() runs: disconnect() runs")
async def http_cancelled(api):
    seen, begun = [], api.event()

    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            begun.set()
            await api.sleep(3600)

        async def disconnect(self):
            seen.append("disconnect")

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b""))
    await begun.wait()
    return [await driver.cancelled(), seen]


@case(
    "C19",
    "the end of the client while handle() runs is not noticed before it returns",
    different=Different(
        "A client that leaves is noticed while handle() runs, and handle() is cancelled.",
        stock=[[], ["returned", None], ["handle ends", "disconnect"]],
        ours=[["disconnect"], ["returned", None], ["disconnect"]],
    ),
)
async def http_disconnect_during_handle(api):
    seen, begun, go = [], api.event(), api.event()

    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            begun.set()
            await go.wait()
            seen.append("handle ends")

        async def disconnect(self):
            seen.append("disconnect")

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b""))
    await begun.wait()
    driver.give({"type": "http.disconnect"})
    await api.sleep(0.03)
    before = list(seen)
    go.set()
    return [before, await driver.ended(), seen]


@case("C19", "a layer message before the body is whole reaches its handler")
async def http_layer_message(api):
    seen = []

    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def http_request(self, message):
            if message.get("more_body"):
                await self.channel_layer.group_add("red", self.channel_name)
                seen.append("joined")
            await super().http_request(message)

        async def handle(self, body):
            await self.send_response(200, body)

        async def tick(self, message):
            seen.append("tick")

    driver = api.drive(Consumer.as_asgi(), SCOPE)
    driver.give(_body(b"a", True))
    await api.until(lambda: seen)
    await api.layer().group_send("red", {"type": "tick"})
    await api.until(lambda: len(seen) == 2)
    driver.give(_body(b"b"))
    return [await driver.ended(), seen, driver.sent]


NAMES = [
    "RequestAborted",
    "RequestTimeout",
    "InvalidChannelLayerError",
    "AcceptConnection",
    "DenyConnection",
    "ChannelFull",
    "MessageTooLarge",
    "StopConsumer",
]


@case("C20", "the exceptions and what they are subclasses of")
async def exceptions_tree(api):
    return {name: [c.__name__ for c in getattr(api.exceptions, name).__mro__] for name in NAMES}


@case("C20", "user code can import what it uses from where Channels has it")
async def import_places(api):
    from importlib import import_module

    places = {
        "": ["DEFAULT_CHANNEL_LAYER"],
        "consumer": ["AsyncConsumer", "SyncConsumer", "get_handler_name"],
        "generic.websocket": [
            *("WebsocketConsumer", "JsonWebsocketConsumer"),
            *("AsyncWebsocketConsumer", "AsyncJsonWebsocketConsumer"),
        ],
        "generic.http": ["AsyncHttpConsumer"],
        "routing": [
            "ProtocolTypeRouter",
            "URLRouter",
            "ChannelNameRouter",
            "get_default_application",
        ],
        "middleware": ["BaseMiddleware"],
        "sessions": [
            "CookieMiddleware",
            "SessionMiddleware",
            "SessionMiddlewareStack",
            "InstanceSessionWrapper",
        ],
        "auth": [
            "AuthMiddleware",
            "AuthMiddlewareStack",
            "get_user",
            "login",
            "logout",
            "UserLazyObject",
        ],
        "security.websocket": ["OriginValidator", "AllowedHostsOriginValidator", "WebsocketDenier"],
        "layers": [
            "BaseChannelLayer",
            "InMemoryChannelLayer",
            "ChannelLayerManager",
            "channel_layers",
            "get_channel_layer",
        ],
        "db": ["database_sync_to_async", "DatabaseSyncToAsync", "aclose_old_connections"],
        "exceptions": NAMES,
        "testing": [
            "ApplicationCommunicator",
            "HttpCommunicator",
            "WebsocketCommunicator",
            "ChannelsLiveServerTestCase",
        ],
        "worker": ["Worker"],
        "utils": ["await_many_dispatch", "name_that_thing"],
        "apps": ["ChannelsConfig"],
        "management.commands.runworker": ["Command"],
    }
    missing = []
    for path, names in places.items():
        module = import_module(f"{api.package}.{path}".rstrip("."))
        missing += [f"{path}.{name}" for name in names if not hasattr(module, name)]
    return missing


@case("C20", "get_handler_name() of messages good and bad")
async def handler_names(api):
    names = api.consumer.get_handler_name
    messages = [{"type": "a.b.c"}, {"type": "plain"}, {"type": "_x"}, {"type": "..x"}, {"typ": 1}]
    return [api.raised(names, message) for message in messages]


@case(
    "C20",
    "name_that_thing() of functions, classes, methods and objects",
    different=Different(
        "Builtins and methods have names, too, where Channels fails.",
        stock=[
            {
                "raised": "AttributeError",
                "text": "'getset_descriptor' object has no attribute '__module__'",
            },
            ["returned", "parity._cases.case"],
            ["returned", "parity.cases.c06_http.Thing"],
            ["returned", "parity.cases.c06_http.Thing"],
            {"raised": "AttributeError", "text": "'Thing' object has no attribute '__name__'"},
            ["returned", "PACKAGE.consumer.AsyncConsumer"],
        ],
        ours=[
            ["returned", "builtins.len"],
            ["returned", "parity._cases.case"],
            ["returned", "parity.cases.c06_http.Thing"],
            ["returned", "parity.cases.c06_http.Thing"],
            ["returned", "parity.cases.c06_http.method"],
            ["returned", "PACKAGE.consumer.AsyncConsumer"],
        ],
    ),
)
async def names_of_things(api):
    class Thing:
        def method(self):
            pass

    name = api.utils.name_that_thing
    things = [len, case, Thing, Thing(), Thing().method, api.consumer.AsyncConsumer]
    return [api.raised(name, thing) for thing in things]
