# Who wanted something done that he may not: a line in the log. The audit log holds what was begun,
# and nobody fills it with what never was.

import logging

from ....supervisor._events import printable

logger = logging.getLogger("greenroom.django")


def tell_denied(name: str, address: str, action: str, codename: str) -> None:
    """
    Log that somebody has tried to act without the permission.

    Args:
        name: Who: of a user or a token.
        address: From where.
        action: What he wanted done.
        codename: What he lacks.
    """
    logger.warning(
        "%s, from %s, wanted %s done without the permission greenroom.%s; nothing was done",
        printable(name),
        printable(address) or "an unknown address",
        action,
        codename,
    )
