# The middleware chain taken apart, beside Django's own, which is called with the same stack.

import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.core import signals
from django.core.exceptions import MiddlewareNotUsed, PermissionDenied
from django.core.handlers.base import BaseHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import RequestFactory, override_settings
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.django._chain import Call, passage, take_apart

LOG: list[Any] = []
METHODS = (
    "process_request",
    "process_response",
    "process_view",
    "process_exception",
    "process_template_response",
)
ERRORS: list[type[Exception]] = [LookupError, Http404, PermissionDenied]


def middleware(name: str, acts: dict[str, str]) -> Any:
    """Make middleware that does in each of its methods what *acts* says of it."""

    def method(kind: str, act: str) -> Callable[..., Any]:
        def process(self: Any, request: HttpRequest, *args: Any, **_: Any) -> Any:
            seen = [_seen(each) for each in args]
            LOG.append((name, kind, seen, sys.exc_info()[0]))
            passed = args[0] if kind in ("process_response", "process_template_response") else None
            return _done(act, f"{name} {kind}", request, passed)

        return process

    def init(self: Any, get_response: Any) -> None:
        if acts.get("__init__") == "unused":
            raise MiddlewareNotUsed
        MiddlewareMixin.__init__(self, get_response)

    methods: dict[str, Any] = {
        kind: method(kind, act) for kind, act in acts.items() if kind in METHODS
    }
    if "__call__" in acts:
        before = method("__call__", acts["__call__"])
        return calling(name, init, methods, before)
    if "function" in acts:
        return partial(as_function, method("function", acts["function"]))
    return type(name, (MiddlewareMixin,), {**methods, "__init__": init})


def calling(name: str, init: Any, methods: dict[str, Any], before: Any) -> Any:
    class Calling:
        def __call__(self, request: HttpRequest) -> Any:
            answer = before(None, request)
            if answer is not None:
                return answer
            return self.get_response(request)  # type: ignore[attr-defined]

    def plain_init(self: Any, get_response: Any) -> None:
        init(MiddlewareMixin(get_response), get_response)
        self.get_response = get_response

    return type(name, (Calling,), {**methods, "__init__": plain_init})


def as_function(before: Any, get_response: Any) -> Any:
    def function(request: HttpRequest) -> Any:
        answer = before(None, request)
        if answer is not None:
            return answer
        return get_response(request)

    return function


def _done(act: str, text: str, request: HttpRequest, passed: Any) -> Any:
    if act == "answer":
        return HttpResponse(text)
    if act == "template":
        return Rendered(text)
    if act == "urlconf":
        request.urlconf = "chain_other_urls"  # type: ignore[attr-defined]
    if act == "none":
        return None
    if act.startswith("raise"):
        raise ERRORS[int(act[-1])](text)
    return passed


class Rendered(SimpleTemplateResponse):
    """A response whose content is made late, or never."""

    def __init__(self, text: str) -> None:
        super().__init__("none")
        self.text_ = text

    @property
    def rendered_content(self) -> str:
        LOG.append(("rendered", self.text_))
        if "bad" in self.text_:
            raise LookupError(self.text_)
        return self.text_


def _seen(value: object) -> object:
    if isinstance(value, HttpResponse):
        return (value.status_code, getattr(value, "text_", None) or value.content)
    return type(value).__name__ if callable(value) else repr(value)


def view_of(act: str, *, is_async: bool) -> Any:
    def answered(request: HttpRequest) -> Any:
        LOG.append(("view", act))
        if act == "bad template":
            return Rendered(act)
        return _done(act, "view", request, None)

    async def answered_async(request: HttpRequest) -> Any:
        return answered(request)

    return answered_async if is_async else answered


ACTS = st.sampled_from(["pass", "answer", "none", "raise0", "raise1", "raise2"])
STACKS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "__init__": st.sampled_from(["used", "used", "unused"]),
            "process_request": ACTS | st.just("urlconf") | st.just("pass"),
            "process_response": ACTS | st.just("pass"),
            "process_view": ACTS | st.just("template"),
            "process_exception": ACTS | st.just("template"),
            "process_template_response": ACTS | st.just("pass"),
        },
    )
    | st.fixed_dictionaries(
        {},
        optional={
            "__call__": ACTS | st.just("urlconf") | st.just("pass"),
            "process_request": st.just("answer"),  # nobody calls it
            "process_view": ACTS | st.just("template"),
            "process_exception": ACTS | st.just("template"),
        },
    )
    | st.fixed_dictionaries({"function": ACTS | st.just("urlconf") | st.just("pass")}),
    max_size=5,
)
VIEWS = st.sampled_from(
    ["answer", "template", "bad template", "none", "raise0", "raise1", "raise2"]
)


def run_by(chain: Callable[[Any, HttpRequest], Any], handler: Any) -> list[Any]:
    LOG.clear()
    sent: list[Any] = []

    def got_exception(**_: Any) -> None:
        sent.append(sys.exc_info()[0])

    signals.got_request_exception.connect(got_exception)
    request = RequestFactory().get("/")
    try:
        response = chain(handler, request)
        outcome: Any = (response.status_code, response.content, len(response._resource_closers))
    except Exception as error:
        outcome = (type(error), str(error))
    finally:
        signals.got_request_exception.disconnect(got_exception)
    return [outcome, sent, list(LOG)]


def djangos(handler: Any, request: HttpRequest) -> Any:
    return handler.get_response(request)


def taken_apart(handler: Any, request: HttpRequest) -> Any:
    layers = take_apart(handler)
    assert layers is not None
    steps = passage(handler, layers, request)
    step: Callable[[], Call] = steps.__next__
    try:
        while True:
            step = outcome_sent(steps, step())
    except StopIteration as end:
        return end.value


def outcome_sent(steps: Any, call: Call) -> Callable[[], Call]:
    try:
        call.function(*call.args, **call.kwargs).send(None)
    except StopIteration as end:
        value = end.value
        return lambda: steps.send(value)
    except Exception as error:
        thrown = error
        return lambda: steps.throw(thrown)
    raise AssertionError("the view waits")


def handler_of(stack: list[dict[str, str]]) -> BaseHandler:
    module = ModuleType("chain_middleware")
    names = [f"M{at}" for at in range(len(stack))]
    for name, acts in zip(names, stack, strict=True):
        setattr(module, name, middleware(name, acts))
    sys.modules["chain_middleware"] = module
    handler = BaseHandler()
    with override_settings(MIDDLEWARE=[f"chain_middleware.{name}" for name in names]):
        handler.load_middleware()
    return handler


def urls_of(view: Any) -> None:
    for name, found in (
        ("chain_urls", view),
        ("chain_other_urls", view_of("answer", is_async=False)),
    ):
        module = ModuleType(name)
        module.urlpatterns = [path("", found)]  # type: ignore[attr-defined]
        sys.modules[name] = module


@pytest.mark.parametrize("propagate", [False, True])
@given(stack=STACKS, act=VIEWS)
def test_as_djangos(propagate: bool, stack: list[dict[str, str]], act: str) -> None:
    """
    Whatever middleware and view do, what is called, and the outcome, are as in Django's chain.
    """
    from django.urls import clear_url_caches

    handler = handler_of(stack)
    with override_settings(ROOT_URLCONF="chain_urls", DEBUG_PROPAGATE_EXCEPTIONS=propagate):
        got = []
        for chain, is_async in ((djangos, False), (taken_apart, False), (taken_apart, True)):
            urls_of(view_of(act, is_async=is_async))
            clear_url_caches()
            got.append(run_by(chain, handler))

    assert got[1] == got[0]
    assert [_without_view_name(each) for each in got[2]] == [
        _without_view_name(each) for each in got[0]
    ]


def _without_view_name(part: Any) -> str:
    return str(part).replace("answered_async", "answered")


def test_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where somebody has put a method in the place of Django's, it is called: nothing is taken apart.
    """
    handler = handler_of([{}])
    assert take_apart(handler) is not None
    for owner, name in (
        (BaseHandler, "get_response"),
        (BaseHandler, "_get_response"),
        (MiddlewareMixin, "__call__"),
    ):
        with monkeypatch.context() as patched:
            original = getattr(owner, name)
            patched.setattr(owner, name, lambda *a, of=original, **k: of(*a, **k))
            assert take_apart(handler) is None


def test_djangos_own_middleware_is_taken_apart() -> None:
    """
    The six that a new project has can all be taken apart.
    """
    names = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    handler = BaseHandler()
    with override_settings(MIDDLEWARE=names):
        handler.load_middleware()
    layers = take_apart(handler)

    assert layers is not None
    assert [type(layer).__name__ for layer in layers] == [name.rsplit(".")[-1] for name in names]
    assert settings.configured
