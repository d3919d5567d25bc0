from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    """
    The Django app: the commands ``runworker``, ``runserver`` and ``channels_report``.

    ``INSTALLED_APPS = ["greenroom.bridges.channels"]``, in the place of ``"channels"`` and
    ``"daphne"``.
    """

    name = "greenroom.bridges.channels"
    label = "channels"
    verbose_name = "Channels, on Greenroom"
