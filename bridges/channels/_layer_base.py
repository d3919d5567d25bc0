# What all channel layers have in common: names, capacities, and what a backend fills in.
#
# A project may have a layer of its own that derives from this class, and call its helpers.

import fnmatch
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

Capacities = list[tuple[re.Pattern[str], int]]


class BaseChannelLayer:
    """
    The base of all channel layers.

    Args:
        expiry: Seconds that a message waits on a channel before it is thrown away.
        capacity: Messages that may wait on one channel.
        channel_capacity: Other capacities: a glob, or a compiled pattern, for names of channels
            to a number of messages. The first that matches counts.
    """

    MAX_NAME_LENGTH = 100
    extensions: Sequence[str] = ()
    channel_name_regex = re.compile(r"[a-zA-Z\d\-_.]+(?:![a-zA-Z\d\-_.]*)?", re.ASCII)
    group_name_regex = re.compile(r"[a-zA-Z\d\-_.]+", re.ASCII)
    invalid_name_error = (
        "{} name must be a valid unicode string with length < 100 containing only ASCII "
        "alphanumerics, hyphens, underscores, or periods."
    )

    def __init__(
        self,
        expiry: float = 60,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
    ) -> None:
        self.expiry = expiry
        self.capacity = capacity
        self.channel_capacity = self.compile_capacities(channel_capacity or {})

    def compile_capacities(self, channel_capacity: Mapping[Any, int]) -> Capacities:
        """Return *channel_capacity* as a list of compiled patterns, each with its capacity."""
        return [
            (re.compile(fnmatch.translate(each)) if isinstance(each, str) else each, capacity)
            for each, capacity in channel_capacity.items()
        ]

    def get_capacity(self, channel: str) -> int:
        """Return how many messages may wait on *channel*."""
        for pattern, capacity in self.channel_capacity:
            if pattern.match(channel):
                return capacity
        return self.capacity

    # -- names ----------------------------------------------------------------------------

    def match_type_and_length(self, name: object) -> bool:
        """Whether *name* is text of less than 100 characters."""
        return isinstance(name, str) and len(name) < self.MAX_NAME_LENGTH

    def require_valid_channel_name(self, name: Any, receive: bool = False) -> bool:
        """
        Return True if *name* is one for a channel.

        Raises:
            TypeError: It is none; or, with *receive*, it goes on after its "!".
        """
        if not (self.match_type_and_length(name) and self.channel_name_regex.fullmatch(name)):
            raise TypeError(self.invalid_name_error.format("Channel"))
        if receive and "!" in name and not name.endswith("!"):
            raise TypeError("Specific channel names in receive() must end at the !")
        return True

    def require_valid_group_name(self, name: Any) -> bool:
        """
        Return True if *name* is one for a group.

        Raises:
            TypeError: It is none.
        """
        if not (self.match_type_and_length(name) and self.group_name_regex.fullmatch(name)):
            raise TypeError(self.invalid_name_error.format("Group"))
        return True

    def valid_channel_names(self, names: list[str], receive: bool = False) -> bool:
        """Return True if each of *names* is one for a channel. Raises TypeError if not."""
        assert names, "names must be a non-empty list"
        assert isinstance(names, list), "names must be a non-empty list"
        for name in names:
            self.require_valid_channel_name(name, receive=receive)
        return True

    def valid_channel_name(self, channel_name: Any, receive: bool = False) -> bool:
        """Do as `require_valid_channel_name`, and warn that this is its old name."""
        warnings.warn(
            "valid_channel_name is deprecated, use require_valid_channel_name instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.require_valid_channel_name(channel_name, receive=receive)

    def valid_group_name(self, group_name: Any) -> bool:
        """Do as `require_valid_group_name`, and warn that this is its old name."""
        warnings.warn(
            "valid_group_name is deprecated, use require_valid_group_name instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.require_valid_group_name(group_name)

    def non_local_name(self, name: str) -> str:
        """Return *name* up to and with its "!": what names the process that receives."""
        head, mark, _ = name.partition("!")
        return head + mark

    # -- what a backend fills in ----------------------------------------------------------

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send *message* to *channel*; at most one reader gets it."""
        raise NotImplementedError("send() should be implemented in a channel layer")

    async def receive(self, channel: str) -> dict[str, Any]:
        """Wait for a message on *channel* and take it."""
        raise NotImplementedError("receive() should be implemented in a channel layer")

    async def new_channel(self) -> str:
        """Return a name for a channel that only this process receives on."""
        raise NotImplementedError("new_channel() should be implemented in a channel layer")

    async def flush(self) -> None:
        """Forget all messages and groups."""
        raise NotImplementedError("flush() not implemented (flush extension)")

    async def group_add(self, group: str, channel: str) -> None:
        """Have *channel* get what is sent to *group*."""
        raise NotImplementedError("group_add() not implemented (groups extension)")

    async def group_discard(self, group: str, channel: str) -> None:
        """Have *channel* no longer get what is sent to *group*."""
        raise NotImplementedError("group_discard() not implemented (groups extension)")

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send *message* to all channels in *group*."""
        raise NotImplementedError("group_send() not implemented (groups extension)")
