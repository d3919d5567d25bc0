# Which middleware with a `__call__` of its own, or function, counts as acting before the view only.

import inspect
from functools import wraps
from threading import Lock
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from whitenoise.middleware import (  # type: ignore[reportMissingTypeStubs]
    WhiteNoiseMiddleware,
)

from greenroom.bridges.django._passing import Passing, passing


class Base:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        self.lock = Lock()

    def note(self, request: Any) -> None:
        request.noted = True


class Plain(Base):
    def __call__(self, request: Any) -> Any:
        self.note(request)
        return self.get_response(request)


class Branching(Base):
    def __call__(self, request: Any, /) -> Any:
        for name in ("one", "two"):
            if request.path == name:
                return HttpResponse(name)
            while request.path == "other":
                return self.get_response(request)
        try:
            self.note(request)
        finally:
            request.tried = True
        return self.get_response(request)


class Mixed(MiddlewareMixin):
    def __call__(self, request: Any) -> Any:
        return self.get_response(request)


class Static(Base):
    @staticmethod
    def helper(value: Any) -> Any:
        return value and value.get_response(None)

    def uncalled(self, value: Any) -> Any:
        return value.get_response(None)

    @property
    def other(self) -> str:
        return "other"

    def __call__(self, request: Any) -> Any:
        self.helper(None)
        request.other = self.other
        return self.get_response(request)


def function(get_response: Any) -> Any:
    names: list[str] = []

    def note(request: Any) -> None:
        names.append(request.path)

    def run(request: Any) -> Any:
        note(request)
        return get_response(request)

    return run


class Changing(Base):
    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        response["X-Seen"] = "yes"
        return response


class Trying(Base):
    def __call__(self, request: Any) -> Any:
        try:
            return self.get_response(request)
        except LookupError:
            return HttpResponse()


class Within(Base):
    def __call__(self, request: Any) -> Any:
        with self.lock:
            return self.get_response(request)


class Twice(Base):
    def __call__(self, request: Any) -> Any:
        if request.path == "twice":
            self.get_response(request)
        return self.get_response(request)


class OtherRequest(Base):
    def __call__(self, request: Any) -> Any:
        request = HttpRequest()
        return self.get_response(request)


class Wrapping(Base):
    def __call__(self, request: Any) -> Any:
        return wraps(self.get_response(request))


class Conditional(Base):
    def __call__(self, request: Any) -> Any:
        return self.get_response(request) if request.path else None


class InHelper(Base):
    def helper(self, request: Any) -> Any:
        return self.get_response(request).status_code

    def __call__(self, request: Any) -> Any:
        self.helper(request)
        return self.get_response(request)


class InProperty(Base):
    @property
    def inner(self) -> Any:
        return self.get_response

    def __call__(self, request: Any) -> Any:
        self.inner(request)
        return self.get_response(request)


class ByName(Base):
    def __call__(self, request: Any) -> Any:
        getattr(self, "get_response")(request)  # noqa: B009
        return self.get_response(request)


class GivenAway(Base):
    def __call__(self, request: Any) -> Any:
        repr(self)
        return self.get_response(request)


class Super(Plain):
    def __call__(self, request: Any) -> Any:
        super().__call__(request)
        return self.get_response(request)


class Nested(Base):
    def __call__(self, request: Any) -> Any:
        def later() -> Any:
            return self.get_response(request)

        later()
        return self.get_response(request)


class Never(Base):
    def __call__(self, request: Any) -> Any:
        return HttpResponse()


class Generator(Base):
    def __call__(self, request: Any, more: Any = None) -> Any:
        return self.get_response(request)


def decorated(method: Any) -> Any:
    @wraps(method)
    def run(self: Any, request: Any) -> Any:
        response = method(self, request)
        response["X-Seen"] = "yes"
        return response

    return run


class Decorated(Base):
    @decorated
    def __call__(self, request: Any) -> Any:
        return self.get_response(request)


def changing(get_response: Any) -> Any:
    def run(request: Any) -> Any:
        response = get_response(request)
        response["X-Seen"] = "yes"
        return response

    return run


def sharing(get_response: Any) -> Any:
    def look(request: Any) -> Any:
        return get_response(request).status_code

    def run(request: Any) -> Any:
        look(request)
        return get_response(request)

    return run


def from_a_string(get_response: Any) -> Any:
    code = "def run(self, request):\n    return self.get_response(request)\n"
    space: dict[str, Any] = {}
    exec(code, space)
    return type("FromAString", (Base,), {"__call__": space["run"]})(get_response)


def inner(request: Any) -> HttpResponse:
    return HttpResponse(f"inner {request.path}")


def asked(path: str) -> Any:
    request = HttpRequest()
    request.path = request.path_info = path
    return request


@pytest.mark.parametrize("made", [Plain, Branching, Mixed, Static, function, WhiteNoiseMiddleware])
def test_what_passes_on(made: Any) -> None:
    """
    What ends by returning get_response(request) is called before; then it has said nothing yet.
    """
    middleware = made(inner)
    layer = passing(middleware)
    assert layer is not None
    layer.take_over()

    assert layer.inner is inner
    assert layer.process_request(asked("here")) is None
    assert middleware(asked("there")).content == b"inner there"
    assert repr(middleware) in repr(layer)
    again = passing(middleware)
    assert again is not None
    assert again.inner is inner


def test_its_own_answer() -> None:
    """
    What it answers itself is its answer.
    """
    layer = passing(Branching(inner))
    assert layer is not None
    layer.take_over()

    assert layer.process_request(asked("two")).content == b"two"
    assert layer.process_request(asked("other")) is None


def test_what_it_raises_changes_nothing() -> None:
    """
    When it has raised, whoever calls it by itself still gets the whole answer.
    """

    class Raising(Base):
        def __call__(self, request: Any) -> Any:
            if request.path == "bad":
                raise LookupError
            return self.get_response(request)

    middleware = Raising(inner)
    layer = passing(middleware)
    assert layer is not None
    layer.take_over()
    with pytest.raises(LookupError):
        layer.process_request(asked("bad"))

    assert middleware(asked("good")).content == b"inner good"


def test_none_is_no_answer() -> None:
    """
    Middleware that returns nothing at all is told so.
    """

    class Forgetful(Base):
        def __call__(self, request: Any) -> Any:
            if request.path == "good":
                return self.get_response(request)
            return None

    layer = passing(Forgetful(inner))
    assert layer is not None

    with pytest.raises(ValueError, match=r"Forgetful.* returned None"):
        layer.process_request(asked("bad"))


@pytest.mark.parametrize(
    "made",
    [
        Changing,
        Trying,
        Within,
        Twice,
        OtherRequest,
        Wrapping,
        Conditional,
        InHelper,
        InProperty,
        ByName,
        GivenAway,
        Super,
        Nested,
        Never,
        Generator,
        Decorated,
        changing,
        sharing,
        from_a_string,
        lambda get_response: lambda request: get_response(request),
        lambda get_response: None,
    ],
)
def test_what_may_see_the_response(made: Any) -> None:
    """
    Whatever else is done with get_response, or may be, leaves the middleware as it is.
    """
    assert passing(made(inner)) is None


def counting(method: Any) -> Any:
    @wraps(method)
    def run(*args: Any) -> Any:
        response = method(*args)
        response["X-Seen"] = "yes"
        return response

    return run


class DecoratedHelper(Base):
    @counting
    def look(self, request: Any) -> Any:
        return self.get_response(request)

    def __call__(self, request: Any) -> Any:
        if request.path == "seen":
            return self.look(request)
        return self.get_response(request)


def seen_by(middleware: Any, request: Any) -> Any:
    response = middleware.get_response(request)
    response["X-Seen"] = "yes"
    return response


class GivenAwayByHelper(Base):
    def look(self, request: Any) -> Any:
        return seen_by(self, request)

    def __call__(self, request: Any) -> Any:
        if request.path == "seen":
            return self.look(request)
        return self.get_response(request)


class Again(Base):
    def look(self, request: Any) -> Any:
        request.path = "again"
        response = self(request)
        response["X-Seen"] = "yes"
        return response

    def __call__(self, request: Any) -> Any:
        if request.path == "seen":
            return self.look(request)
        return self.get_response(request)


class MadeAtFirst(Base):
    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.look = counting(lambda request: self.get_response(request))

    def __call__(self, request: Any) -> Any:
        if request.path == "seen":
            return self.look(request)
        return self.get_response(request)


def hidden(get_response: Any) -> Any:
    @counting
    def look(request: Any) -> Any:
        return get_response(request)

    def run(request: Any) -> Any:
        if request.path == "seen":
            return look(request)
        return get_response(request)

    return run


@pytest.mark.parametrize("made", [DecoratedHelper, GivenAwayByHelper, Again, MadeAtFirst, hidden])
def test_who_looks_at_the_response_gets_one(made: Any) -> None:
    """
    Whoever calls get_response out of the sight of the source gets what Django gave it to call.
    """
    layer = passing(made(inner))
    assert layer is not None
    layer.take_over()

    response = layer.process_request(asked("seen"))
    assert response.content in (b"inner seen", b"inner again")
    assert response["X-Seen"] == "yes"
    assert layer.process_request(asked("other")) is None


def test_what_is_put_around_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What somebody puts in the place of its `__call__` gets a response from that.
    """

    class Late(Base):
        def __call__(self, request: Any) -> Any:
            return self.get_response(request)

    layer = passing(Late(inner))
    assert layer is not None
    layer.take_over()
    monkeypatch.setattr(Late, "__call__", counting(Late.__call__))

    assert layer.process_request(asked("seen"))["X-Seen"] == "yes"


def test_a_source_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without its source nothing is said of a middleware.
    """

    def no_source(_: object) -> str:
        raise OSError("no source")

    assert isinstance(passing(Plain(inner)), Passing)
    monkeypatch.setattr(inspect, "getsource", no_source)
    assert passing(Plain(inner)) is None
