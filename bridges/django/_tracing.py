# What tracing needs to know of Django: the errors of views, which Django turns into responses, and
# whether OpenTelemetry's own instrumentation of Django makes the spans of requests already.

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception

from ...supervisor import Options, Root
from ...supervisor._current import CURRENT
from ..asgi._kinds import kinds_of

_THEIRS = "opentelemetry.instrumentation.django."


def refuse_untraceable(options: Options) -> None:
    """
    Refuse the setting TRACING where its extra is missing.

    Raises:
        ImproperlyConfigured: It is.
    """
    try:
        kinds_of(options)
    except ImportError as error:
        raise ImproperlyConfigured(f"TRACING is on, but {error}") from error


@asynccontextmanager
async def views_traced(root: Root) -> AsyncGenerator[None, None]:
    """Have what views raise told of in the spans of *root*, if it makes any."""
    if root.kinds.connection is None:
        yield
        return
    from ..tracing._kinds import TracedKinds

    kinds = cast("TracedKinds", root.kinds)
    kinds.leaves_requests = any(name.startswith(_THEIRS) for name in settings.MIDDLEWARE)

    def tell(**_: object) -> None:
        error = sys.exception()
        if error is not None and CURRENT.get() is root:
            kinds.tracer.error(error)

    got_request_exception.connect(tell, weak=False)
    try:
        yield
    finally:
        got_request_exception.disconnect(tell)
