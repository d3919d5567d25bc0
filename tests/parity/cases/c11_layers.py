# L1 to L4, L7: settings, the manager, the API of a layer, names.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import warnings

from parity._cases import Different, case

MEMORY = "channels.layers.InMemoryChannelLayer"


@case("L1", "CONFIG becomes the backend's arguments")
async def layer_config(api):
    config = {"capacity": 7, "expiry": 5, "group_expiry": 9}
    with api.settings(CHANNEL_LAYERS={"default": {"BACKEND": MEMORY, "CONFIG": config}}):
        layer = api.layer()
    return [type(layer).__name__, layer.capacity, layer.expiry, layer.group_expiry]


@case("L1", "without CONFIG the defaults hold")
async def layer_defaults(api):
    layer = api.layer()
    return [layer.capacity, layer.expiry, layer.group_expiry, layer.MAX_NAME_LENGTH]


@case("L1", "a backend with an argument that it does not know is a TypeError")
async def layer_config_wrong(api):
    config = {"no_such": 1}
    with api.settings(CHANNEL_LAYERS={"default": {"BACKEND": MEMORY, "CONFIG": config}}):
        return type(api.raised(api.layer)).__name__


@case("L1", "a layer of a project's own, by its dotted path")
async def layer_of_own(api):
    backend = "parity._layer.OwnLayer"
    with api.settings(CHANNEL_LAYERS={"default": {"BACKEND": backend, "CONFIG": {"size": 3}}}):
        layer = api.layer()
    return [type(layer).__name__, layer.size]


@case("L1", "errors: no BACKEND, one that cannot be imported, the old key ROUTING")
async def layer_config_errors(api):
    seen = []
    for entry in ({"CONFIG": {}}, {"BACKEND": "no.such.Layer"}, {"BACKEND": MEMORY, "ROUTING": ""}):
        with api.settings(CHANNEL_LAYERS={"default": entry}):
            seen.append(api.raised(api.layer))
    return seen


@case("L2", "get_channel_layer() makes one instance an alias, and keeps it")
async def layer_cached(api):
    get = api.layers.get_channel_layer
    return [get() is get("default"), get() is api.layers.channel_layers["default"]]


@case("L2", "an alias that is not configured is None")
async def layer_unknown(api):
    missing = [api.layers.get_channel_layer("nowhere")]
    with api.settings(CHANNEL_LAYERS={}):
        missing.append(api.layers.get_channel_layer())
    return missing


@case("L2", "get_channel_layer() gives the same in another thread")
async def layer_in_thread(api):
    return await api.in_thread(api.layers.get_channel_layer) is api.layer()


@case("L2", "a layer can be asked for where no loop runs, and sent to with async_to_sync")
async def layer_from_sync(api):
    from asgiref.sync import async_to_sync

    def work():
        layer = api.layers.get_channel_layer()
        name = async_to_sync(layer.new_channel)()
        async_to_sync(layer.send)(name, {"type": "x", "n": 1})
        return name

    name = await api.in_thread(work)
    async with api.fail_after(5):
        return await api.layer().receive(name)


@case("L2", "group_send with async_to_sync from a thread reaches a waiting consumer", both=True)
async def group_send_from_sync(api, colour):
    from asgiref.sync import async_to_sync

    @colour
    class Consumer(colour.WebsocketConsumer):
        groups = ["red"]

        def say(self, message):
            yield self.send(message["text"])

    driver = api.drive(Consumer.as_asgi())
    await driver.connect()

    def work():
        async_to_sync(api.layer().group_send)("red", {"type": "say", "text": "from a view"})

    await api.in_thread(work)
    driver.text("wake up")
    await driver.until(2)
    return [driver.sent, await driver.disconnect()]


@case("L3", "the manager: in, configs, backends, set()")
async def manager(api):
    layers = api.layers.channel_layers
    first = layers["default"]
    other = api.layers.InMemoryChannelLayer()
    return [
        "default" in layers,
        "nowhere" in layers,
        sorted(layers.configs),
        layers.backends["default"] is first,
        layers.set("default", other) is first,
        layers["default"] is other,
        layers.set("fresh", other),
    ]


@case("L3", "make_backend() makes a new one each time; make_test_backend() needs TEST_CONFIG")
async def manager_makes(api):
    layers = api.layers.channel_layers
    one, two = layers.make_backend("default"), layers.make_backend("default")
    missing = api.raised(layers.make_test_backend, "default")
    entry = {"BACKEND": MEMORY, "CONFIG": {"capacity": 1}, "TEST_CONFIG": {"capacity": 2}}
    with api.settings(CHANNEL_LAYERS={"default": entry}):
        return [one is two, missing, layers.make_test_backend("default").capacity]


@case("L3", "an unknown alias of the manager is a KeyError")
async def manager_unknown(api):
    return api.raised(lambda: api.layers.channel_layers["nowhere"])


@case("L3", "override_settings drops what was cached")
async def manager_reset(api):
    before = api.layer()
    with api.settings(CHANNEL_LAYERS={"default": {"BACKEND": MEMORY}}):
        inside = api.layer()
    return [before is inside, inside is api.layer(), before is api.layer()]


@case("L3", "another setting's change leaves the cache alone")
async def manager_other_setting(api):
    before = api.layer()
    with api.settings(DEBUG=True):
        return before is api.layer()


@case("L4", "send and receive, first in, first out")
async def send_receive(api):
    layer = api.layer()
    for number in range(3):
        await layer.send("jobs", {"type": "x", "n": number})
    return [await layer.receive("jobs") for _ in range(3)]


@case("L4", "a reader that waits gets what is sent later")
async def receive_waits(api):
    layer = api.layer()
    task = api.spawn(layer.receive, "jobs")
    await api.sleep(0.01)
    waiting = task.outcome is None
    await layer.send("jobs", {"type": "x"})
    return [waiting, await api.ended(task)]


@case("L4", "several readers of a channel: each message goes to one")
async def several_readers(api):
    layer, received = api.layer(), []
    for _ in range(20):
        tasks = [api.spawn(layer.receive, "jobs") for _ in range(5)]
        await api.sleep(0.001)
        for number in range(5):
            await layer.send("jobs", {"n": number})
        received.append(sorted([(await api.ended(task))[1]["n"] for task in tasks]))
    return received


@case("L4", "a reader that was cancelled takes no message with it")
async def receive_cancelled(api):
    layer = api.layer()
    task = api.spawn(layer.receive, "jobs")
    await api.sleep(0.01)
    task.cancel()
    await api.ended(task)
    await layer.send("jobs", {"n": 1})
    return [task.outcome, await layer.receive("jobs")]


@case("L4", "new_channel(): a name for this process, with the given prefix")
async def new_channel(api):
    layer = api.layer()
    names = [await layer.new_channel(), await layer.new_channel("mine")]
    return [
        *(name.partition("!")[0] for name in names),
        *(len(name.partition("!")[2]) for name in names),
        len({await layer.new_channel() for _ in range(50)}),
        [layer.require_valid_channel_name(name) for name in names],
    ]


@case("L4", "group_add twice is once; group_discard of a stranger is nothing")
async def group_membership(api):
    layer = api.layer()
    await layer.group_add("red", "one")
    await layer.group_add("red", "one")
    await layer.group_discard("red", "two")
    await layer.group_discard("blue", "one")
    before = api.groups()
    await layer.group_send("red", {"type": "x"})
    received = await layer.receive("one")
    await layer.group_discard("red", "one")
    return [before, received, api.groups(), layer.channels == {}]


@case("L4", "group_send reaches all members and nobody else; to an empty group it is nothing")
async def group_send(api):
    layer = api.layer()
    for name in ("one", "two"):
        await layer.group_add("red", name)
    await layer.group_add("blue", "three")
    await layer.group_send("red", {"type": "x"})
    await layer.group_send("nobody", {"type": "x"})
    received = [await layer.receive(name) for name in ("one", "two")]
    return [received, sorted(layer.channels)]


@case("L4", "what is sent to a group does not reach who has left it")
async def group_left(api):
    layer = api.layer()
    await layer.group_add("red", "one")
    await layer.group_discard("red", "one")
    await layer.group_send("red", {"type": "x"})
    return [layer.channels, layer.groups]


@case("L4", "extensions, flush(), close()")
async def extensions(api):
    layer = api.layer()
    await layer.send("jobs", {})
    await layer.group_add("red", "one")
    await layer.flush()
    return [layer.extensions, layer.channels, layer.groups, await layer.close()]


@case("L4", "BaseChannelLayer's own methods are NotImplementedErrors")
async def base_layer(api):
    layer = api.layers.BaseChannelLayer()
    return [
        await api.outcome(layer.send, "a", {}),
        await api.outcome(layer.receive, "a"),
        await api.outcome(layer.new_channel),
        await api.outcome(layer.flush),
        await api.outcome(layer.group_add, "a", "b"),
        await api.outcome(layer.group_discard, "a", "b"),
        await api.outcome(layer.group_send, "a", {}),
    ]


_BAD_CHANNEL, _BAD_GROUP = (
    {
        "raised": "TypeError",
        "text": f"{kind} name must be a valid unicode string with length < 100 containing only"
        " ASCII alphanumerics, hyphens, underscores, or periods.",
    }
    for kind in ("Channel", "Group")
)

GOOD = ["a", "A-9_.z", "a" * 99, "specific.x!abc", "a!", "a!b.c-d_e"]
BAD = ["", "a b", "a" * 100, "ä", "a/b", "!a", "a!b!c", "a:b", 7, None, b"a", ["a"]]


@case("L7", "channel names, good and bad")
async def channel_names(api):
    check = api.layer().require_valid_channel_name
    return [[api.raised(check, name) for name in names] for names in (GOOD, BAD)]


@case("L7", "group names, good and bad")
async def group_names(api):
    check = api.layer().require_valid_group_name
    return [[api.raised(check, name) for name in names] for names in (GOOD, BAD)]


@case("L7", "a name to receive from must end at its !")
async def receive_names(api):
    check = api.layer().require_valid_channel_name
    return [api.raised(check, name, receive=True) for name in ("a", "a!", "a!b")]


@case(
    "L7",
    "a name with a newline at its end",
    different=Different(
        "A newline is no part of a name.",
        stock=[["returned", True], ["returned", True]],
        ours=[_BAD_CHANNEL, _BAD_GROUP],
    ),
)
async def names_newline(api):
    layer = api.layer()
    return [
        api.raised(layer.require_valid_channel_name, "a\n"),
        api.raised(layer.require_valid_group_name, "a\n"),
    ]


@case(
    "L7",
    "letters and digits that are not ASCII, after the ! and before",
    different=Different(
        "Names are ASCII, as the error has always said.",
        stock=[["returned", True], ["returned", True], _BAD_CHANNEL],
        ours=[_BAD_CHANNEL, _BAD_CHANNEL, _BAD_CHANNEL],
    ),
)
async def names_not_ascii(api):
    layer = api.layer()
    return [api.raised(layer.require_valid_channel_name, name) for name in ("a!ü", "a٣", "é")]


@case("L7", "every call of a layer checks its names")
async def calls_check_names(api):
    layer, bad = api.layer(), "no spaces"
    return [
        await api.outcome(layer.send, bad, {}),
        await api.outcome(layer.receive, bad),
        await api.outcome(layer.group_add, bad, "a"),
        await api.outcome(layer.group_add, "a", bad),
        await api.outcome(layer.group_discard, bad, "a"),
        await api.outcome(layer.group_discard, "a", bad),
        await api.outcome(layer.group_send, bad, {}),
    ]


@case("L7", "valid_channel_names() of a list")
async def names_list(api):
    check = api.layer().valid_channel_names
    return [api.raised(check, names) for names in (["a", "b"], [], "ab", ["a", "b c"])]


@case("L7", "valid_channel_name and valid_group_name warn that they are deprecated")
async def names_deprecated(api):
    layer, seen = api.layer(), []
    for check in (layer.valid_channel_name, layer.valid_group_name):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcome = api.raised(check, "a")
        seen.append([outcome, [(w.category.__name__, str(w.message)) for w in caught]])
    return seen


@case("L7", "non_local_name() is the part up to the !")
async def non_local_name(api):
    layer = api.layer()
    return [layer.non_local_name(name) for name in ("a", "a!", "a!b")]
