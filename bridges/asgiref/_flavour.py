# Which event loop async code is written for: trio, or asyncio.
#
# Nothing about a function tells, so a mark does, and a setting where there is none. The mark is
# an attribute: functools.wraps copies it, a class hands it down, and `View.as_view()` keeps the
# class that has it. An async generator can have no attributes; those that a marked function has
# made are kept in a table.
#
# An actor's own methods need none: its handlers run on trio, and so does what they call.

import inspect
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial, wraps
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

from ...actors import Actor

Flavour = Literal["trio", "asyncio"]

T = TypeVar("T")

_MARK = "greenroom_flavour"
_LOOKED_AT = 16  # wrappers, at most
_generators: WeakKeyDictionary[AsyncGenerator[Any, Any], Flavour] = WeakKeyDictionary()


def on_trio(code: T) -> T:
    """
    Mark *code* as written for trio: an async function or generator function, a class of views,
    of middleware, or of async iterators.
    """
    return _marked(code, "trio")


def on_asyncio(code: T) -> T:
    """Mark *code*, one of the same things, as written for asyncio: it runs there."""
    return _marked(code, "asyncio")


def _marked(code: T, flavour: Flavour) -> T:
    if not callable(code):
        raise TypeError(f"@on_{flavour} marks a function or a class. Got: {code!r}")
    marked: Any = code
    if inspect.isasyncgenfunction(marked):
        marked = _marking(marked, flavour)
    elif isinstance(code, type) and inspect.isasyncgenfunction(vars(code).get("__aiter__")):
        marked.__aiter__ = _marking(vars(code)["__aiter__"], flavour)
    setattr(marked, _MARK, flavour)
    return marked


def _marking(
    function: Callable[..., AsyncGenerator[Any, Any]], flavour: Flavour
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Return a function that makes the same generators, each of them marked."""

    @wraps(function)
    def make(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        _generators[generator] = flavour
        return generator

    return make


def _asyncio() -> Flavour:
    return "asyncio"


_default: list[Callable[[], Flavour]] = [_asyncio]  # asked for the flavour of what has no mark


def set_default_flavour(ask: Callable[[], Flavour]) -> None:
    """Have *ask* called, in any thread, for the flavour of what has no mark."""
    _default[0] = ask


def flavour_of(code: object, default: Flavour | None = None) -> Flavour:
    """
    Return which loop *code* is written for: "trio" or "asyncio". Any thread.

    Args:
        code: A function, a method, a `partial`, what `as_view()` returns, a class, or an object
            that is called.
        default: What to say if neither it nor what it wraps is marked; else the setting.
    """
    return mark_of(code) or default or _default[0]()


def flavour_of_call(code: object, args: tuple[object, ...]) -> Flavour:
    """Return which loop *code* is written for, if it is called with *args*. Any thread."""
    return mark_of(code) or ("trio" if _is_actors_own(code, args) else _default[0]())


def mark_of(code: object) -> Flavour | None:
    """Return how *code*, or what it wraps, is marked; None if it is not. Any thread."""
    if inspect.isasyncgen(code):
        return _generators.get(code)
    for each in _wrapped(code):
        mark: Any = getattr(each, _MARK, None)
        if mark == "trio" or mark == "asyncio":
            return mark
        if isinstance(each, Actor) or (isinstance(each, type) and issubclass(each, Actor)):
            return "trio"
    return None


def _is_actors_own(code: Any, args: tuple[object, ...]) -> bool:
    """Whether *code* is a method of the actor that it is called with: a bare function, then."""
    while isinstance(code, partial):
        code, args = code.func, (*code.args, *args)
    if not args or not isinstance(args[0], Actor):
        return False
    found = (vars(owner).get(getattr(code, "__name__", "")) for owner in type(args[0]).__mro__)
    # Decorated with async_to_sync it is behind an object of asgiref's.
    return any(each is code or getattr(each, "awaitable", None) is code for each in found)


def _wrapped(code: Any) -> Iterator[object]:
    """Yield *code* and, inwards, what stands behind it."""
    for _ in range(_LOOKED_AT):
        yield code
        for name in ("view_class", "cls", "__self__"):  # of as_view(), and of methods
            owner = getattr(code, name, None)
            if owner is not None:
                yield owner
        inner: Any = getattr(code, "func", None) if _is_partial(code) else None
        inner = inner or getattr(code, "__wrapped__", None) or getattr(code, "__func__", None)
        if inner is None:
            return
        code = inner


def _is_partial(code: object) -> bool:
    return isinstance(code, partial)
