# Greenroom(...): what asgi.py calls `application`. It turns Django's words (routes with
# dotted names, the GREENROOM setting, children) into those of bridges.asgi, and says in
# one line what is wrong with them.

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured

from ...actors.consumers import ASGIApplication
from ...supervisor import Engine, Options
from ...supervisor._supervisor_spec import Spec, spec_of
from ..asgi import Application, Router
from ..asgi._routing import Everything
from ..engines import LocalEngine
from ..hypercorn._startup import refuse
from ._book import book_kept
from ._database import database_hooks
from ._disconnect import listen_to_log_outs
from ._gate import DjangoGate
from ._handler import refuse_django_handler
from ._matching import Walkable
from ._on_trio import hops_of, teach_asgiref
from ._operators import users_known
from ._paths import Route, import_dotted, is_actor, refuse_instance
from ._poll_cookie import teach_poll_cookie
from ._project import project_name
from ._routes import DjangoRouter, refuse_no_endpoint
from ._settings import load_options
from ._setup import require_django
from ._tracing import refuse_untraceable, views_traced
from ._user_key import user_key
from .console._feed_route import with_feed


class Greenroom(Application):
    """
    The whole application: Django's views, the consumers' routes and the residents.

    Args:
        http: ASGI application for requests, normally ``django_application()``; or routes like
            those of *websocket*, of which the last may be ``re_path(r"", django_application())``.
            None, and what no route matches, is answered with 404.
        websocket: Routes made with ``path()`` and ``re_path()``; a view is a consumer
            class, its dotted name, its ``as_asgi()``, or any ASGI application. Or one ASGI
            application for all of them, such as a middleware around a :class:`UrlRouter`.
        children: Residents: actor classes, :class:`ChildSpec` and :class:`SupervisorSpec`, or
            the dotted names of any of these.
        engine: Makes what carries groups to other processes; without it they stay in this one.
        options: Settings by their names in lower case, which win over those in
            ``settings.GREENROOM``. Not those that hold for the whole process, such
            as ``async_views``, ``patch_asgiref`` and ``inspection``.

    Raises:
        ImproperlyConfigured: no settings, GREENROOM is wrong, or a dotted name leads
            nowhere.
        TypeError: an argument of the wrong kind; the message says what to write.
        ValueError: an option out of range.

    Below hypercorn's command each of these is one line on stderr, and no traceback.
    """

    def __init__(
        self,
        http: ASGIApplication | Iterable[Route] | None = None,
        websocket: ASGIApplication | Iterable[Route] = (),
        children: Iterable[object] = (),
        engine: Callable[[], Engine] = LocalEngine,
        **options: object,
    ) -> None:
        require_django()
        teach_poll_cookie()
        routed = _is_routes(http)
        if not routed:
            _refuse_no_http(http)
        if not callable(engine) or isinstance(engine, Engine):
            refuse(
                "engine makes an engine for each run: write engine=lambda: RedisEngine([...])."
                f" Got: {engine!r}",
                TypeError,
            )
        try:
            loaded = load_options(**options)
            refuse_untraceable(loaded)
            gate = DjangoGate(loaded)
            teach_asgiref()
        except (ImproperlyConfigured, TypeError, ValueError) as error:
            refuse(str(error), type(error))
        listen_to_log_outs()
        router = DjangoRouter(cast("Iterable[Route]", http), "http") if routed else None
        super().__init__(
            http=None if routed else cast("ASGIApplication | None", http),
            router=_router_of(websocket),
            http_router=with_feed(router),
            children=_specs(children, loaded),
            engine=engine,
            options=loaded,
            user_key=user_key,
            thread_hooks=database_hooks(),
            gate=gate,
            project=project_name(),
            facilities=(
                hops_of,
                book_kept,
                users_known,
                views_traced,
                *(router.lifespans if router is not None else ()),
            ),
        )


def _router_of(websocket: Any) -> Router:
    if isinstance(websocket, Walkable):
        return websocket.router
    if callable(websocket):
        refuse_no_endpoint(websocket, "websocket", "websocket")
        return Everything(websocket)
    return DjangoRouter(websocket)


def _is_routes(http: object) -> bool:
    if callable(http) or isinstance(http, str | Mapping):
        return False
    return isinstance(http, Iterable)


def _refuse_no_http(http: object) -> None:
    if http is None:
        return
    refuse_django_handler(http, "http: ", "http=django_application()")
    if not callable(http) or isinstance(http, type):
        refuse(
            "http must be an ASGI application, a list of path(...) entries, or None."
            f" Got: {http!r}",
            TypeError,
        )


def _specs(children: object, options: Options) -> list[Spec]:
    if isinstance(children, str) or not isinstance(children, Iterable):
        refuse(
            f"children must be a list of actor classes, dotted names or specs. Got: {children!r}",
            TypeError,
        )
    listed = cast("Iterable[Any]", children)
    specs = [_spec(child, f"children[{at}]", options) for at, child in enumerate(listed)]
    names = [spec.name for spec in specs]
    for at, name in enumerate(names):
        if names.index(name) != at:
            refuse(
                f"children[{at}]: there is another child named {name!r}. Give one of them a"
                f" name: ChildSpec(actor=..., name=...).",
                ValueError,
            )
    return specs


def _spec(child: Any, wanted_by: str, options: Options) -> Spec:
    if isinstance(child, str):
        child = import_dotted(child, wanted_by)
    if is_actor(child):
        refuse_instance(child, wanted_by)
    try:
        return spec_of(child, options)
    except (TypeError, ValueError) as error:
        refuse(f"{wanted_by}: {error}", type(error))
