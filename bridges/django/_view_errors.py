# What a view raises becomes a response with status 500, and its caller never knows what it was. A
# test wants to.

import sys
from collections.abc import Callable
from typing import Any

from django.core.signals import got_request_exception


def on_view_errors(tell: Callable[[str, BaseException], object]) -> Callable[[], object]:
    """
    Call *tell* with the path of each request whose view raises, and with what it raised.

    In the thread of the view. 404, 403 and what else Django has an answer for are no errors.

    Returns:
        A function that ends it.
    """

    def look(sender: object, **facts: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            tell(getattr(facts.get("request"), "path", "?"), error)

    got_request_exception.connect(look, weak=False)
    return lambda: got_request_exception.disconnect(look)
