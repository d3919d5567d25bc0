# L11, L12 with a Redis: each case on both layers, under a prefix of its own.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import functools
import os

from parity._cases import Different, case

BACKENDS = {
    "core": ("L11", "channels_redis.core.RedisChannelLayer"),
    "pubsub": ("L12", "channels_redis.pubsub.RedisPubSubChannelLayer"),
}


def on_redis(fact, layers=("core", "pubsub"), different=None, **config):
    """Enter a case for each of *layers*; it is given (api, make), which makes layers alike."""

    def enter(function):
        for name in layers:
            row, path = BACKENDS[name]

            async def run(api, path=path, name=name):
                made = []
                prefix = f"{function.__name__}-{api.package}"

                def make(**more):
                    options = {"hosts": [os.environ["PARITY_REDIS"]], "prefix": prefix}
                    entry = {"BACKEND": path, "CONFIG": {**options, **config, **more}}
                    with api.settings(CHANNEL_LAYERS={"default": entry}):
                        made.append(api.layer())
                    return made[-1]

                try:
                    async with api.fail_after(10):
                        return await function(api, make)
                finally:
                    for layer in made:
                        await layer.flush()
                        if hasattr(layer, "close_pools"):
                            await layer.close_pools()

            functools.update_wrapper(run, function)
            run.__name__ = f"{function.__name__}-{name}"
            case(row, f"{fact} ({name})", redis=True, different=different)(run)
        return function

    return enter


@on_redis("send and receive of one layer, in order")
async def redis_send_receive(api, make):
    layer = make()
    name = await layer.new_channel()
    for number in range(3):
        await layer.send(name, {"type": "x", "n": number, "b": b"\xff", "t": (1, 2)})
    return [await layer.receive(name) for _ in range(3)]


@on_redis("a group reaches the channels of two processes (two layers)")
async def redis_group(api, make):
    layers = [make(), make()]
    names = [await layer.new_channel() for layer in layers]
    for layer, name in zip(layers, names, strict=True):
        await layer.group_add("red", name)
    tasks = [api.spawn(layer.receive, name) for layer, name in zip(layers, names, strict=True)]
    await api.sleep(0.05)
    await layers[0].group_send("red", {"type": "x", "n": 1})
    return [await api.ended(task) for task in tasks]


@on_redis("a direct send to a channel of another process")
async def redis_direct(api, make):
    here, there = make(), make()
    name = await there.new_channel()
    task = api.spawn(there.receive, name)
    await api.sleep(0.05)
    await here.send(name, {"type": "x", "n": 1})
    return await api.ended(task)


@on_redis("who has left a group gets nothing of it")
async def redis_group_discard(api, make):
    layer = make()
    name = await layer.new_channel()
    await layer.group_add("red", name)
    await layer.group_discard("red", name)
    await layer.group_send("red", {"type": "x", "n": 1})
    await layer.send(name, {"type": "x", "n": 2})
    return await layer.receive(name)


@on_redis("two prefixes do not hear each other")
async def redis_prefix(api, make):
    here, there = make(), make(prefix=f"other-{api.package}")
    name = await here.new_channel()
    await here.group_add("red", name)
    await there.group_send("red", {"type": "x", "n": "other"})
    await here.group_send("red", {"type": "x", "n": "ours"})
    return await here.receive(name)


@on_redis("a normal channel: one of two readers in two processes gets it", layers=("core",))
async def redis_normal_channel(api, make):
    one, two = make(), make()
    await one.send("jobs", {"type": "x", "n": 1})
    return await two.receive("jobs")


@on_redis(
    "over capacity send is ChannelFull",
    layers=("core",),
    capacity=2,
    different=Different(
        "The error says which channel is full.",
        stock=[*[["returned", None]] * 2, {"raised": "ChannelFull", "text": ""}],
        ours=[*[["returned", None]] * 2, {"raised": "ChannelFull", "text": "jobs"}],
    ),
)
async def redis_full(api, make):
    layer = make()
    return [await api.outcome(layer.send, "jobs", {"type": "x", "n": n}) for n in range(3)]


@on_redis("over capacity group_send drops and says nothing", layers=("core",), capacity=1)
async def redis_group_full(api, make):
    layer = make()
    await layer.group_add("red", "jobs")
    for number in range(2):
        await layer.group_send("red", {"type": "x", "n": number})
    first = await layer.receive("jobs")
    await layer.group_send("red", {"type": "x", "n": "last"})
    return [first, await layer.receive("jobs")]


@on_redis("with encryption keys, the first encrypts and all decrypt", layers=("core",))
async def redis_encrypted(api, make):
    old, new = make(symmetric_encryption_keys=["a"]), make(symmetric_encryption_keys=["b", "a"])
    await old.send("jobs", {"type": "x", "n": 1})
    return await new.receive("jobs")


@on_redis("flush() empties all")
async def redis_flush(api, make):
    layer = make()
    name = await layer.new_channel()
    await layer.group_add("red", name)
    await layer.send(name, {"type": "x", "n": "old"})
    await layer.flush()
    await layer.group_send("red", {"type": "x", "n": "to nobody"})
    name = await layer.new_channel()
    await layer.group_add("red", name)
    await layer.send(name, {"type": "x", "n": "new"})
    return await layer.receive(name)


@on_redis("a value that msgpack does not know fails at the sender")
async def redis_unknown_value(api, make):
    layer = make()
    name = await layer.new_channel()
    outcome = await api.outcome(layer.send, name, {"type": "x", "n": {1}})
    return type(outcome).__name__


@on_redis("group_add of a channel of somebody else", layers=("core", "pubsub"))
async def redis_foreign_channel(api, make):
    layer, other = make(), make()
    name = await other.new_channel()
    return await api.outcome(layer.group_add, "red", name)


@on_redis("a consumer in a group, and a send from a plain thread")
async def redis_consumer(api, make):
    from asgiref.sync import async_to_sync

    layer = make()

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        groups = ["red"]

        async def say(self, message):
            await self.send(message["text"])

    api.layers.channel_layers.set("default", layer)
    driver = api.drive(Consumer.as_asgi())
    await driver.connect()

    def work():
        async_to_sync(layer.group_send)("red", {"type": "say", "text": "from a view"})

    await api.in_thread(work)
    await driver.until(2)
    return [driver.sent, await driver.disconnect()]
