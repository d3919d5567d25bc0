# T1, T2: the communicators of any application, and of HTTP.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import contextvars

from parity._cases import Different, case

SHORT = 0.05
VARIABLE = contextvars.ContextVar("parity-testing", default="unset")


async def _async_echo(scope, receive, send):
    while True:
        await send(await receive())


def _app(api, app, scope=None):
    return api.testing.ApplicationCommunicator(app, scope or {"type": "x"})


@case("T1", "send_input and receive_output, with the application's own scope")
async def app_communicator(api):
    communicator = _app(api, _async_echo)
    await communicator.send_input({"n": 1})
    await communicator.send_input({"n": 2})
    received = [await communicator.receive_output(10) for _ in range(2)]
    communicator.stop()
    return received


@case("T1", "the application is started by the first input, not before")
async def app_lazy(api):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)
        await send(await receive())

    scope = {"type": "x"}
    communicator = _app(api, app, scope)
    await api.sleep(0.01)
    before = list(seen)
    scope["late"] = 1
    await communicator.send_input({})
    await communicator.receive_output(10)
    await communicator.wait(10)
    return [before, seen]


@case("T1", "the application begins with an empty context")
async def app_context(api):
    VARIABLE.set("of the test")
    seen = []

    async def app(scope, receive, send):
        seen.append(VARIABLE.get())
        await send(await receive())

    communicator = _app(api, app)
    await communicator.send_input({})
    await communicator.receive_output(10)
    await communicator.wait(10)
    return seen


@case("T1", "wait() returns when the application has ended, and raises its exception")
async def app_wait(api):
    async def app(scope, receive, send):
        if (await receive())["fail"]:
            raise LookupError("lost")

    outcomes = []
    for fail in (False, True):
        communicator = _app(api, app)
        await communicator.send_input({"fail": fail})
        outcomes.append(await api.outcome(communicator.wait, 10))
    return outcomes


@case("T1", "wait() for an application that does not end, when its timeout is over")
async def app_wait_timeout(api):
    seen = []

    async def app(scope, receive, send):
        try:
            await api.sleep(3600)
        except api.Cancelled:
            seen.append("cancelled")
            raise

    communicator = _app(api, app)
    await communicator.send_input({})
    outcome = await api.outcome(communicator.wait, SHORT)
    await api.until(lambda: seen)
    return [outcome, seen]


@case(
    "T1",
    "receive_output() of nothing is a TimeoutError, and cancels the application",
    different=Different(
        "The error says what was waited for.",
        stock=[{"raised": "TimeoutError", "text": ""}, ["cancelled"]],
        ours=[
            {"raised": "TimeoutError", "text": "the application sent nothing within 0.05 s"},
            ["cancelled"],
        ],
    ),
)
async def app_receive_timeout(api):
    seen = []

    async def app(scope, receive, send):
        try:
            await api.sleep(3600)
        except api.Cancelled:
            seen.append("cancelled")
            raise

    communicator = _app(api, app)
    await communicator.send_input({})
    outcome = await api.outcome(communicator.receive_output, SHORT)
    await api.until(lambda: seen)
    return [outcome, seen]


@case("T1", "an exception of the application is raised from the next call")
async def app_raises(api):
    async def app(scope, receive, send):
        await receive()
        raise LookupError("lost")

    communicator = _app(api, app)
    await communicator.send_input({})
    await api.sleep(0.02)
    return [
        await api.outcome(communicator.send_input, {}),
        await api.outcome(communicator.receive_output, SHORT),
        await api.outcome(communicator.receive_nothing, SHORT),
        await api.outcome(communicator.wait, SHORT),
    ]


@case("T1", "an exception while receive_output() waits is raised from it")
async def app_raises_while_waiting(api):
    async def app(scope, receive, send):
        await receive()
        raise LookupError("lost")

    communicator = _app(api, app)
    await communicator.send_input({})
    return await api.outcome(communicator.receive_output, SHORT)


@case("T1", "output that was sent before an exception")
async def app_output_before_exception(api):
    async def app(scope, receive, send):
        await send(await receive())
        raise LookupError("lost")

    communicator = _app(api, app)
    await communicator.send_input({"n": 1})
    first = await api.outcome(communicator.receive_output, 10)
    await api.sleep(0.01)
    return [first, await api.outcome(communicator.receive_output, SHORT)]


@case("T1", "receive_nothing() says whether nothing comes, and takes nothing away")
async def app_receive_nothing(api):
    communicator = _app(api, _async_echo)
    await communicator.send_input({"n": 1})
    await api.sleep(0.01)
    seen = [await communicator.receive_nothing(SHORT, 0.01)]
    seen.append(await communicator.receive_output(10))
    seen.append(await communicator.receive_nothing(SHORT, 0.01))
    communicator.stop()
    return seen


@case("T1", "stop() cancels, and raises the exception of one that has ended")
async def app_stop(api):
    async def fails(scope, receive, send):
        await receive()
        raise LookupError("lost")

    outcomes = []
    for app in (_async_echo, fails):
        communicator = _app(api, app)
        outcomes.append(api.raised(communicator.stop))
        await communicator.send_input({})
        await api.sleep(0.02)
        outcomes.append(api.raised(communicator.stop, exceptions=False))
        outcomes.append(api.raised(communicator.stop) if app is fails else None)
    return outcomes


@case("T1", "input and output queues can be looked at")
async def app_queues(api):
    communicator = _app(api, _async_echo)
    seen = [communicator.output_queue.empty(), communicator.input_queue.empty()]
    await communicator.send_input({})
    await api.sleep(0.01)
    seen += [communicator.output_queue.empty(), communicator.output_queue.qsize()]
    communicator.stop()
    return seen


@case("T1", "communicator.future is done when the application is")
async def app_future(api):
    async def app(scope, receive, send):
        await receive()
        return 7

    communicator = _app(api, app)
    before = communicator.future.done()
    await communicator.send_input({})
    await api.until(communicator.future.done)
    return [before, communicator.future.result()]


def _http(api, *given, **named):
    class Consumer(api.generic.http.AsyncHttpConsumer):
        async def handle(self, body):
            scope = self.scope
            text = f"{scope['method']} {scope['path']} {scope['query_string']} {body}"
            await self.send_response(201, text.encode(), headers=scope["headers"])

    return api.testing.HttpCommunicator(Consumer.as_asgi(), *given, **named)


@case("T2", "get_response() of a consumer: status, headers, body")
async def http_communicator(api):
    one = _http(api, "get", "/a%20b/?x=1%202", headers=[(b"x-a", b"1")])
    two = _http(api, "POST", "/", b"body")
    return [await one.get_response(10), await two.get_response(10), one.scope]


@case("T2", "parts of a body are joined; a response without headers has an empty list")
async def http_communicator_parts(api):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        for part in (b"a", b"b"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return await api.testing.HttpCommunicator(app, "GET", "/").get_response(10)


@case("T2", "an exception of the application is raised from get_response()")
async def http_communicator_raises(api):
    async def app(scope, receive, send):
        raise LookupError("lost")

    return await api.outcome(api.testing.HttpCommunicator(app, "GET", "/").get_response, SHORT)


@case("T2", "a body that is not bytes is an AssertionError")
async def http_communicator_body(api):
    outcome = api.raised(_http, api, "GET", "/", "text")
    return type(outcome).__name__


@case("T2", "a wrong first message of the application is an AssertionError")
async def http_communicator_wrong(api):
    async def app(scope, receive, send):
        await send({"type": "http.response.body", "body": b""})

    outcome = await api.outcome(api.testing.HttpCommunicator(app, "GET", "/").get_response, 10)
    return type(outcome).__name__
