# C5, C6: two sources, one message at a time; StopConsumer and all other ends of an application.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import case

TICK = {"type": "tick"}


@case("C5", "messages of the client are handled in order, one at a time", both=True)
async def client_order(api, colour):
    seen, running = [], []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            running.append(text_data)
            seen.append([text_data, len(running)])
            yield self.send(text_data)
            running.remove(text_data)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text(*"abcde")
    await driver.until(6)
    return [seen, driver.sent, await driver.disconnect()]


@case("C5", "messages of the layer are handled in order", both=True)
async def layer_order(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

        def tick(self, message):
            seen.append(message["number"])

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    for number in range(20):
        await api.layer().group_send("room", {**TICK, "number": number})
    await api.until(lambda: len(seen) == 20)
    return [seen, await driver.disconnect()]


@case("C5", "while a handler runs, neither source's messages are handled")
async def slow_handler_stops_both(api):
    seen, go, begun = [], api.event(), api.event()

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        groups = ["room"]

        async def receive(self, text_data=None, bytes_data=None):
            if text_data == "slow":
                begun.set()
                await go.wait()
            seen.append(text_data)

        async def tick(self, message):
            seen.append("tick")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("slow", "next")
    await begun.wait()
    await api.layer().group_send("room", TICK)
    await api.sleep(0.03)
    before = list(seen)
    go.set()
    await api.until(lambda: len(seen) == 3)
    return [before, seen[0], sorted(seen[1:]), await driver.disconnect()]


@case("C5", "a group message that a handler sends to itself arrives after that handler", both=True)
async def send_to_self(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

        def receive(self, text_data=None, bytes_data=None):
            yield colour.layer_call(self.channel_layer.group_send, "room", TICK)
            seen.append("receive ends")

        def tick(self, message):
            seen.append("tick")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("go")
    await api.until(lambda: len(seen) == 2)
    return [seen, await driver.disconnect()]


@case("C5", "two connections do not wait for each other")
async def connections_are_apart(api):
    go, begun = api.event(), api.event()

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            if text_data == "slow":
                begun.set()
                await go.wait()
            await self.send(text_data)

    slow, quick = api.drive(Consumer.as_asgi()), api.drive(Consumer.as_asgi())
    await slow.connect()
    await quick.connect()
    slow.text("slow")
    await begun.wait()
    quick.text("quick")
    await quick.until(2)
    observed = [len(slow.sent), quick.sent]
    go.set()
    await slow.until(2)
    return [*observed, slow.sent]


@case("C6", "StopConsumer in any handler ends the application quietly", both=True)
async def stop_consumer(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.ended(), driver.sent]


@case("C6", "StopConsumer in connect() ends it without an answer", both=True)
async def stop_consumer_in_connect(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "websocket.connect"})
    return [await driver.ended(), driver.sent]


@case("C6", "StopConsumer in a handler of a layer message ends it", both=True)
async def stop_consumer_in_layer_handler(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

        def tick(self, message):
            raise api.exceptions.StopConsumer

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await api.layer().group_send("room", TICK)
    return [await driver.ended(), driver.sent]


@case("C6", "a subclass of StopConsumer ends it, too", both=True)
async def stop_consumer_subclass(api, colour):
    class Mine(api.exceptions.StopConsumer):
        pass

    @colour
    class Consumer(colour.Consumer):
        def go(self, message):
            raise Mine

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "go"})
    return await driver.ended()


@case("C6", "any other exception in receive() leaves the application", both=True)
async def exception_in_receive(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield self.send("before")
            raise LookupError("lost")

        def disconnect(self, code):
            seen.append(code)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.ended(), driver.sent, seen]


@case("C6", "an exception in connect() leaves the application before it has answered", both=True)
async def exception_in_connect(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            raise LookupError("lost")

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "websocket.connect"})
    return [await driver.ended(), driver.sent]


@case("C6", "an exception in connect() after accept() leaves it accepted", both=True)
async def exception_after_accept(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            yield self.accept()
            raise LookupError("lost")

    driver = api.drive(Consumer.as_asgi())
    driver.give({"type": "websocket.connect"})
    return [await driver.ended(), driver.sent]


@case("C6", "an exception in disconnect() leaves the application", both=True)
async def exception_in_disconnect(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        def disconnect(self, code):
            raise LookupError("lost")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    return [await driver.disconnect(), driver.sent]


@case("C6", "an exception in a handler of a group message leaves the application", both=True)
async def exception_in_group_handler(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["room"]

        def tick(self, message):
            raise LookupError("lost")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await api.layer().group_send("room", TICK)
    return [await driver.ended(), driver.sent]


@case("C6", "an exception of the server's send leaves the application", both=True)
async def exception_of_send(api, colour):
    async def send(message):
        raise OSError("gone")

    async def receive():
        return {"type": "websocket.connect"}

    app = colour.WebsocketConsumer.as_asgi()
    return await api.outcome(app, {"type": "websocket", "path": "/"}, receive, send)


@case("C6", "an exception of the server's receive leaves the application", both=True)
async def exception_of_receive(api, colour):
    async def send(message):
        pass

    async def receive():
        raise OSError("gone")

    app = colour.WebsocketConsumer.as_asgi()
    return await api.outcome(app, {"type": "websocket", "path": "/"}, receive, send)


@case("C6", "a cancelled application ends as cancelled", both=True)
async def cancelled(api, colour):
    driver = api.drive(colour.WebsocketConsumer.as_asgi())
    await driver.connect()
    return await driver.cancelled()


@case("C6", "a cancellation reaches a running async handler, whose finally runs")
async def cancelled_in_handler(api):
    seen, begun = [], api.event()

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            begun.set()
            try:
                await api.sleep(3600)
            except api.Cancelled:
                seen.append("cancelled")
                raise
            finally:
                seen.append("finally")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    await begun.wait()
    return [await driver.cancelled(), seen]


@case("C6", "after close() the consumer goes on until the client's disconnect is told", both=True)
async def close_does_not_end(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            seen.append(text_data)
            yield self.close()

        def disconnect(self, code):
            seen.append(code)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("first", "second")
    await driver.until(3)
    running = driver.task.outcome is None
    return [running, await driver.disconnect(1000), seen, driver.sent]
