# Several Redis servers side by side: which one holds a name. Pure.
#
# The same rule as Channels' (crc32, its low 12 bits, scaled to the number of servers), for senders
# and receivers alike, and always of the name that is looked for: of a channel with a "!" that is
# the part up to it, since one key serves all consumers of a process. Channels hashes the whole
# name when it sends to one, and so looks for it on another server than the receiver does.

from zlib import crc32

_SLOTS = 4096


def shard_of(name: str, shards: int) -> int:
    """Return which of *shards* servers holds *name*: a number from 0."""
    if shards == 1:
        return 0
    return int((crc32(name.encode()) & (_SLOTS - 1)) / (_SLOTS / shards))
