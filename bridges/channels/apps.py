from django.apps import AppConfig

from ._install import config_name


class ChannelsConfig(AppConfig):
    """
    The Django app: the commands ``runworker``, ``runserver`` and ``channels_report``.

    ``INSTALLED_APPS = ["greenroom.bridges.channels"]``, in the place of ``"channels"`` and
    ``"daphne"``. Behind ``install_as_channels()`` it is ``"channels"``, for whoever asks.
    """

    name = config_name()
    label = "channels"
    verbose_name = "Channels, on Greenroom"
