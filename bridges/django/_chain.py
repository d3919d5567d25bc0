# Django's chain of middleware taken apart, so that no thread is held while an async view runs.
#
# What Django makes of settings.MIDDLEWARE is one function around the other, and the view is
# called at the bottom of their stack: a thread that waits there for an async view waits for all
# of it. But a MiddlewareMixin is nothing but process_request before and process_response
# behind, and other middleware is often nothing but the first of both, see _passing.py. So the
# same can be done by a loop, which may stop at the view and go on in another thread. It is a
# generator: what it yields is to be awaited by somebody, and the outcome is sent, or thrown,
# into it.
#
# Invariants, with a test of that name in tests/bridges/django/test_chain.py:
#   AS DJANGO'S   whatever the middleware does, it is called in the order in which Django's own
#                 chain calls it, with the same arguments, and the outcome is the same.
#   UNTOUCHED     what somebody else has changed in Django is called, not stood in for.

import functools
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.core.handlers import base, exception
from django.http import HttpRequest
from django.urls import set_urlconf
from django.utils import deprecation
from django.utils.log import log_response

from ._passing import Passing, passing, take_over

Mixin: Any = deprecation.MiddlewareMixin
is_async: Callable[[Any], bool] = vars(base)["iscoroutinefunction"]  # Django's own choice
"""Whether Django takes a function for an async one."""
Layers = tuple[Any, ...]
"""The instances of MiddlewareMixin, or what stands for others, the outermost first."""


class Call(NamedTuple):
    """An async function that is to be called and awaited."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


Passage = Generator[Call, Any, Any]


def take_apart(handler: Any) -> Layers | None:
    """
    Return what the middleware chain of *handler* consists of, the outermost first.

    None if a part of it is more than a MiddlewareMixin and acts not only before the view, or is not
    Django's own any more: then nobody but Django can call it.
    """
    kind = cast("Any", type(handler))
    if not (_is_of(base, kind.get_response) and _is_of(base, kind._get_response)):  # noqa: SLF001
        return None
    if not _is_of(deprecation, Mixin.__call__):
        return None
    layers: list[Any] = []
    converted: Any = handler._middleware_chain  # noqa: SLF001
    while _is_of(exception, converted):
        inner = converted.__wrapped__
        if inner == handler._get_response:  # noqa: SLF001
            take_over(tuple(layers))
            return tuple(layers)
        if not isinstance(inner, Mixin) or type(inner).__call__ is not Mixin.__call__:
            inner = passing(inner)
            if inner is None:
                return None
        layers.append(inner)
        converted = inner.inner if isinstance(inner, Passing) else inner.get_response
    return None


def _is_of(module: Any, function: Any) -> bool:
    """Whether *function* was written in *module*, and is not what somebody put in its place."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename == module.__file__


def passage(handler: Any, layers: Layers, request: HttpRequest) -> Passage:
    """
    Do what ``handler.get_response(request)`` does; yield each `Call` on the way.

    What is sent into it is what the function returned, what is thrown is what it raised.
    """
    set_urlconf(settings.ROOT_URLCONF)
    response = yield from _through(handler, layers, request)
    response._resource_closers.append(request.close)  # noqa: SLF001
    if response.status_code >= 400:
        log_response(
            "%s: %s", response.reason_phrase, request.path, response=response, request=request
        )
    return response


def whole(handler: Any, request: HttpRequest) -> Passage:
    """Do the same by Django's own chain: no `Call` comes out of it."""
    return handler.get_response(request)
    yield  # what makes it a generator


def _through(handler: Any, layers: Layers, request: HttpRequest) -> Passage:
    inside = 0  # how many layers take part on the way out
    response: Any = None
    error: Exception | None = None
    try:
        for layer in layers:
            process = getattr(layer, "process_request", None)
            if process is not None:
                try:
                    response = process(request)
                except Exception as raised:  # noqa: BLE001 - converted, as Django does
                    response, error = _converted(request, raised)
                    break
            inside += 1
            if response:
                break
        else:
            try:
                response = yield from _view(handler, request)
            except Exception as raised:  # noqa: BLE001 - converted, as Django does
                response, error = _converted(request, raised)
        for layer in reversed(layers[:inside]):
            response, error = _out_of(layer, request, response, error)
        if error is not None:
            raise error
        return response
    finally:
        del error  # its traceback holds this frame


def _out_of(
    layer: Any, request: HttpRequest, response: Any, error: Exception | None
) -> tuple[Any, Exception | None]:
    try:
        if error is not None:
            raise error
        process = getattr(layer, "process_response", None)
        return (response if process is None else process(request, response)), None
    except Exception as raised:  # noqa: BLE001 - converted, as Django does
        return _converted(request, raised)
    finally:
        del error


def _converted(request: HttpRequest, raised: Exception) -> tuple[Any, Exception | None]:
    # Called while it is handled: the pages for errors look at sys.exc_info().
    try:
        return exception.response_for_exception(request, raised), None
    except Exception as worse:  # noqa: BLE001 - the next layer's
        return None, worse


def _view(handler: Any, request: HttpRequest) -> Passage:
    callback, args, kwargs = handler.resolve_request(request)
    response: Any = None
    for process_view in handler._view_middleware:  # noqa: SLF001
        response = process_view(request, callback, args, kwargs)
        if response:
            break
    if response is None:
        view = handler.make_view_atomic(callback)
        try:
            if is_async(view):
                response = yield Call(view, (request, *args), kwargs)
            else:
                response = view(request, *args, **kwargs)
        except Exception as error:
            response = handler.process_exception_by_middleware(error, request)
            if response is None:
                raise
    handler.check_response(response, callback)
    if hasattr(response, "render") and callable(response.render):
        response = yield from _rendered(handler, request, response)
    return response


def _rendered(handler: Any, request: HttpRequest, response: Any) -> Passage:
    for process in handler._template_response_middleware:  # noqa: SLF001
        response = process(request, response)
        name = f"{type(_owner(process)).__name__}.process_template_response"
        handler.check_response(response, process, name=name)
    try:
        if is_async(response.render):
            return (yield Call(response.render, (), {}))
        return response.render()
    except Exception as error:
        response = handler.process_exception_by_middleware(error, request)
        if response is None:
            raise
        return response


def _owner(method: Any) -> object:
    inner = method.func if isinstance(method, functools.partial) else method
    return getattr(inner, "__self__", inner)
