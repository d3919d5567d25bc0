# D3 to D6: threads, and what goes in and out of them.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import contextvars
import sys
import threading

from parity._cases import Different, case


def _meet(met, seconds):
    """Whether another thread comes here, too, within *seconds*."""
    try:
        met.wait(seconds)
    except threading.BrokenBarrierError:
        return False
    return True


@case(
    "D3",
    "two sync consumers' handlers that wait for each other",
    different=Different(
        "Handlers of different connections run beside each other, in a pool of threads.",
        stock=[False, False],
        ours=[True, True],
    ),
)
async def sync_handlers_beside_each_other(api):
    met, seen = threading.Barrier(2), []

    class Consumer(api.generic.websocket.WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            seen.append(_meet(met, 1))

    drivers = [api.drive(Consumer.as_asgi()) for _ in range(2)]
    for driver in drivers:
        await driver.connect()
    for driver in drivers:
        driver.text("x")
    for driver in drivers:
        await driver.disconnect()
    return seen


@case(
    "D3",
    "an async consumer while a sync consumer's handler blocks its thread",
    different=Different(
        "Nobody shares a thread: a blocked sync consumer holds up nobody else.",
        stock=[1, ["returned", None], ["returned", None]],
        ours=[2, ["returned", None], ["returned", None]],
    ),
)
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
    for _ in range(100):
        if len(quick.sent) == 1:
            await api.sleep(0.01)
    meanwhile = len(quick.sent)
    go.set()
    await quick.until(2)
    return [meanwhile, await quick.disconnect(), await blocked.disconnect()]


@case(
    "D3",
    "database_sync_to_async calls of two tasks that wait for each other",
    different=Different(
        "Calls of different tasks run beside each other, in a pool of threads.",
        stock=[["returned", False], ["returned", False]],
        ours=[["returned", True], ["returned", True]],
    ),
)
async def hops_beside_each_other(api):
    met = threading.Barrier(2)
    call = api.db.database_sync_to_async(_meet)
    tasks = [api.spawn(call, met, 1) for _ in range(2)]
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


@case(
    "D5",
    "a coroutine that a sync handler calls with async_to_sync: is it in the server's thread?",
    different=Different(
        "It is taken for asyncio code, and runs on the asyncio loop beside trio.",
        stock=[["returned", None], [True]],
        ours=[["returned", None], [False]],
    ),
)
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
