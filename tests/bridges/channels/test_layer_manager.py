# The setting CHANNEL_LAYERS, and what all layers have in common, beside stock Channels.

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from channels.layers import BaseChannelLayer as StockLayer
from django.test import override_settings

from greenroom.bridges.channels.exceptions import InvalidChannelLayerError
from greenroom.bridges.channels.layers import (
    DEFAULT_CHANNEL_LAYER,
    BaseChannelLayer,
    ChannelLayerManager,
    InMemoryChannelLayer,
    channel_layers,
    get_channel_layer,
)
from greenroom.bridges.channels.redis import RedisChannelLayer, RedisPubSubChannelLayer

MEMORY = "channels.layers.InMemoryChannelLayer"


def layers(**described: Any) -> Any:
    return override_settings(CHANNEL_LAYERS=described)


@pytest.fixture(autouse=True)
def no_layers() -> Iterator[None]:
    with layers():
        yield


class Own(BaseChannelLayer):
    """A project's own layer."""

    def __init__(self, name: str, **config: Any) -> None:
        super().__init__(**config)
        self.name = name


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (MEMORY, InMemoryChannelLayer),
        ("channels_redis.core.RedisChannelLayer", RedisChannelLayer),
        ("channels_redis.pubsub.RedisPubSubChannelLayer", RedisPubSubChannelLayer),
        ("greenroom.bridges.channels.layers.InMemoryChannelLayer", InMemoryChannelLayer),
    ],
)
def test_stock_backends_lead_to_ours(backend: str, expected: type) -> None:
    """
    The dotted paths of Channels' layers make ours.
    """
    with layers(default={"BACKEND": backend, "CONFIG": {"capacity": 7}}):
        layer = get_channel_layer()
        assert type(layer) is expected
        assert layer.capacity == 7


def test_a_layer_of_ones_own() -> None:
    """
    Any other path is imported as it is, and gets its CONFIG.
    """
    path = f"{__name__}.Own"
    import sys

    sys.modules.setdefault(__name__, sys.modules[Own.__module__])
    with layers(mine={"BACKEND": path, "CONFIG": {"name": "x", "capacity": 3}}):
        layer = get_channel_layer("mine")
        assert (type(layer).__name__, layer.name, layer.capacity) == ("Own", "x", 3)


def test_one_instance_for_each_alias() -> None:
    """
    An alias is made once, also for threads at the same time; an unknown one is None.
    """
    with layers(default={"BACKEND": MEMORY}, other={"BACKEND": MEMORY}):
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: get_channel_layer(), range(50)))
        assert len(set(map(id, made))) == 1
        assert get_channel_layer("other") is not made[0]
        assert get_channel_layer("nothing") is None
        assert "other" in channel_layers
        assert "nothing" not in channel_layers
    assert DEFAULT_CHANNEL_LAYER == "default"


def test_a_changed_setting_makes_new_layers() -> None:
    """
    override_settings has effect, and so has its end.
    """
    assert get_channel_layer() is None
    with layers(default={"BACKEND": MEMORY}):
        first = get_channel_layer()
        with layers(default={"BACKEND": MEMORY}):
            assert get_channel_layer() is not first
    assert get_channel_layer() is None


def test_test_config_and_set() -> None:
    """
    Tests can make a layer with TEST_CONFIG, and put any layer in the place of an alias.
    """
    manager = ChannelLayerManager()
    described = {"BACKEND": MEMORY, "CONFIG": {"capacity": 1}, "TEST_CONFIG": {"capacity": 2}}
    with layers(default=described):
        assert manager.make_backend("default").capacity == 1
        assert manager.make_test_backend("default").capacity == 2
        mine = InMemoryChannelLayer()
        assert manager.set("default", mine) is None
        assert manager["default"] is mine
        assert manager.set("default", None) is mine
        assert manager.configs == {"default": described}


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({}, "No BACKEND specified for default"),
        (
            {"BACKEND": "no.such.Layer"},
            "Cannot import BACKEND 'no.such.Layer' specified for default",
        ),
        (
            {"BACKEND": MEMORY, "ROUTING": "x"},
            "ROUTING key found for default - this is no longer needed in Channels 2.",
        ),
    ],
)
def test_wrong_settings(described: dict[str, Any], said: str) -> None:
    """
    A wrong description is refused in the words of Channels.
    """
    with layers(default=described), pytest.raises(InvalidChannelLayerError, match=re.escape(said)):
        get_channel_layer()


def test_no_test_config() -> None:
    """
    Without TEST_CONFIG there is no layer for tests.
    """
    with (
        layers(default={"BACKEND": MEMORY}),
        pytest.raises(InvalidChannelLayerError, match="No TEST_CONFIG specified for default"),
    ):
        channel_layers.make_test_backend("default")


def test_a_key_error_is_not_swallowed() -> None:
    """
    A layer that can't be made for a KeyError is an error, and not None as in Channels.
    """
    redis = "channels_redis.core.RedisChannelLayer"
    described = {"BACKEND": redis, "CONFIG": {"serializer_format": "nothing"}}
    with layers(default=described), pytest.raises(InvalidChannelLayerError, match="'nothing'"):
        get_channel_layer()


NAMES = ["a", "a!b", "a!", "a!b!c", "!", "", "a b", "a" * 99, "a" * 100, 1, None, "ü", "a/b", "-._"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", ["channel", "receive", "group"])
def test_names_as_in_channels(name: Any, check: str) -> None:
    """
    The same names are taken and refused, in the same words.
    """

    def outcome(layer: Any) -> object:
        try:
            if check == "group":
                return layer.require_valid_group_name(name)
            return layer.require_valid_channel_name(name, receive=check == "receive")
        except TypeError as error:
            return str(error)

    assert outcome(BaseChannelLayer()) == outcome(StockLayer())


@pytest.mark.parametrize("name", ["a\n", "a!b\n", "٣", "a!é"])
def test_stricter_names(name: str) -> None:
    """
    A trailing newline, and digits and letters beyond ASCII, are refused as the error text says.
    """
    with pytest.raises(TypeError, match="only ASCII"):
        BaseChannelLayer().require_valid_channel_name(name)


def test_helpers_of_the_base_class() -> None:
    """
    A layer derived from the base finds Channels' helpers, the deprecated ones with a warning.
    """
    layer = BaseChannelLayer(channel_capacity={"a.*": 1, re.compile("b"): 2})

    assert [layer.get_capacity(name) for name in ("a.x", "bb", "c")] == [1, 2, 100]
    assert [layer.non_local_name(name) for name in ("a!b", "a", "a!")] == ["a!", "a", "a!"]
    assert layer.valid_channel_names(["a", "b!c"])
    with pytest.raises(AssertionError, match="names must be a non-empty list"):
        layer.valid_channel_names([])
    with pytest.warns(DeprecationWarning, match="use require_valid_channel_name"):
        assert layer.valid_channel_name("a")
    with pytest.warns(DeprecationWarning, match="use require_valid_group_name"):
        assert layer.valid_group_name("a")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("send", ("a", {})),
        ("receive", ("a",)),
        ("new_channel", ()),
        ("flush", ()),
        ("group_add", ("a", "b")),
        ("group_discard", ("a", "b")),
        ("group_send", ("a", {})),
    ],
)
async def test_what_a_backend_fills_in(method: str, arguments: tuple[Any, ...]) -> None:
    """
    What a layer does not have says so in the words of Channels.
    """
    with pytest.raises(NotImplementedError) as ours:
        await getattr(BaseChannelLayer(), method)(*arguments)
    with pytest.raises(NotImplementedError) as theirs:
        await getattr(StockLayer(), method)(*arguments)
    assert str(ours.value) == str(theirs.value)
