# D1, D2: database_sync_to_async, and when connections are closed.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import threading

from parity._cases import Different, case


def _is_open():
    """Use this thread's connection, and say whether it was open before."""
    from django.db import connection

    was_open = connection.connection is not None
    connection.ensure_connection()
    return was_open


@case("D1", "database_sync_to_async as a function: arguments, result, exception")
async def to_async_function(api):
    def work(a, b=1):
        if a == b:
            raise LookupError("lost")
        return [a, b]

    wrapped = api.db.database_sync_to_async(work)
    return [await wrapped(2), await wrapped(3, b=4), await api.outcome(wrapped, 1)]


@case("D1", "... as a decorator, of a function and of a method")
async def to_async_decorator(api):
    @api.db.database_sync_to_async
    def work(a):
        return a + 1

    class Thing:
        base = 10

        @api.db.database_sync_to_async
        def method(self, a):
            return self.base + a

    return [await work(1), await Thing().method(1)]


@case("D1", "... with arguments: thread_sensitive and executor")
async def to_async_arguments(api):
    from concurrent.futures import ThreadPoolExecutor

    free = api.db.database_sync_to_async(lambda: "free", thread_sensitive=False)
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        made = api.db.database_sync_to_async(
            lambda: threading.current_thread().name[:4], thread_sensitive=False, executor=executor
        )
        return [await free(), await made()]


@case("D1", "it runs in another thread than the loop's")
async def to_async_thread(api):
    here = threading.get_ident()
    return await api.db.database_sync_to_async(lambda: threading.get_ident() != here)()


@case(
    "D1",
    "queries in it work, with a connection that is closed afterwards (CONN_MAX_AGE 0)",
    database=True,
)
async def to_async_closes(api):
    return [await api.db.database_sync_to_async(_is_open)() for _ in range(3)]


@case("D1", "an async function is refused")
async def to_async_of_async(api):
    async def work():
        pass

    outcome = api.raised(api.db.database_sync_to_async, work)
    return outcome if isinstance(outcome, Exception) else "taken"


@case("D1", "it is asgiref's SyncToAsync with more")
async def to_async_class(api):
    from asgiref.sync import SyncToAsync

    return [
        api.db.database_sync_to_async is api.db.DatabaseSyncToAsync,
        issubclass(api.db.DatabaseSyncToAsync, SyncToAsync),
    ]


@case("D1", "async ORM methods in an async consumer", database=True)
async def async_orm(api):
    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            from django.contrib.auth.models import User

            await User.objects.acreate(username=text_data)
            await self.send(str(await User.objects.acount()))

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("ada", "eve")
    await driver.until(3)
    return [driver.sent[1:], await driver.disconnect()]


@case("D1", "the ORM in a sync consumer", database=True)
async def sync_orm(api):
    class Consumer(api.generic.websocket.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            from django.contrib.auth.models import User

            User.objects.create(username=text_data)
            self.send(str(User.objects.count()))

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("ada", "eve")
    await driver.until(3)
    return [driver.sent[1:], await driver.disconnect()]


@case(
    "D1",
    "an IntegrityError in a handler leaves the consumer as any exception",
    database=True,
    both=True,
)
async def orm_error(api, colour):
    def create():
        from django.contrib.auth.models import User

        User.objects.create(username="ada")

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            yield api.db.database_sync_to_async(create)() if colour.is_async else create()
            yield self.send("made")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("1", "2")
    outcome = await driver.ended()
    return [type(outcome).__name__, driver.sent[1:]]


@case("D1", "the synchronous ORM in an async handler", database=True)
async def sync_orm_in_async(api):
    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            from django.contrib.auth.models import User

            User.objects.count()

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    outcome = await driver.ended()
    return [type(outcome).__name__, str(outcome)[:41]]


@case(
    "D2",
    "a connection that is too old is closed between two handlers",
    database=True,
    both=True,
    different=Different(
        "Connections are closed after a second without work, so that a burst pays for one.",
        stock=[False, False],
        ours=[False, True],
    ),
)
async def closed_between_handlers(api, colour):
    from asgiref.sync import sync_to_async

    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            opened = yield (sync_to_async(_is_open)() if colour.is_async else _is_open())
            seen.append(opened)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("a", "b")
    await driver.disconnect()
    return seen


@case(
    "D2", "aclose_old_connections() closes those of the thread that serves sync code", database=True
)
async def aclose(api):
    from asgiref.sync import sync_to_async

    await api.db.aclose_old_connections()
    first = await sync_to_async(_is_open)()
    second = await sync_to_async(_is_open)()
    result = await api.db.aclose_old_connections()
    return [first, second, result, await sync_to_async(_is_open)()]


@case("D2", "within one handler the connection stays open", database=True)
async def open_within_handler(api):
    from asgiref.sync import sync_to_async

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            await sync_to_async(_is_open)()
            self.again = await sync_to_async(_is_open)()
            await self.send(str(self.again))

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    await driver.until(2)
    return [driver.sent[1:], await driver.disconnect()]
