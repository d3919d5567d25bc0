# Django's path() and re_path(), taught three things about consumers.
#
#   a string     "chat.consumers.ChatConsumer" becomes a DottedConsumer, which the
#                router looks up when the application is constructed
#   an instance  ChatConsumer() instead of ChatConsumer is refused with our words
#   the types    path and re_path below accept consumers under a type checker, too;
#                at run time they are the same as Django's
#
# Django refuses both arguments itself (TypeError), so nothing that worked changes:
# everything else goes to Django's own function untouched.
#
# asgi.py says `from django.urls import path`, before or after it imports us, and an
# import sorter may turn the order round. Both names are functools.partial objects, so
# their function is replaced *inside* the object, with the method that unpickling uses:
# then every reference to it knows, whenever it was taken. Turned down: new objects put
# into django.urls (misses names imported before), a path() of our own alone (DESIGN 1
# promises Django's). If a Django to come makes them ordinary functions, the two modules'
# names are replaced, and only the order of imports matters again.

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn, cast

import django.urls
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, conf

from ..hypercorn._startup import refuse

Route = URLPattern | URLResolver
Endpoint = str | Callable[..., Any]  # a consumer class is a callable, too
Included = tuple[Sequence[Any], str | None, str | None]


class DottedConsumer:
    """
    The place of a consumer in a list of routes, written as a dotted name.

    ``path("ws/", "chat.consumers.ChatConsumer")`` makes one; the name is looked up when
    ``Greenroom(...)`` is constructed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._found: list[object] = []

    def __repr__(self) -> str:
        return f"<DottedConsumer {self.name}>"

    def resolve(self, wanted_by: str) -> object:
        """
        Import and return what the name stands for; a second call imports nothing.

        Args:
            wanted_by: Who asks, for the message, such as ``the route 'ws/chat/'``.

        Raises:
            ImproperlyConfigured: there is nothing of that name.
        """
        if not self._found:
            self._found.append(import_dotted(self.name, wanted_by))
        return self._found[0]

    def __call__(self, *_args: object, **_kwargs: object) -> NoReturn:
        """
        Refuse to be a view: Django calls this when the route stands in urls.py.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{self.name!r} is a dotted name, which only Greenroom(websocket=[...]) looks up."
            " In urls.py, import the view and pass it to path()."
        )


def import_dotted(name: str, wanted_by: str) -> object:
    """
    Import *name*, such as ``chat.consumers.ChatConsumer``, and return what it names.

    What the module itself raises passes through: its traceback says where.

    Raises:
        ImproperlyConfigured: there is no such module, or nothing of that name in it.
    """
    module_name, _, attribute = name.rpartition(".")
    if not module_name:
        refuse(
            f"{wanted_by}: {name!r} must be a full dotted name like 'chat.consumers.ChatConsumer'.",
            ImproperlyConfigured,
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not (module_name == missing or module_name.startswith(f"{missing}.")):
            raise
        refuse(
            f"{wanted_by}: {name!r} can't be imported, there is no module {missing!r}.",
            ImproperlyConfigured,
        )
    if not hasattr(module, attribute):
        close = get_close_matches(attribute, dir(module), 1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        refuse(
            f"{wanted_by}: module {module_name!r} has no {attribute!r}.{meant}",
            ImproperlyConfigured,
        )
    return getattr(module, attribute)


# Django's own, without the types that know views only.
_django_path: Callable[..., Route] = cast("Any", django.urls).path
_django_re_path: Callable[..., Route] = cast("Any", django.urls).re_path


def path(
    route: str,
    view: Endpoint | Included,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Route:
    """
    Django's ``path()``, typed so that a consumer, its dotted name or any ASGI app is a view.

    Raises:
        TypeError: *view* is an instance of a consumer, or nothing that can be a view.
    """
    return _django_path(route, view, dict(kwargs) if kwargs else None, name)


def re_path(
    route: str,
    view: Endpoint | Included,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Route:
    """
    Django's ``re_path()``, typed like `path`.

    Raises:
        TypeError: *view* is an instance of a consumer, or nothing that can be a view.
    """
    return _django_re_path(route, view, dict(kwargs) if kwargs else None, name)


def teach_django() -> None:
    """
    Teach ``django.urls.path`` and ``re_path`` about consumers. A second call does nothing.
    """
    for name in ("path", "re_path"):
        function: Any = getattr(conf, name)
        if isinstance(function, functools.partial):
            _teach_inside(cast("functools.partial[Route]", function))
        elif not hasattr(function, "__greenroom_taught__"):
            taught = _taught(function)
            for module in (conf, django.urls):
                setattr(module, name, taught)


def _teach_inside(function: "functools.partial[Route]") -> None:
    if hasattr(function.func, "__greenroom_taught__"):
        return
    state = (_taught(function.func), function.args, function.keywords, function.__dict__ or None)
    cast("Any", function).__setstate__(state)


def _taught(original: Callable[..., Route]) -> Callable[..., Route]:
    @functools.wraps(original)
    def taught(route: Any, view: Any, *args: Any, **kwargs: Any) -> Route:
        if isinstance(view, str):
            view = DottedConsumer(view)
        elif is_actor(view):
            refuse_instance(view, f"the route {str(route)!r}")
        return original(route, view, *args, **kwargs)

    cast("Any", taught).__greenroom_taught__ = True
    return taught


def is_actor_class(thing: object) -> bool:
    """
    Whether *thing* is an Actor class, consumers included.
    """
    return isinstance(thing, type) and hasattr(thing, "__greenroom_actor__")


def is_actor(thing: object) -> bool:
    """
    Whether *thing* is an instance of an Actor class.
    """
    return is_actor_class(type(thing))


def refuse_instance(thing: object, wanted_by: str) -> NoReturn:
    """
    Say that the class is wanted, not an instance.

    Raises:
        TypeError: always (below hypercorn's command: SystemExit with one line).
    """
    name = type(thing).__name__
    refuse(
        f"{wanted_by}: write {name}, not {name}(). Each connection, and each restart,"
        " gets a new object.",
        TypeError,
    )
