# `manage.py runworker CHANNEL ...`: consumers for plain channels, each supervised.

import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ....asgi import Application
from ....django.management.commands.serve import load_application
from ...layers import DEFAULT_CHANNEL_LAYER, InMemoryChannelLayer, get_channel_layer
from ...worker import Worker

logger = logging.getLogger("django.channels.worker")


class Command(BaseCommand):
    """Runs the consumers of ASGI_APPLICATION for channels, until a signal says stop."""

    help = "Runs consumers for the messages of plain channels, each supervised."
    leave_locale_alone = True
    worker_class = Worker

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare ``--layer`` and the channels."""
        parser.add_argument(
            "--layer",
            dest="layer",
            default=DEFAULT_CHANNEL_LAYER,
            help="Channel layer alias to use, if not the default.",
        )
        parser.add_argument("channels", nargs="+", help="Channels to listen on.")

    def handle(self, *_: Any, **options: Any) -> None:
        """
        Work until a signal says stop.

        Raises:
            CommandError: There is no layer, or nothing that serves channels.
        """
        alias: str = options["layer"]
        layer = get_channel_layer(alias)
        if layer is None:
            if alias == DEFAULT_CHANNEL_LAYER:
                raise CommandError("You do not have any CHANNEL_LAYERS configured.")
            raise CommandError(f"CHANNEL_LAYERS has no {alias!r}.")
        channels: list[str] = options["channels"]
        application = load_application()
        if not _serves_channels(application):
            raise CommandError(
                "ASGI_APPLICATION serves no channels."
                ' Write ProtocolTypeRouter({"channel": ChannelNameRouter({'
                f'"{channels[0]}": MyConsumer.as_asgi()}}), "http": ..., "websocket": ...}}).'
            )
        if isinstance(layer, InMemoryChannelLayer):
            self.stderr.write(
                "The layer in memory reaches this process only: no other one's messages come here."
            )
        logger.info("Running worker for channels %s", channels)
        self.worker_class(application=application, channels=channels, channel_layer=layer).run()


def _serves_channels(application: Any) -> bool:
    """Whether it can be: a Greenroom(...) does not, nor does a router without that type."""
    mapping = getattr(application, "application_mapping", None)
    if mapping is not None:
        return "channel" in mapping
    return not isinstance(application, Application)
