# D1 to D6: database_sync_to_async, threads, what goes in and out of them.

import contextvars
import sys
import threading

from parity._cases import case


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


@case("D1", "queries in it work, with a connection that is closed afterwards (CONN_MAX_AGE 0)", database=True)
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


@case("D1", "an IntegrityError in a handler leaves the consumer as any exception", database=True, both=True)
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


@case("D2", "a connection that is too old is closed between two handlers", database=True, both=True)
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


@case("D2", "aclose_old_connections() closes those of the thread that serves sync code", database=True)
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


def _meet(met, seconds):
    """Whether another thread comes here, too, within *seconds*."""
    try:
        met.wait(seconds)
    except threading.BrokenBarrierError:
        return False
    return True


@case("D3", "two sync consumers' handlers that wait for each other")
async def sync_handlers_beside_each_other(api):
    met, seen = threading.Barrier(2), []

    class Consumer(api.generic.websocket.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            seen.append(_meet(met, 0.3))

    drivers = [api.drive(Consumer.as_asgi()) for _ in range(2)]
    for driver in drivers:
        await driver.connect()
    for driver in drivers:
        driver.text("x")
    for driver in drivers:
        await driver.disconnect()
    return seen


@case("D3", "an async consumer while a sync consumer's handler blocks its thread")
async def async_beside_blocked_sync(api):
    begun, go = threading.Event(), threading.Event()

    class Blocked(api.generic.websocket.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            begun.set()
            go.wait(10)

    class Quick(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            await self.send("quick")

    blocked, quick = api.drive(Blocked.as_asgi()), api.drive(Quick.as_asgi())
    await blocked.connect()
    await quick.connect()
    blocked.text("x")
    await api.until(begun.is_set)
    quick.text("x")
    await api.sleep(0.15)
    meanwhile = len(quick.sent)
    go.set()
    await quick.until(2)
    return [meanwhile, await quick.disconnect(), await blocked.disconnect()]


@case("D3", "database_sync_to_async calls of two tasks that wait for each other")
async def hops_beside_each_other(api):
    met = threading.Barrier(2)
    call = api.db.database_sync_to_async(_meet)
    tasks = [api.spawn(call, met, 0.3) for _ in range(2)]
    return [await api.ended(task) for task in tasks]


@case("D3", "... with thread_sensitive=False they meet")
async def free_hops_beside_each_other(api):
    met = threading.Barrier(2)
    call = api.db.database_sync_to_async(_meet, thread_sensitive=False)
    tasks = [api.spawn(call, met, 10) for _ in range(2)]
    return [await api.ended(task) for task in tasks]


@case("D4", "ASGI_THREADS in the environment changes nothing for sensitive calls")
async def asgi_threads(api):
    from unittest import mock

    with mock.patch.dict("os.environ", {"ASGI_THREADS": "3"}):
        return await api.db.database_sync_to_async(lambda: "ran")()


async def _below_async_to_sync(api, coroutine_function):
    """What a coroutine function gives that a sync handler calls with async_to_sync."""
    from asgiref.sync import async_to_sync

    seen = []

    class Consumer(api.generic.websocket.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            seen.append(async_to_sync(coroutine_function)())

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.disconnect(), seen]


@case("D5", "a coroutine that a sync handler calls with async_to_sync: is it in the server's thread?")
async def back_to_the_loop(api):
    loop = threading.get_ident()

    async def look():
        return threading.get_ident() == loop

    return await _below_async_to_sync(api, look)


@case("D5", "... and may it use asyncio?")
async def back_to_asyncio(api):
    import asyncio

    async def look():
        await asyncio.sleep(0)
        return await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0, "b"))

    return await _below_async_to_sync(api, look)


@case("D5", "sync_to_async below async_to_sync comes back to the waiting thread")
async def back_to_the_thread(api):
    from asgiref.sync import async_to_sync, sync_to_async

    seen = []

    async def there():
        return await sync_to_async(threading.get_ident)()

    class Consumer(api.generic.websocket.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            seen.append(async_to_sync(there)() == threading.get_ident())

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.disconnect(), seen]


@case("D5", "an exception below async_to_sync comes up in the handler")
async def exception_from_the_loop(api):
    from asgiref.sync import async_to_sync

    seen = []

    async def fail():
        raise LookupError("lost")

    class Consumer(api.generic.websocket.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            try:
                async_to_sync(fail)()
            except LookupError as error:
                seen.append(str(error))

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return [await driver.disconnect(), seen]


@case("D5", "async_to_sync in a plain thread starts a loop of its own")
async def loop_of_its_own(api):
    from asgiref.sync import async_to_sync

    async def answer():
        return 42

    return await api.in_thread(async_to_sync(answer))


@case("D5", "async_to_sync in an async handler is refused")
async def to_sync_in_async(api):
    from asgiref.sync import async_to_sync

    async def answer():
        return 42

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            async_to_sync(answer)()

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("x")
    return type(await driver.ended()).__name__


VARIABLE = contextvars.ContextVar("parity", default="unset")


@case("D6", "context variables go into the thread and come back")
async def context_variables(api):
    VARIABLE.set("outside")

    def work():
        before = VARIABLE.get()
        VARIABLE.set("inside")
        return before

    return [await api.db.database_sync_to_async(work)(), VARIABLE.get()]


@case("D6", "what one handler sets in a context variable, the next handler sees", both=True)
async def context_between_handlers(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            seen.append(VARIABLE.get())
            VARIABLE.set(text_data)

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("a", "b")
    await driver.disconnect()
    return seen


@case("D6", "two connections do not see each other's context variables", both=True)
async def context_of_two(api, colour):
    seen = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            VARIABLE.set(text_data)
            yield self.send("set")

        def disconnect(self, code):
            seen.append(VARIABLE.get())

    drivers = [api.drive(Consumer.as_asgi()) for _ in range(2)]
    for number, driver in enumerate(drivers):
        await driver.connect()
        driver.text(str(number))
        await driver.until(2)
    for driver in drivers:
        await driver.disconnect()
    return seen


@case("D6", "sys.exc_info() of the caller is seen in the thread")
async def exc_info(api):
    def work():
        return sys.exc_info()[0]

    try:
        raise LookupError("lost")
    except LookupError:
        return await api.db.database_sync_to_async(work)()


@case("D6", "a cancellation while the thread works: the task is cancelled, the thread's work ends")
async def cancelled_in_thread(api):
    begun, go, seen = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        go.wait(10)
        seen.append("done")

    task = api.spawn(api.db.database_sync_to_async(work))
    await api.until(begun.is_set)
    task.cancel()
    await api.sleep(0.01)
    go.set()
    outcome = await api.ended(task)
    await api.until(lambda: seen)
    return [outcome, seen]


@case("D6", "threading.local is not carried, a lock taken in one hop can be given back in the next")
async def lock_across_hops(api):
    lock = threading.Lock()
    await api.db.database_sync_to_async(lock.acquire)()
    await api.db.database_sync_to_async(lock.release)()
    return lock.locked()
