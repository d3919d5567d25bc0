# L5, L6, L8 to L10: messages, capacity, expiry, what tests poke at.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import re
import time
from unittest import mock

from parity._cases import Different, case

MEMORY = "channels.layers.InMemoryChannelLayer"


def _layer(api, **config):
    return api.layers.InMemoryChannelLayer(**config)


def _members(layer):
    """The groups that have members, and their members."""
    return {name: list(members) for name, members in layer.groups.items() if members}


@case("L5", "what a message may hold arrives as it was")
async def message_values(api):
    layer = api.layer()
    message = {
        "type": "x",
        "none": None,
        "yes": True,
        "n": 2**62,
        "f": 0.5,
        "s": "ü\x00",
        "b": b"\xff",
        "list": [1, [2, {}]],
        "dict": {"a": {"b": 1}},
        "tuple": (1, 2),
    }
    await layer.send("jobs", message)
    return await layer.receive("jobs")


@case("L5", "a message is copied: who changes it later changes nothing")
async def message_copied(api):
    layer = api.layer()
    message = {"type": "x", "list": [1]}
    await layer.group_add("red", "one")
    await layer.group_add("red", "two")
    await layer.group_send("red", message)
    message["list"].append(2)
    one = await layer.receive("one")
    one["list"].append(3)
    return [one, await layer.receive("two")]


@case("L5", "a message that is no dict is an AssertionError")
async def message_no_dict(api):
    layer = api.layer()
    return [
        await api.outcome(layer.send, "jobs", "text"),
        await api.outcome(layer.send, "jobs", [("type", "x")]),
        await api.outcome(layer.group_send, "red", "text"),
    ]


@case("L5", "a key __asgi_channel__ is refused")
async def message_reserved_key(api):
    outcome = await api.outcome(api.layer().send, "jobs", {"__asgi_channel__": "x"})
    return type(outcome).__name__


@case("L5", "a megabyte arrives")
async def message_megabyte(api):
    layer = api.layer()
    await layer.send("jobs", {"type": "x", "data": b"x" * 2**20})
    return len((await layer.receive("jobs"))["data"])


@case("L5", "a message without a type is carried")
async def message_without_type(api):
    layer = api.layer()
    await layer.send("jobs", {})
    return await layer.receive("jobs")


@case("L6", "send over capacity is ChannelFull with the channel's name; what was there stays")
async def channel_full(api):
    layer = _layer(api, capacity=2)
    outcomes = [await api.outcome(layer.send, "jobs", {"n": number}) for number in range(3)]
    return [outcomes, [await layer.receive("jobs") for _ in range(2)]]


@case("L6", "a channel that was full takes messages again when one is read")
async def channel_full_again(api):
    layer = _layer(api, capacity=1)
    await layer.send("jobs", {"n": 0})
    full = await api.outcome(layer.send, "jobs", {"n": 1})
    first = await layer.receive("jobs")
    return [full, first, await api.outcome(layer.send, "jobs", {"n": 2})]


@case("L6", "group_send to a full member drops for it alone, and says nothing")
async def group_send_full(api):
    layer = _layer(api, capacity=1)
    for name in ("one", "two"):
        await layer.group_add("red", name)
    await layer.send("one", {"n": 0})
    outcome = await api.outcome(layer.group_send, "red", {"n": 1})
    return [outcome, await layer.receive("one"), await layer.receive("two"), layer.channels]


@case("L6", "150 group messages from inside of one handler: how many arrive")
async def group_send_many(api):
    seen, names, done = [], [], api.event()

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        groups = ["red"]

        async def receive(self, text_data=None, bytes_data=None):
            for number in range(150):
                await self.channel_layer.group_send("red", {"type": "tick", "n": number})
            names.append(self.channel_name)
            done.set()

        async def tick(self, message):
            seen.append(message["n"])

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    driver.text("go")
    await done.wait()
    while isinstance(
        await api.outcome(api.layer().send, names[0], {"type": "tick", "n": 150}), Exception
    ):
        await api.sleep(0.005)
    await api.until(lambda: seen[-1:] == [150])
    await driver.disconnect()
    return [len(seen) - 1, seen == sorted(seen)]


@case("L6", "messages to a channel that nobody reads wait there")
async def message_waits(api):
    layer = api.layer()
    await layer.send("jobs", {"n": 1})
    await api.sleep(0.01)
    return [list(layer.channels), await layer.receive("jobs"), list(layer.channels)]


@case("L8", "get_capacity() without channel_capacity is the capacity")
async def capacity_default(api):
    layer = _layer(api, capacity=5)
    return [layer.get_capacity("jobs"), layer.get_capacity("specific.x!y")]


@case("L8", "compile_capacities() of globs and of compiled expressions")
async def capacity_compiled(api):
    compiled = _layer(api).compile_capacities({"http.*": 2, re.compile("^a[bc]$"): 3})
    names = ("http.x", "http", "ab", "abc")
    return [[value, [bool(p.match(name)) for name in names]] for p, value in compiled]


@case(
    "L8",
    "channel_capacity of the in-memory layer: the first pattern that matches",
    different=Different(
        "It works; in Channels every send fails while it is set.",
        stock=[{"raised": "ValueError", "text": "too many values to unpack (expected 2)"}] * 6,
        ours=[
            ["returned", None],
            ["returned", None],
            {"raised": "ChannelFull", "text": "jobs.a"},
            ["returned", None],
            *[{"raised": "ChannelFull", "text": "mail"}] * 2,
        ],
    ),
)
async def capacity_by_channel(api):
    layer = _layer(api, channel_capacity={"jobs.*": 2, "*": 1})
    outcomes = []
    for name in ("jobs.a", "mail"):
        outcomes += [await api.outcome(layer.send, name, {"n": n}) for n in range(3)]
    return outcomes


@case("L9", "an expired message is not delivered to who reads later")
async def message_expires(api):
    layer = _layer(api, expiry=0.02)
    await layer.send("jobs", {"n": "old"})
    await api.sleep(0.05)
    task = api.spawn(layer.receive, "jobs")
    await api.sleep(0.01)
    await layer.send("jobs", {"n": "new"})
    return await api.ended(task)


@case("L9", "a message that expires unread takes its channel out of all groups")
async def expiry_leaves_groups(api):
    layer = _layer(api, expiry=0.02)
    await layer.group_add("red", "one")
    await layer.send("one", {"n": 1})
    await api.sleep(0.05)
    await layer.group_send("red", {"n": 2})
    return [_members(layer), layer.channels]


@case("L9", "a membership older than group_expiry, of a channel that nobody reads")
async def group_expires(api):
    layer = _layer(api, group_expiry=10)
    await layer.group_add("red", "one")
    now = time.time()
    with mock.patch("time.time", return_value=now + 60):
        await layer.group_send("red", {"n": 1})
    return [_members(layer), layer.channels]


@case(
    "L9",
    "a day later, with its socket open, a consumer is still in its groups",
    different=Different(
        "A consumer is in its groups as long as it lives; in Channels it drops out after a day.",
        stock=[[], ["returned", None]],
        ours=[["tick"], ["returned", None]],
    ),
)
async def group_expires_alive(api):
    seen = []

    class Consumer(api.generic.websocket.AsyncWebsocketConsumer):
        groups = ["red"]

        async def tick(self, message):
            seen.append("tick")

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    now = time.time()
    with mock.patch("time.time", return_value=now + 2 * 86400):
        await api.layer().group_send("red", {"type": "tick"})
    await api.sleep(0.05)
    return [seen, await driver.disconnect()]


@case("L10", "channels has a channel while a reader waits, and not when it is empty")
async def memory_channels(api):
    layer = api.layer()
    seen = [list(layer.channels)]
    task = api.spawn(layer.receive, "jobs")
    await api.sleep(0.01)
    seen.append(list(layer.channels))
    await layer.send("jobs", {})
    await api.ended(task)
    return [*seen, list(layer.channels)]


@case("L10", "groups has the time of each join, and no group that is empty")
async def memory_groups(api):
    layer = api.layer()
    await layer.group_add("red", "one")
    members = layer.groups["red"]
    seen = [list(members), abs(members["one"] - time.time()) < 60]
    await layer.group_discard("red", "one")
    return [*seen, layer.groups]


@case("L10", "a reader that was cancelled leaves no channel behind")
async def memory_cancelled(api):
    layer = api.layer()
    task = api.spawn(layer.receive, "jobs")
    await api.sleep(0.01)
    task.cancel()
    await api.ended(task)
    return layer.channels


@case(
    "L10", "while a consumer waits, its channel is in channels; after its end it is not", both=True
)
async def memory_of_consumer(api, colour):
    driver = api.drive(colour.WebsocketConsumer.as_asgi())
    await driver.connect()
    await api.until(lambda: api.layer().channels)
    before = len(api.layer().channels)
    await driver.disconnect()
    return [before, api.layer().channels]


@case("L10", "a direct send to a consumer's channel_name reaches it", both=True)
async def direct_send(api, colour):
    names = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            names.append(self.channel_name)
            yield self.accept()

        def say(self, message):
            yield self.send(message["text"])

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await api.layer().send(names[0], {"type": "say", "text": "only you"})
    await driver.until(2)
    return [driver.sent, await driver.disconnect()]


@case("L10", "a direct send to a consumer that has ended is kept for nobody", both=True)
async def direct_send_after_end(api, colour):
    names = []

    @colour
    class Consumer(colour.WebsocketConsumer):
        def connect(self):
            names.append(self.channel_name)
            yield self.accept()

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()
    await driver.disconnect()
    outcome = await api.outcome(api.layer().send, names[0], {"type": "say"})
    return [outcome, len(api.layer().channels)]
