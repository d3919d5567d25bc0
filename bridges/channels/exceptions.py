"""What code written for Channels raises and catches; Channels' own names."""


class RequestAborted(Exception):
    """The client went away before the whole body of its request was read."""


class RequestTimeout(RequestAborted):
    """The body of a request did not come in time."""


class InvalidChannelLayerError(ValueError):
    """A channel layer is configured wrongly, or one is needed and there is none."""


class AcceptConnection(Exception):
    """Raised below ``connect``, from any depth: accept the connection."""


class DenyConnection(Exception):
    """Raised below ``connect``, from any depth: refuse the connection."""


class ChannelFull(Exception):
    """The channel that was sent to holds as many messages as it may. Nothing was sent."""


class MessageTooLarge(Exception):
    """The message is larger than the layer carries. No layer of ours raises it."""


class StopConsumer(Exception):
    """Raised in a handler: this consumer is done, without an error."""
