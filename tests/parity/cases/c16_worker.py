# W1, W2: runworker and Worker.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import logging

from parity._cases import Different, case


class _Record:
    """An application that keeps what it was given."""

    def __init__(self, api, handler=None):
        self.scopes, self.messages = [], []
        self._handler = handler

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        while True:
            message = await receive()
            self.messages.append(message)
            if self._handler:
                await self._handler(message, send)


def _worker(api, app, *channels):
    worker = api.worker.Worker(app, list(channels), api.layer())
    worker.application_checker_interval = 0.01
    run = getattr(worker, "arun", worker.handle)  # with Channels, it is asgiref's
    return worker, api.spawn(run)


@case("W1", "a worker gives a channel's messages to the application, with a scope of type channel")
async def worker_scope(api):
    app = _Record(api)
    _worker(api, app, "jobs")
    await api.layer().send("jobs", {"type": "go", "n": 1})
    await api.layer().send("jobs", {"type": "go", "n": 2})
    await api.until(lambda: len(app.messages) == 2)
    return [app.scopes, app.messages]


@case("W1", "one instance a channel, as many scopes as channels")
async def worker_channels(api):
    app = _Record(api)
    _worker(api, app, "a", "b")
    for name in ("a", "b", "a"):
        await api.layer().send(name, {"type": "go", "to": name})
        await api.sleep(0.01)
    await api.until(lambda: len(app.messages) == 3)
    return [app.scopes, app.messages]


@case("W1", "with ChannelNameRouter and consumers", both=True)
async def worker_consumer(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        def job_run(self, message):
            seen.append([self.scope["channel"], message["n"]])

    app = api.routing.ChannelNameRouter({"jobs": Consumer.as_asgi()})
    _worker(api, app, "jobs")
    for number in range(3):
        await api.layer().send("jobs", {"type": "job.run", "n": number})
    await api.until(lambda: len(seen) == 3)
    return seen


@case("W1", "a consumer's attributes stay from one message to the next", both=True)
async def worker_keeps_instance(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        count = 0

        def job_run(self, message):
            self.count += 1
            seen.append(self.count)

    _worker(api, Consumer.as_asgi(), "jobs")
    for _ in range(3):
        await api.layer().send("jobs", {"type": "job.run"})
    await api.until(lambda: len(seen) == 3)
    return seen


@case(
    "W1",
    "a message without type, and one behind it",
    different=Different(
        "It is logged, and the worker goes on with the next message.",
        stock=[{"raised": "ValueError", "text": "Worker received message with no type."}, []],
        ours=[None, [{"type": "go"}]],
    ),
)
async def worker_no_type(api):
    app = _Record(api)
    _, task = _worker(api, app, "jobs")
    await api.layer().send("jobs", {"n": 1})
    await api.layer().send("jobs", {"type": "go"})
    await api.until(lambda: task.outcome is not None or app.messages)
    return [task.outcome, app.messages]


@case("W1", "a worker without a layer is a ValueError")
async def worker_no_layer(api):
    return api.raised(api.worker.Worker, None, ["jobs"], None)


@case("W1", "runworker without CHANNEL_LAYERS is a CommandError")
async def runworker_no_layers(api):
    from django.core.management import call_command

    with api.settings(CHANNEL_LAYERS={}):
        return api.raised(call_command, api.management.commands.runworker.Command(), "jobs")


@case("W1", "runworker makes a worker of the default application, the channels and the layer")
async def runworker_makes(api):
    from django.core.management import call_command

    seen = []

    class Worker:
        def __init__(self, application, channels, channel_layer):
            seen.append([application.__name__, channels, channel_layer is api.layer()])

        def run(self):
            seen.append("run")

    command = api.management.commands.runworker.Command()
    command.worker_class = Worker
    call_command(command, "jobs", "mail")
    return seen


@case("W1", "runworker --layer takes another layer; no channel is a CommandError")
async def runworker_layer(api):
    from django.core.management import call_command

    seen = []

    class Worker:
        def __init__(self, application, channels, channel_layer):
            seen.append(channel_layer is api.layers.channel_layers["other"])

        def run(self):
            pass

    memory = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    with api.settings(CHANNEL_LAYERS={"default": memory, "other": memory}):
        command = api.management.commands.runworker.Command()
        command.worker_class = Worker
        call_command(command, "jobs", layer="other")
        return [seen, api.raised(call_command, command)]


@case("W2", "an application that fails is logged and made anew at the next message")
async def worker_app_fails(api):
    failed = []

    async def handler(message, send):
        if message["n"] == 1:
            failed.append(1)
            raise LookupError("lost")

    app = _Record(api, handler)
    records = []

    class Handler(logging.Handler):
        def emit(self, record):
            records.append("lost" in record.getMessage() or "lost" in str(record.exc_info))

    root, catcher = logging.getLogger(), Handler(logging.ERROR)
    root.addHandler(catcher)
    try:
        _, task = _worker(api, app, "jobs")
        await api.layer().send("jobs", {"type": "go", "n": 1})
        await api.until(lambda: records)
        await api.sleep(0.05)
        await api.layer().send("jobs", {"type": "go", "n": 2})
        await api.until(lambda: len(app.messages) == 2)
    finally:
        root.removeHandler(catcher)
    return [len(app.scopes), app.messages, any(records), task.outcome]


@case("W2", "an application that stops is made anew at the next message", both=True)
async def worker_app_stops(api, colour):
    seen = []

    @colour
    class Consumer(colour.Consumer):
        def job_run(self, message):
            seen.append(id(self))
            raise api.exceptions.StopConsumer

    _worker(api, Consumer.as_asgi(), "jobs")
    for number in range(2):
        await api.layer().send("jobs", {"type": "job.run"})
        await api.until(lambda number=number: len(seen) == number + 1)
        await api.sleep(0.1)
    return len(seen)


@case(
    "W2",
    "send() of an application below a worker is a NotImplementedError",
    different=Different(
        "The error says what to do instead.",
        stock=[{"raised": "NotImplementedError", "text": "You must implement application_send()"}],
        ours=[
            {
                "raised": "NotImplementedError",
                "text": "a consumer on a channel has nobody to send to. Send to a channel or a"
                " group: await self.channel_layer.send(...)",
            }
        ],
    ),
)
async def worker_send(api):
    outcomes = []

    async def handler(message, send):
        outcomes.append(await api.outcome(send, {"type": "x"}))

    _worker(api, _Record(api, handler), "jobs")
    await api.layer().send("jobs", {"type": "go"})
    await api.until(lambda: outcomes)
    return outcomes


@case("W2", "a listener that has died, while another lives")
async def worker_listener_dies(api):
    app = _Record(api)
    _, task = _worker(api, app, "a", "b")
    await api.layer().send("a", {"n": 1})
    await api.sleep(0.1)
    noticed = task.outcome is not None
    if not noticed:
        await api.layer().send("b", {"type": "go"})
        await api.until(lambda: app.messages)
    return [noticed, len(app.messages)]


@case("W2", "a worker that is cancelled ends")
async def worker_cancelled(api):
    _, task = _worker(api, _Record(api), "jobs")
    await api.sleep(0.02)
    task.cancel()
    return await api.ended(task)
