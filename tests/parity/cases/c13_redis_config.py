# L11 to L14: what can be seen of the Redis layers without a Redis, and layers of others.
# With a Redis: c14_redis.py.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different, case

CORE = "channels_redis.core.RedisChannelLayer"
PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"


def _made(api, backend, **config):
    entry = {"BACKEND": backend, "CONFIG": config}
    with api.settings(CHANNEL_LAYERS={"default": entry}):
        return api.raised(api.layer)


@case("L11", "the Redis layer's defaults")
async def redis_defaults(api):
    _, layer = _made(api, CORE)
    return [
        *(layer.prefix, layer.expiry, layer.group_expiry, layer.capacity),
        sorted(layer.extensions),
    ]


@case("L11", "the Redis layer's options")
async def redis_options(api):
    _, layer = _made(
        api, CORE, prefix="p", expiry=7, group_expiry=8, capacity=9, channel_capacity={"a*": 3}
    )
    return [
        *(layer.prefix, layer.expiry, layer.group_expiry, layer.capacity),
        [layer.get_capacity(name) for name in ("abc", "b")],
    ]


@case("L11", "the Redis layer checks names before it asks Redis")
async def redis_names(api):
    _, layer = _made(api, CORE, hosts=["redis://127.0.0.1:1"])
    return [
        await api.outcome(layer.send, "no spaces", {"type": "x"}),
        await api.outcome(layer.group_add, "no spaces", "a"),
        await api.outcome(layer.group_send, "no spaces", {"type": "x"}),
    ]


@case(
    "L11",
    "a Redis that is not there is an error of the call, not of the layer's making",
    different=Different(
        "One error for whichever client is inside, that says what happens next; consumers live on.",
        stock=[
            "ConnectionError",
            "Error 111 connecting to 127.0.0.1:1. Connect call failed ('127.0.0.1', 1).",
        ],
        ours=[
            "RedisUnavailable",
            "Redis at 127.0.0.1:1 can't be reached: [Errno 111] Error connecting to"
            " ('127.0.0.1', 1): Connection refused. It is tried again by itself; until then sending"
            " fails, and consumers live on.",
        ],
    ),
)
async def redis_not_there(api):
    _, layer = _made(api, CORE, hosts=["redis://127.0.0.1:1"])
    outcome = await api.outcome(layer.send, "jobs", {"type": "x"})
    return [type(outcome).__name__, str(outcome)]


@case("L11", "new_channel() of the Redis layer: one prefix a layer, a random rest")
async def redis_new_channel(api):
    _, layer = _made(api, CORE)
    names = [await layer.new_channel() for _ in range(2)] + [await layer.new_channel("mine")]
    heads, tails = [n.partition("!")[0] for n in names], [n.partition("!")[2] for n in names]
    return [
        heads[0] == heads[1],
        [head.partition(".")[0] for head in heads],
        [len(head) for head in heads],
        [len(tail) for tail in tails],
    ]


@case("L12", "the pub/sub layer's extensions")
async def pubsub_extensions(api):
    _, layer = _made(api, PUBSUB)
    return sorted(layer.extensions)


@case("L13", "hosts as a string is a ValueError")
async def hosts_string(api):
    return _made(api, CORE, hosts="redis://127.0.0.1")


@case("L13", "hosts as URLs, pairs, dicts, a unix socket and Sentinel are taken")
async def hosts_forms(api):
    forms = [
        "redis://127.0.0.1:6379/1",
        ("127.0.0.1", 6379),
        {"address": "redis://127.0.0.1:6379"},
        {"host": "127.0.0.1", "port": 6379},
        "unix:///tmp/redis.sock",
        {"sentinels": [("127.0.0.1", 26379)], "master_name": "m", "sentinel_kwargs": {}},
    ]
    seen = []
    for form in forms:
        for backend in (CORE, PUBSUB):
            outcome = _made(api, backend, hosts=[form])
            seen.append(outcome[0] if isinstance(outcome, list) else outcome)
    return seen


@case("L13", "symmetric_encryption_keys as a string is a ValueError")
async def encryption_string(api):
    return _made(api, CORE, symmetric_encryption_keys="secret")


@case("L14", "a project's own layer works under a consumer", both=True)
async def own_layer(api, colour):
    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def say(self, message):
            yield self.send(message["text"])

    backend = {"BACKEND": "parity._layer.WorkingLayer"}
    with api.settings(CHANNEL_LAYERS={"default": backend}):
        layer = api.layer()
        layer.api = api
        driver = api.drive(Consumer.as_asgi())
        await driver.connect()
        await layer.group_send("red", {"type": "say", "text": "hi"})
        await driver.until(2)
        return [driver.sent, await driver.disconnect(), layer.calls]


@case("L14", "a layer without groups is an InvalidChannelLayerError for who declares groups")
async def layer_without_groups(api):
    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        groups = ["red"]

    backend = {"BACKEND": "parity._layer.GrouplessLayer"}
    with api.settings(CHANNEL_LAYERS={"default": backend}):
        api.layer().api = api
        driver = api.drive(Consumer.as_asgi())
        driver.give({"type": "websocket.connect"})
        return [await driver.ended(), driver.sent]
