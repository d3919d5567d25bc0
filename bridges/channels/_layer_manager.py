# The setting CHANNEL_LAYERS, and the layers that it makes.
#
# Dotted paths of the stock layers lead to ours, which carry the same messages over the same wire;
# any other path is imported as it is. A KeyError from a constructor is not taken for a layer that
# is not configured: it is raised, as an InvalidChannelLayerError.

from collections.abc import Mapping
from threading import RLock
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .exceptions import InvalidChannelLayerError

SETTING = "CHANNEL_LAYERS"
DEFAULT_CHANNEL_LAYER = "default"

_OURS = __package__ or ""
OUR_LAYERS: Mapping[str, str] = {
    "channels.layers.InMemoryChannelLayer": f"{_OURS}.layers.InMemoryChannelLayer",
    "channels_redis.core.RedisChannelLayer": f"{_OURS}.redis.RedisChannelLayer",
    "channels_redis.pubsub.RedisPubSubChannelLayer": f"{_OURS}.redis.RedisPubSubChannelLayer",
}
"""The stock layers, and ours that stand for them."""


class ChannelLayerManager:
    """The layers of this process by alias, each made when it is first asked for."""

    def __init__(self) -> None:
        self.backends: dict[str, Any] = {}
        self._making = RLock()
        setting_changed.connect(self._reset_backends)

    def _reset_backends(self, setting: str, **kwargs: object) -> None:
        """Forget the layers when the setting changes, as override_settings does."""
        if setting == SETTING:
            self.backends = {}

    @property
    def configs(self) -> Mapping[str, Any]:
        """The setting CHANNEL_LAYERS, read when it is looked at: importing needs no settings."""
        return getattr(settings, SETTING, {})

    def make_backend(self, name: str) -> Any:
        """Return a new layer as CHANNEL_LAYERS describes *name*."""
        return self._make_backend(name, self.configs[name].get("CONFIG", {}))

    def make_test_backend(self, name: str) -> Any:
        """
        Return a new layer for tests, made with TEST_CONFIG.

        Raises:
            InvalidChannelLayerError: There is no TEST_CONFIG.
        """
        try:
            config = self.configs[name]["TEST_CONFIG"]
        except KeyError:
            raise InvalidChannelLayerError(f"No TEST_CONFIG specified for {name}") from None
        return self._make_backend(name, config)

    def _make_backend(self, name: str, config: Mapping[str, Any]) -> Any:
        described = self.configs[name]
        if "ROUTING" in described:
            raise InvalidChannelLayerError(
                f"ROUTING key found for {name} - this is no longer needed in Channels 2."
            )
        try:
            backend = described["BACKEND"]
        except KeyError:
            raise InvalidChannelLayerError(f"No BACKEND specified for {name}") from None
        try:
            layer_class = import_string(OUR_LAYERS.get(backend, backend))
        except ImportError as error:
            raise InvalidChannelLayerError(
                f"Cannot import BACKEND {backend!r} specified for {name}"
            ) from error
        try:
            return layer_class(**config)
        except KeyError as error:
            raise InvalidChannelLayerError(
                f"BACKEND {backend!r} specified for {name} can't be made of its CONFIG: {error!r}"
            ) from error

    def __getitem__(self, key: str) -> Any:
        try:
            return self.backends[key]
        except KeyError:
            with self._making:  # two threads get the same one
                backends = self.backends
                if key not in backends:
                    backends[key] = self.make_backend(key)
                return backends[key]

    def __contains__(self, key: object) -> bool:
        return key in self.configs

    def set(self, key: str, layer: Any) -> Any:
        """Have *key* stand for *layer* from now on, as tests do; return the one before, or None."""
        before = self.backends.get(key)
        self.backends[key] = layer
        return before


channel_layers = ChannelLayerManager()


def get_channel_layer(alias: str = DEFAULT_CHANNEL_LAYER) -> Any:
    """
    Return the layer for *alias*, the same each time; None if none is configured. Any thread.

    Raises:
        InvalidChannelLayerError: It is configured wrongly.
    """
    try:
        return channel_layers[alias]
    except KeyError:
        return None
